// Package lsp owns labrun's side of the Language Server Protocol, by which editors
// ask what a script means while it is being written: its messages, the documents
// that are open, and the counting of characters in UTF-16. What there is to say
// about a script is package mission's.
package lsp
