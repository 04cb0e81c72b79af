// Package host owns what labrun needs of the computer that it runs on and has no
// better place: its user's folders, and the files that its user names.
package host
