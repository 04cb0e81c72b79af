// Package mission owns the running of missions. Load loads one; then it is run once, on a
// lab that the caller opens from its Config:
//
//   - Run plays its steps as labrun does, for CI and for authors.
//   - Guide leads a student through them.
//   - Prove puts the lab on trial: it plays each step as a run does, and again with one
//     instruction left out or done wrongly.
//   - Repl evaluates statements one by one.
//
// A step is a function of the script, called in a thread of its own within the limits of
// package script. Who carries out what it says is its actor (package builtins); these four
// differ in the actor that they give it, and in what they do when a step fails.
//
// Between the steps are checkpoints (checkpoints.go): states of the whole lab, to begin a
// step again or a run in its middle. Those of all missions are kept in one folder, named by
// what decides the lab's state there (before.go).
//
// Classify sorts errors by who can mend them, which decides labrun's exit code.
package mission
