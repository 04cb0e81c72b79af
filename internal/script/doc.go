// Package script owns a script as a stranger's program: its files, its text, and its
// interpretation within limits. It is what looking at a script (package analysis) and
// running one (package mission) have in common, so neither needs the other.
//
// Its files. A script sees those of its own folder, and labrun's libraries, which every
// folder seems to have: no environment, no network, no other file. An Overlay is that
// folder, Resolve turns what a load statement says into a path in it, and ReadFile and Clean
// refuse what is no script. Beside the script are its translations (Translation).
//
// Its text. Scan cuts any text into tokens, also one that does not parse. Explain turns
// what the parser, the resolver and the interpreter say into an Error, with places in the
// script and, where a message is terse, with advice for somebody who knows a little Python.
//
// Its interpretation. Everything is evaluated on a Thread, which stops after a bounded
// number of steps, and when the script uses too much memory, nests values too deeply or
// prints too much. The interpreter has two weaknesses that Go cannot catch: it walks values
// by recursion, so values are looked at while a script runs (depth.go), and some of its
// operations have no limit of their own, so those are looked at before (bounds.go).
//
// Load puts this together: it executes a script, in which nothing but declarations work,
// and returns what it declared.
package script
