package builtins

import "go.starlark.net/starlark"

// Kind is the type of a parameter, in the words of the documentation.
type Kind string

// The kinds of parameters.
const (
	Machine   Kind = "machine"
	Machines  Kind = "list of machines"
	Seat      Kind = "console" // one of a machine's, besides its own
	Entrance  Kind = "machine or console"
	Console   Kind = "machine, console or terminal"
	Text      Kind = "string"
	Texts     Kind = "list of strings"
	Answers   Kind = "list of answers" // each a string or a function, or a tuple: that, and why it must fail
	Integer   Kind = "int"
	Boolean   Kind = "bool"
	Duration  Kind = "seconds" // an int, a float, or a string such as "1m30s"
	Pattern   Kind = "regular expression"
	Network   Kind = "network"
	Cards     Kind = "list of networks and uplinks"
	Files     Kind = "dict of paths"
	Values    Kind = "list or range"
	Function  Kind = "function"
	Solution  Kind = "string or function"
	Subject   Kind = "machine, console, terminal or string"
	Anything  Kind = "any value"
	Condition Kind = "bool or any value"
)

// Param is one parameter of a builtin.
type Param struct {
	Name     string
	Kind     Kind
	Default  string // as it is written in a script; empty: the parameter is required
	Variadic bool   // takes all remaining positional arguments
	Keyword  bool   // can be given by name only
	For      Purpose
	Doc      string
}

// Phase says when a builtin may be called.
type Phase int

// The phases of a mission.
const (
	Declaring Phase = iota // while the script is loaded
	Acting                 // inside a step
	Always
)

// Entry describes one builtin completely.
type Entry struct {
	Name    string
	Group   string // heading in the documentation
	Phase   Phase
	Effect  Effect // never none
	Demands string // the parameter that, where it is given, makes it fail unless the lab, or an answer, is right; empty: none
	Params  []Param
	Result  Kind   // of the value it returns; empty: None
	Returns string // the same in words
	Summary string // one line
	Detail  string // Markdown
	Example string // lines of a script

	call func(*call) (starlark.Value, error)
	lead func(*call) (starlark.Value, error) // in guided mode: has the student do it; nil: labrun does
	asks string                              // what lead asks for, in the words of a run's records; empty: its name says it
	try  func(*call) (starlark.Value, error) // in a trial: an instruction, which may be done in another way; nil: it is none

	verify func(*call) error // what must hold of several arguments together; nil: nothing
}

// Signature renders the entry as a script would define it.
func (e Entry) Signature() string {
	text, star := e.Name+"(", false
	for i, p := range e.Params {
		if i > 0 {
			text += ", "
		}
		if p.Keyword && !star {
			star = true
			text += "*, "
		}
		switch {
		case p.Variadic:
			star = true
			text += "*" + p.Name
		case p.Default != "":
			text += p.Name + " = " + p.Default
		default:
			text += p.Name
		}
	}
	return text + ")"
}

// Table returns every builtin, in the order of the documentation.
func Table() []Entry {
	var all []Entry
	for _, group := range [][]Entry{
		declarations(), variants(), consoles(), packs(), power(), typing(), screens(), checks(), tasks(), kernels(), channel(), networks(), dialogue(), computer(),
	} {
		all = append(all, group...)
	}
	return all
}

// Names returns the names of all builtins.
func Names() []string {
	var names []string
	for _, e := range Table() {
		names = append(names, e.Name)
	}
	return names
}

// Parameters that several builtins share.
var (
	hint = Param{
		Name:    "hint",
		Kind:    Text,
		Default: `""`,
		Keyword: true,
		For:     ForHint,
		Doc:     "what to tell the reader if the check fails",
	}
	on = Param{Name: "on", Kind: Console, Doc: "a machine, a console of one, or a terminal of the host"}
	m  = Param{Name: "machine", Kind: Machine, Doc: "a machine of this mission"}
)

func timeout(seconds string) Param {
	return Param{Name: "timeout", Kind: Duration, Default: seconds, Keyword: true,
		Doc: "how long to wait: seconds, or a string such as `\"2m\"`"}
}
