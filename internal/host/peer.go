package host

import (
	"net"
	"os"
)

// PeerUID asks the kernel which user has the other end of a connection.
func PeerUID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var uid int
	var failed error
	if err := raw.Control(func(fd uintptr) { uid, failed = peerUID(int(fd)) }); err != nil {
		return 0, err
	}
	return uid, os.NewSyscallError("getsockopt", failed)
}
