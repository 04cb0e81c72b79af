package script

import (
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/builtins"
)

// advice is what to do about messages of the parser and the resolver that are too terse for
// somebody who knows a little Python. It is for messages with that prefix and that suffix;
// the first that fits is used.
var advice = []struct{ prefix, suffix, text string }{
	{
		"got indent", "",
		"this line is further to the right than the block it belongs to (a tab goes to the next multiple of 8)",
	},
	{"", "want indent", "a block is missing here: indent it, or write pass"},
	{
		"got string literal", "",
		"a comma or a bracket is missing before it; f-strings are Python's alone: write \"%s\" % name",
	},
	{
		"got import", "",
		"there is no import: everything is here already, and load(\"./file.star\", \"name\") takes names from a file",
	},
	{
		"got try", "",
		"there are no exceptions: a check that fails ends the step, and run(…).status tells whether a command worked",
	},
	{"got raise", "", "there are no exceptions: fail(\"why\") ends the step"},
	{"got class", "", "there are no classes: functions and dicts do"},
	{"got with", "", "there is no with: write_file and read_file open nothing that has to be closed"},
	{"got is", "", "there is no is: write =="},
	{"conditional expression without else clause", "", "write … if … else …; and there is no is: write =="},
	{"invalid escape sequence", "", "write two backslashes, or r\"…\" for a text in which they stand for themselves"},
	{"not an identifier", "", "after a dot comes the name of a field or method"},
	{"got end of file", "", "a bracket is not closed"},
	{"", "want ','", "a comma is missing here, or a bracket above is not closed"},
	{"", "want ')'", "a comma is missing here, or a bracket above is not closed"},
	{"unexpected newline in string", "", "its closing quotation mark is missing"},
	{"unexpected EOF in string", "", "its closing quotation marks are missing"},
	{
		"", "does not support while loops",
		"for i in range(100) with break is one that ends; builtins wait by themselves",
	},
	{"for loop not within a function", "", "put it into a function, or write [… for … in …]"},
	{"if statement not within a function", "", "put it into a function, or write … if … else …"},
}

// Advise adds to a message of the parser or the resolver what its reader can do.
func Advise(message string) string {
	if name, ok := strings.CutPrefix(message, "undefined: "); ok && !strings.Contains(name, " ") {
		names := builtins.Names()
		for universal := range starlark.Universe {
			names = append(names, universal)
		}
		slices.Sort(names)
		return message + builtins.Suggest(name, names)
	}
	for _, a := range advice {
		if strings.HasPrefix(message, a.prefix) && strings.HasSuffix(message, a.suffix) {
			return message + ": " + a.text
		}
	}
	return message
}
