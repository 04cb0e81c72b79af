// Package pack owns how folders of challenges are read, as authors of shell labs write
// them: each challenge with scripts that set it up and check it, a text, hints, an answer
// and wrong answers. It knows three forms: plain folders (see plain.go), scenarios of
// Killercoda and tracks of Instruqt. It also says what a check's output means, and what
// has to be carried into a machine for one of the scripts to run there.
//
// It runs nothing and knows no mission: a folder goes in, challenges come out. Where a
// folder leaves no doubt it is tolerant, for nobody should have to change their scripts;
// where it does, the error names the file and the line. What such a pack relies on and a
// lab has not (the internet, somebody else's image) is a note, with its place.
package pack
