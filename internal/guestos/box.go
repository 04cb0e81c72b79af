package guestos

// Box is where an image of ours whose usual programs load libraries has a BusyBox that loads
// none, for what labrun runs there for itself: under emulation, a program of it starts in 4 ms
// and not in 20 to 60.
const Box = "/usr/local/lib/labrun/busybox"
