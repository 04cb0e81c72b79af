// Package guide owns the dialogue with a student who is led through a mission:
// what is shown, the words the student may say, hints, what happens when something
// goes wrong, and the progress that outlives a run.
//
// It knows nothing of machines or scripts. Whoever runs a step hands it an
// [Instruction], which says what the student should do, and a function that
// returns when that is done; [Guide.Await] shows the one, waits for the other, and
// meanwhile answers the student. So there is always somebody who listens, and
// each wait can be left: by a hint, by «do it for me», by skipping, redoing or
// quitting.
//
// Output is append-only lines: nothing is redrawn, and nothing is told by colour
// alone, so that a screen reader, a pipe and a small terminal show the same.
package guide
