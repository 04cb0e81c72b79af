// Package builtins owns what a mission script can call: the Starlark functions,
// their arguments and their values. Only adapters live here: they check
// arguments, call down to package lab, and convert what comes back.
//
// Every function is one entry of a table (see Table), which feeds the argument
// checking, `labrun doc`, docs/builtins.md and the suggestions for misspelt
// names alike, so that none of them can be out of date.
//
// A function either declares or acts. Declarations (machine, network, step …)
// are made while a script is loaded; nothing runs then. Actions are allowed only
// inside a step.
package builtins
