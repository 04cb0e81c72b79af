package host

import "os"

// SocketPair returns two Unix stream sockets that are connected with each other. Children
// inherit neither, unless they are given to them.
func SocketPair(name string) (one, other *os.File, err error) {
	fds, err := socketPair()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}
