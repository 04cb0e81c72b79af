// Package analysis looks at scripts without running them: for `labrun check`, for editors,
// and for the reference of the libraries.
//
// A snapshot has the files of a mission's folder as they are now. Each is scanned, parsed
// and resolved (source.go, function.go), and its names become variables, followed from file to
// file (variables.go, snapshot.go). What values they have is inferred as far as it is
// certain (infer.go), and what a step does, in which order, is traced through the functions
// that it calls (trace.go).
//
// Lint applies the rules (rules.go, rules_steps.go) to that. They report only what is
// certain: steps are not followed through conditions, so both branches happen, and a call
// of which nothing is known may boot and check anything. A comment in the script silences a
// rule, if it says why (silence.go).
//
// A Draft is a script that is being written, as an editor asks about it: what could stand
// at the cursor, what a name means, what the outline is. It may be broken at any place. So
// what the cursor is in comes from the tokens before it (cursor.go), and what names mean
// from the script with the broken lines left out (recover.go).
//
// CheckTranslations compares a loaded script's translations with their original.
//
// Nothing here is kept from one question to the next: scripts are short, and a file may
// have changed. A Draft is for one goroutine, all else for any number.
package analysis
