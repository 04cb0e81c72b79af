// Package attach owns the door of a run: a socket by which others on this computer see it
// and have a part in it, and their side of that.
//
// Eight things can be asked for. Status says how the run and its machines are. Stop ends it
// as its user would, and answers when it is over. Attach sits at a machine's console.
// Screen looks at a machine's screen, by the RFB protocol that VNC viewers speak.
// Events tells what has happened in the run, from its beginning, and then what happens, as
// the JSON lines of the records, until it is over. Network tells how the machines are
// wired, and what crosses their networks; Capture has that as a file. Command says a word to the dialogue with
// the student, and is answered with whether it was taken, or why not. So whatever shows a
// lab or leads a student through it can be another program.
//
// The server listens on a Unix socket in the run's private session folder and
// serves the user who runs the lab, and root, only: it asks the kernel who is at
// the other end. What comes from there is a stranger's all the same: frames and fields have
// bounds. All that is asked is answered by goroutines that wait for nothing the lab is at,
// so the door answers while an image is built or a machine boots.
//
// Each viewer has its own place in what a console has printed and its own goroutine that
// writes to it, and each follower of the events has one in the log; one that does not read
// holds up itself alone. The size that a guest believes its terminal to have is the
// smallest of its viewers'.
//
// What a terminal would answer to a guest's questions (ESC[6n: where is the
// cursor?) is the guest's concern once, not once for each viewer, and not again
// when old output is shown: such questions are not passed on.
package attach
