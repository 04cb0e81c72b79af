package builtins

import "strings"

// Effect is what a builtin does, to the lab and to its reader: a set of the effects
// below. Everything that has to know it reads it here: what a task's check may call,
// what a trial tries, what the lint follows, what the documentation says.
type Effect uint

// The effects.
const (
	Declares Effect = 1 << iota // says what the mission consists of
	Knows                       // answers from what labrun knows: no machine need be on
	Looks                       // at the lab, and leaves it as it is
	Waits                       // until the lab has come to something, and fails if it does not
	Checks                      // fails if what was done is not right
	Talks                       // with a console: types, or goes on after what it says
	Starts                      // machines
	Stops                       // machines
	Changes                     // a machine, behind its console
	Runs                        // a command of the script's on a machine: what that does, nobody can know
	Opens                       // a shell on the host
	Tells                       // the reader something, or asks
)

// lookingOn is what leaves a lab as it is. A command that Runs is trusted to.
const lookingOn = Knows | Looks | Waits | Checks | Runs

// effectWords are the effects in words, in the order of their bits.
var effectWords = []string{
	"declares", "knows", "looks", "waits", "checks", "talks", "starts", "stops", "changes", "runs", "opens", "tells",
}

// Has reports whether all the effects of another set are among these.
func (e Effect) Has(other Effect) bool { return e&other == other }

// String lists the effects: «waits, talks».
func (e Effect) String() string {
	var words []string
	for bit, word := range effectWords {
		if e.Has(1 << bit) {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

// Purpose is what a parameter's value is for, where more has to know it than the
// builtin itself.
type Purpose int

// The purposes.
const (
	ForBuiltin  Purpose = iota // nobody else
	ForReader                  // a text that is shown to the reader, in their language
	ForHint                    // likewise, and what helps one who is stuck
	ForConsole                 // a line that is typed
	ForMistakes                // lines that are typed to see that they do not do
	ForSolution                // labrun's own way to a task's goal, which no student goes
	ForCheck                   // a look at a task's goal, made again and again
	ForSetup                   // what labrun does before a challenge, which no student sees
)

// Read reports whether the reader sees the value, so that it is translated.
func (p Purpose) Read() bool { return p == ForReader || p == ForHint }

// Looks reports whether the builtin leaves the lab as it is, so that a task's check may
// call it.
func (e Entry) Looks() bool { return e.Effect&^lookingOn == 0 }

// For returns the parameter that has a purpose; nil if none has.
func (e Entry) For(p Purpose) *Param {
	for i := range e.Params {
		if e.Params[i].For == p {
			return &e.Params[i]
		}
	}
	return nil
}
