// Package host owns what labrun asks of the computer that it runs on: its memory, disks
// and processors, what they have done and for whom, its kernel and its present boot; its
// user's folders, and the files that its user names; the processes that labrun starts
// on it, and the sockets and files that it shares with them.
//
// What kernels differ in is here and nowhere else: files that end in _linux.go and
// _darwin.go (macOS). What a kernel does not tell is an error that says so, and those who
// ask go without it. Linux is what labrun is tested on; that it builds for macOS is.
package host
