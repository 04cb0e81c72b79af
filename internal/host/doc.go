// Package host owns what labrun needs of the computer that it runs on and has no
// better place: its user's folders, the files that its user names, and what its
// processors have done.
package host
