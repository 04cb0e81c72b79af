// Package guide owns the dialogue with a student who is led through a mission: which step
// they are at, what they are asked to do, hints, questions, what may be said now, and the
// progress that outlives a run.
//
// A [Dialogue] is data and commands, and knows nothing of machines, scripts, terminals or
// pages. Whoever runs a step hands it an [Instruction] and a function that returns when
// that is done; [Dialogue.Await] waits for the one or for the student's word. What the
// student says comes as a [Command], from any goroutine, so that there is always somebody
// who listens, and each wait can be left: by a hint, by "do it for me", by skipping,
// redoing or quitting.
//
// What there is to show is told as events (package event), in order, and whoever shows it
// is a view: the terminal (package guide/terminal), a program that reads the run's events
// as JSON lines, a page. A view never calls the dialogue from within an event, and the
// dialogue waits for no view.
package guide
