// Package handin owns what a student hands in: the one file, and the verdict on it that
// playing it again comes to.
package handin
