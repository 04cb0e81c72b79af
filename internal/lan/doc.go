// Package lan owns the Ethernet between the machines of a lab: a learning
// switch inside this process, the links of its ports with their faults, and the
// capture of what crosses it. It needs no root, tap device or bridge.
//
// A guest's NIC reaches a port over a Unix socket, which QEMU 7.2 and later
// dials by itself:
//
//	-netdev stream,id=lan0,server=off,addr.type=unix,addr.path=SOCKET
//
// On that socket each frame follows its own length, four bytes big-endian, in
// both directions. A switch that forwards a frame therefore sends exactly the
// bytes it received, and frames that arrive together for one destination are
// looked up, copied and queued together. That run is the unit of work here: at
// most one copy for each receiving port, and no allocation.
//
// Each port has one goroutine that receives and one that sends. The first never
// waits for the second: what does not fit into a port's bounded queue is dropped
// and counted, as a real switch does, so a stopped guest holds up nobody.
package lan
