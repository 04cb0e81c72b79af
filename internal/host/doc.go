// Package host owns what labrun asks of the computer that it runs on: its memory, disks
// and processors, what they have done and for whom, its kernel and its present boot; its
// user's folders, and the files that its user names; the processes that labrun starts
// on it.
//
// What the kernel tells is read here and nowhere else (/proc, /sys), so that another
// kernel has one place to be added in.
package host
