// Package mission owns the running of a loaded mission: as labrun plays it (Run), with a
// student (Guide), on trial (Prove), statement by statement (Repl); the states of its lab at
// the beginnings of steps; and what sort an error is of, which decides the exit code
// (Classify).
//
// Each step is played in a thread of its own, within the limits of package script.
package mission
