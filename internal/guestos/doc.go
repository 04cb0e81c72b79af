// Package guestos owns how labrun asks a guest's operating system for something or tells it
// something, and how it reads the answer: addresses and leases, a host name, the time, an
// identity, the size of a terminal, a kernel's panic. It makes shell commands and parses
// text; who runs the commands, and when, is for its callers.
//
// What it says is understood by Linux with BusyBox or GNU tools. An image with other
// habits says its own in its profile, in images.lock: see [Commands].
package guestos
