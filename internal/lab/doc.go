// Package lab owns the machines and networks of one run as a unit: it gets their
// images, boots them side by side, joins their network cards to switches, speaks
// to their consoles and control channels, and takes everything down again in
// order.
//
// All that a run leaves on disk while it lives is in one private folder, its
// session, which is held by a lock: what a killed labrun left behind is removed
// by the next one.
//
// At the end of a run the guests are not asked to shut down: their disks are
// overlays that are thrown away, and a polite Debian takes seconds. QMP's quit
// ends them, and SIGKILL if that fails. Shutdown, for a mission that wants a
// clean power-off, presses the power button first.
package lab
