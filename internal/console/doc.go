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
// "[   12.345678] …" up to their newline are taken out and the halves of a split word
// meet again. Then what [Options.Noise] adds is taken out, too: the kernel may write into a
// daemon's line, also into the stamp that tells it. Conditions are tried on
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
//
// # Prompts
//
// A prompt is what was seen at the prompt before, and no guess at a whole line. When a
// line is typed at a prompt, its text is learnt. From then on the end of the last line is
// compared with what is known: what stands before a known prompt is output that did not
// end in a newline, and a line that merely looks like a prompt (`Working # `) is output,
// too. Folders, users and hosts change, so a prompt is known as well by its beginning up
// to user and host (root@os25:), and a whole line by being written as a known one is
// (nini@os25:/root$ ), or by differing from the last one in numbers only (a clock). A
// prompt that is nothing but a sign (# ) is known only while it is the last one, and alone
// on its line.
//
// The patterns of [Prompts] decide where nothing can be known: at first, and once a login
// or a password has been entered. Else a line that matches a pattern and is not known may
// be a new prompt (sh, PS1=…) or a pause in a line of output, and only time can tell: it is
// believed after three seconds. That is longer than the pauses that scripts make for effect,
// and a shell of an unknown kind is started seldom. It is learnt when it comes back after
// something was typed at it; a person who does not wait need not wait then either. A
// password prompt says little, so it is believed like that, except after a login name and
// where it says whose (root@10.254.0.2's password: ).
//
// A pause that is longer than that is taken for a prompt, and what is typed then was typed
// ahead. So the next prompt may be the other command's: it is believed after a second, in
// which a shell that has more to read shows it. The output of what was typed ahead begins
// after that prompt, and after the line itself where the shell's editor prints it again.
// Outputs belong to the line that was typed, whatever was believed.
//
// # Asides
//
// Where there is no other way to a guest, labrun speaks to its shell on its console in an
// [Aside]: what is said there is on no console, and the console is afterwards as it was.
package console
