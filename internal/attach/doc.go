// Package attach owns sitting at a machine's console from another terminal: the
// server in the labrun that runs the lab, and its clients.
//
// The server listens on a Unix socket in the run's private session folder and
// serves the user who runs the lab, and root, only: it asks the kernel who is at
// the other end. Each viewer has its own place in what a console has printed and
// its own goroutine that writes to it; one that does not read holds up itself
// alone. The size that a guest believes its terminal to have is the smallest of its
// viewers'.
//
// What a terminal would answer to a guest's questions (ESC[6n: where is the
// cursor?) is the guest's concern once, not once for each viewer, and not again
// when old output is shown: such questions are not passed on.
package attach
