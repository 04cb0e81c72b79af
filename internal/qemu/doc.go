// Package qemu owns one virtual machine as a process: its specification turned
// into an argument vector (a pure function), the process and its channels, QMP,
// the verdict on hardware acceleration, and what the host pays for it.
//
// A machine has no socket that another user could open: consoles, cards and QMP are
// inherited socket pairs. QEMU is
// killed by the kernel when labrun dies, however it dies (PR_SET_PDEATHSIG), so
// no machine outlives its run.
package qemu
