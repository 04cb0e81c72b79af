// Package grade owns how submissions are graded: which there are, playing each again in a
// process of its own, here or on a cluster, what points that comes to, and the files that
// tell it: to gradebooks, to programs, to the students.
//
// A Plan says what is to be done. It is a file, so that who carries out a part of it on
// another computer (a task of an array job) needs nothing else. Each submission's result is
// a file of its own, named by all that it depends on. So whatever is killed, what was
// judged stays, and the next grading goes on from there.
package grade
