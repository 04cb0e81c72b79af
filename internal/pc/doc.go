// Package pc owns PCs that live in a browser's page instead of in QEMU: a page runs v86
// (web/page/pc.js), which brings no BIOS and boots slowly, so it goes on from a saved state.
// Here are that BIOS, that state, and a machine whose serial ports and network card are at
// the other end of messages to and from a page.
package pc
