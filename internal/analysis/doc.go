// Package analysis looks at scripts without running them: for `labrun check`, for editors,
// for the reference of the libraries.
//
// A script is parsed and resolved as text; what its names stand for, what values are known
// of, and what a step does in which order is inferred from that. Lint reports what is
// certain: it follows steps through the functions that they call, not through conditions,
// and a call of which it knows nothing may do anything.
//
// A Draft is a script that is being written, as editors ask about it: it may be broken at
// any place, so what the cursor is in comes from its tokens, and what a name stands for
// from the script with the broken lines left out.
//
// CheckTranslations compares a script's translations with their original.
package analysis
