// Package mission owns the loading and the running of a mission script: its
// Starlark threads, their limits and cancellation, and what an error in a script
// looks like to its author.
//
// A mission is a stranger's program. It sees the builtins and the files of its
// own folder, nothing else: no environment, no network, no other file. Its
// threads stop after a bounded number of steps, and when they use too much
// memory or print too much.
package mission
