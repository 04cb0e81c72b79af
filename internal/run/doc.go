// Package run owns a run of a mission, from its start to its end: its lab is laid out,
// what happens is recorded, the steps are played, the lab is taken down, the report is
// written, and the result says whose fault it is that it did not pass. It prints nothing:
// whoever shows a run follows its events.
//
// What outlives a run is in the state folder: the records of the last runs, and how far
// students are.
package run
