// Package console owns the byte stream of a guest's serial port: it drains it
// without pause, turns it into text, and lets callers wait for text, regular
// expressions and prompts with a cursor that moves to the end of each match.
//
// # Text
//
// What a guest prints is cleaned for matching; the raw bytes go to the
// transcript and to watchers. Escape sequences (CSI, OSC, DCS, character sets)
// vanish, also when reads split them. A query such as ESC[6n or ESC[c is not
// answered: BusyBox ash sends one before each prompt and goes on without an
// answer, and an answer would land in whatever reads the terminal next.
// CR LF, and a run of CRs before LF, is one newline. A CR alone starts a new
// line too, unless the line is still empty: a progress bar becomes a line for
// each of its states, and a redrawn prompt is a line of its own. A backspace
// takes back one character of its line, at most 1,024 of them. NUL and the other
// controls but tab vanish, and bytes that are no UTF-8 become U+FFFD.
//
// # Two views
//
// The kernel prints its log whenever it likes, also inside a prompt or a word.
// So the text is kept twice: in full, and quiet, where runs that look like
// "[   12.345678] …" up to their newline (and what [Options.Noise] adds) are
// taken out and the halves of a split word meet again. Conditions are tried on
// both; the one that holds first in the order of arrival wins, and in a tie the
// quiet one.
//
// # Regular expressions
//
// They run as a lazily built automaton that sees each character once, so that
// a wait costs time linear in the output. For ^ and \b the text begins at the
// cursor. A match that could still grow (`inet (\S+)` on half an address) counts
// once what follows ends it, or after 30 ms without a byte; then the end of
// what has arrived also satisfies $.
package console
