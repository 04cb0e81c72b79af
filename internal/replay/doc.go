// Package replay owns playing a submission again: the mission is played on fresh machines with
// a ghost as its student, and what that comes to is compared with what the submission claims.
//
// The ghost is a view of the dialogue, as a terminal or a page is one. It has the events of
// the student's run before it, and follows those of its own. Whatever the student did, it does
// when the same is asked and the console waits as it did then: it types the same keys, as
// somebody who sits at the console, and says the same words, for which labrun gives a hint,
// does, skips or takes back. So all checks are made anew, by the same code that made them for
// the student, and no builtin knows of it.
//
// A run does not happen twice in the same way. Machines are slower or faster, so nothing goes
// by the clock: see [cue], and [ghost.waits] for how a console waits. What an emulated machine
// draws by lot, such as the number of a process or a lent address, is another one; where the
// student has copied it from what they saw, the ghost copies what it sees in that place
// (carry.go).
//
// Where a submission rests on several runs, they are played one after the other, each going on
// where the one before has stopped, as the student did.
package replay
