// Package pc owns what machines need that live in a browser's page instead of in
// QEMU: they run in v86 (web/page/pc.js), which brings no BIOS.
package pc
