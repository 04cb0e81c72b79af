// Package handin owns the one file that a student hands in: what it says of itself (the
// [Claim]), the events of the runs that it rests on, what typed keys included, and what the
// consoles have shown.
//
// It is a zip archive of a few kinds of files and no others:
//
//	claim.json              what it says of itself, with the digest of every other file
//	claim.sig               if it was signed: an ed25519 signature over claim.json, in base64
//	events/N.jsonl          the events of run N, counted from 1
//	consoles/N/NAME.cast    what a console of that run has shown, as an asciicast
//
// The events are a chain: the hash of a line is made of the line and the hash of the one before
// it, from the first line of the first run to the last of the last one, so that none can be
// left out, put in or changed without another head. Whoever owns the file can make all of that
// anew, the head too. What proves who made it is the signature, where labrun ran with a key that
// its student cannot read; what proves that the work was done is to play it again (package
// replay).
//
// A file may come from anybody. [Open] reads it within [Limits], from where it lies: nothing of
// it is ever unpacked.
package handin
