package host

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// peerUID asks for the user at the other end of a Unix socket.
func peerUID(fd int) (int, error) {
	peer, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(peer.Uid), nil
}

// TCPPeerUID fails: macOS tells nobody but root whose a TCP connection is.
func TCPPeerUID(here, there netip.AddrPort) (int, error) {
	return 0, errors.New("find the owner of a connection: macOS does not tell it")
}
