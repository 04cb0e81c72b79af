// Package disk tells what a file is that somebody wants a machine to boot from: in which
// format it is, whether it is whole, whether it is a floppy disk, a CD or a hard disk, and
// by what it boots; and finds the disk in an archive.
//
// The files are strangers'. So they are only read, here, by code that cannot write out of
// bounds and follows no name: nothing in an image or archive makes it open another file.
// QEMU's own tools, which would, get an image only after [Format] has found that it refers
// to no other.
package disk
