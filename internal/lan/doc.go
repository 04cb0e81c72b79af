// Package lan owns the Ethernet between the machines of a lab: a learning
// switch inside this process, the links of its ports with their faults, and the
// capture of what crosses it. It needs no root, tap device or bridge.
//
// # Wire format
//
// A peer is a stream socket. For a guest it is one end of a pair whose other end
// QEMU, from version 7.2 on, inherits and drives a network card with:
//
//	-netdev stream,id=nic0,addr.type=fd,addr.str=FD
//
// On that stream each frame follows its own length, four bytes big-endian, in both
// directions: a record. A switch that forwards a frame therefore sends exactly
// the bytes it received.
//
// # Forwarding
//
// A port learns the source addresses of what comes in and sends a frame where its
// destination was last seen: to one port, to none when that is the port it came
// from, and to all others when the destination is unknown or a group. An address
// is forgotten 300 seconds after its last frame, or when its peer leaves. A frame
// of fewer than 14 bytes or of more than QEMU accepts (68 KiB) is counted and
// passed over. A length beyond 256 KiB ends that port's connection, because the
// stream has lost its place; Port.Err tells, and the other ports go on.
//
// Records that arrive together and share both addresses are looked up, counted,
// copied and queued together. That run is the unit of work: one copy for each
// receiving port, and no allocation.
//
// # Backpressure
//
// Each port has one goroutine that receives and one that sends. The first never
// waits for the second, and no lock is held while either reads or writes: what
// does not fit into a port's bounded queue is dropped and counted, as a real
// switch does, so a stopped guest holds up nobody. A capture's writer has such a
// queue too, and whoever follows it sees the newest of what it has written.
//
// # Neighbours
//
// The switch hears which addresses a station has: DHCP's acknowledgements give them
// (RFC 2131), ARP packets name their sender's (RFC 826). What was heard may be over,
// so before it is told the station is asked by an ARP probe (RFC 5227), which every
// host answers that has the address. The answer is for the switch's own station:
// neither question nor answer is counted, captured or seen by another port.
package lan
