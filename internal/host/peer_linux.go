package host

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// peerUID asks for the user at the other end of a Unix socket.
func peerUID(fd int) (int, error) {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(peer.Uid), nil
}

// TCPPeerUID asks the kernel which user has the other end of a connection within this
// computer, over IPv4. Its addresses are those of this end and of the other.
func TCPPeerUID(here, there netip.AddrPort) (int, error) {
	table, err := os.Open("/proc/self/net/tcp")
	if err != nil {
		return 0, err
	}
	defer table.Close()
	return tcpOwner(bufio.NewScanner(table), there, here)
}

// tcpOwner finds the owner of a socket, by its own address and that of its peer, in the
// kernel's table (Documentation/networking/proc_net_tcp.rst).
func tcpOwner(lines *bufio.Scanner, local, remote netip.AddrPort) (int, error) {
	wanted := []string{tcpAddress(local), tcpAddress(remote)}
	for lines.Scan() {
		// A number, both addresses, the state, the queues, the timer, retransmissions, the user.
		fields := strings.Fields(lines.Text())
		if len(fields) > 7 && fields[1] == wanted[0] && fields[2] == wanted[1] {
			return strconv.Atoi(fields[7])
		}
	}
	return 0, errors.Join(errors.New("find the owner of a connection: the kernel has none"), lines.Err())
}

// tcpAddress is an address as the table has it: the kernel's own number, and the port.
func tcpAddress(a netip.AddrPort) string {
	ip := a.Addr().Unmap().As4()
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), a.Port())
}
