// Package script owns a script as a stranger's program: its files, its text and its
// interpretation within limits.
//
//   - Its files. A script sees those of its own folder, and labrun's libraries, which
//     every folder seems to have (Overlay, Resolve, ReadFile): no environment, no network,
//     no other file. Beside it are its translations (Translation).
//   - Its text. Scan cuts any text into tokens, also one that does not parse. Explain turns
//     what the parser, the resolver and the interpreter say into an Error with its place
//     and with advice.
//   - Its interpretation. A Thread stops after a bounded number of steps, and when it uses
//     too much memory, nests values too deeply, or prints too much.
//
// Load puts them together: it runs a script that only declares. What else is done with a
// script needs only this: package analysis looks at it, package mission plays it.
package script
