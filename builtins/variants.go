package builtins

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/course"
)

// Variant is what a script has drawn for whoever plays.
type Variant struct {
	Name   string
	Value  string // as it stands in a text
	Secret bool
}

func variants() []Entry {
	const group = "Drawing for each student"
	name := Param{Name: "name", Kind: Text, Doc: "small letters, digits and `_`; texts for the reader have the value as `{name}`"}
	return []Entry{{
		Name:   "variant",
		Group:  group,
		Phase:  Declaring,
		Effect: Declares,
		call:   declareVariant,
		Params: []Param{
			name, {Name: "values", Kind: Values, Doc: "strings or whole numbers, one of which it is"},
		},
		Result:  Anything,
		Returns: "one of the values",
		Summary: "draw one of several values for the student who plays",
		Detail: "It is drawn of the student's ID (`--student`), the course's key (`--course-key`), the mission's name and this one, so it is the same each time. " +
			"In a narration, a task, a hint and all else that the reader sees, and in translations of it, `{port}` stands for the value of `variant(\"port\", …)`. " +
			"`labrun test --variants 20` proves that other draws can be solved, too: [authoring.md](authoring.md#another-one-for-each-student).",
		Example: `port = variant("port", range(8000, 9000))`,
	}, {
		Name:    "secret",
		Group:   group,
		Phase:   Declaring,
		Effect:  Declares,
		call:    declareSecret,
		Params:  []Param{name},
		Result:  Text,
		Returns: "string: 20 small letters and digits, none of which is taken for another one",
		Summary: "draw a text that the student who plays has to find",
		Detail: "It is drawn as `variant` draws, and another one for each student. What labrun itself records has its name in its place, `{flag}`. " +
			"Who can read the course's key can work it out.",
		Example: `flag = secret("flag")

def hide_the_flag():
    write_file(debian, "/root/flag", flag + "\n")`,
	}}
}

// DrawFor says who plays, and which mission: of nobody and nothing in particular, until it
// is called.
func (s *Session) DrawFor(who course.Student, mission string) { s.who, s.mission = who, mission }

var variantName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// newVariant is the name that a call draws for.
func (c *call) newVariant() (string, error) {
	name := c.text("name")
	if !variantName.MatchString(name) {
		return "", fmt.Errorf("%s: name %q: want small letters, digits and _, a letter first, 31 at most", c.entry.Name, name)
	}
	if slices.ContainsFunc(c.declared.Variants, func(v Variant) bool { return v.Name == name }) {
		return "", fmt.Errorf("%s: name %q is drawn already", c.entry.Name, name)
	}
	return name, nil
}

func declareVariant(c *call) (starlark.Value, error) {
	name, err := c.newVariant()
	if err != nil {
		return nil, err
	}
	given, _ := c.value("values")
	values := given.(starlark.Indexable) // checked by bind
	value := values.Index(c.who.Draw(c.mission, name, values.Len()))
	text, ok := starlark.AsString(value)
	if !ok {
		text = value.String()
	}
	c.declared.Variants = append(c.declared.Variants, Variant{Name: name, Value: text})
	return value, nil
}

func declareSecret(c *call) (starlark.Value, error) {
	name, err := c.newVariant()
	if err != nil {
		return nil, err
	}
	text := c.who.Secret(c.mission, name)
	c.declared.Variants = append(c.declared.Variants, Variant{Name: name, Value: text, Secret: true})
	return starlark.String(text), nil
}

// misfitValues says why one cannot be drawn of a value; empty if one can.
func misfitValues(v starlark.Value) string {
	values, ok := v.(starlark.Indexable)
	if _, isText := v.(starlark.String); !ok || isText || v.Type() == "bytes" {
		return Values.unfit(described(v), Kind(v.Type()))
	}
	if values.Len() == 0 {
		return "it is empty: there is nothing to draw"
	}
	if v.Type() == "range" {
		return "" // of numbers, perhaps of very many
	}
	for i := range values.Len() {
		switch item := values.Index(i).(type) {
		case starlark.String, starlark.Int:
		case Some:
			if Text.mismatch(item) != "" && Integer.mismatch(item) != "" {
				return fmt.Sprintf("want strings or whole numbers, and item %d is %s", i+1, described(item))
			}
		default:
			return fmt.Sprintf("want strings or whole numbers, and item %d is %s", i+1, described(item))
		}
	}
	return ""
}

// placeholder is a place in a text for the reader where a variant's value may be meant; with
// a `$` before it is the shell's.
var placeholder = regexp.MustCompile(`\$?\{[a-z][a-z0-9_]*\}`)

// Placeholders are the names in braces in a text for the reader, each with its offsets.
func Placeholders(text string) (names []string, at [][]int) {
	for _, found := range placeholder.FindAllStringIndex(text, -1) {
		if text[found[0]] != '$' {
			names, at = append(names, text[found[0]+1:found[1]-1]), append(at, found)
		}
	}
	return names, at
}

// Fill puts what was drawn into a text: {port} becomes the value of the variant port. All
// else stays as it is.
func Fill(text string, drawn []Variant) string {
	if len(drawn) == 0 {
		return text
	}
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		for _, v := range drawn {
			if found == "{"+v.Name+"}" {
				return v.Value
			}
		}
		return found
	})
}

// variable is what a pack's scripts find a variant's value in.
func (v Variant) variable() string { return "LABRUN_" + strings.ToUpper(v.Name) }

// variables are those of a pack's scripts, each with its value.
func (s *Session) variables() (all []string) {
	for _, v := range s.declared.Variants {
		all = append(all, v.variable()+"="+v.Value)
	}
	return all
}

var variable = regexp.MustCompile(`\$(LABRUN_[A-Z0-9_]+|\{LABRUN_[A-Z0-9_]+\})`)

// expand puts the values of those variables into a text that is typed at a console, whose
// shell does not have them.
func (s *Session) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		for _, v := range s.declared.Variants {
			if strings.Trim(found, "${}") == v.variable() {
				return v.Value
			}
		}
		return found
	})
}

// veil has a text say of each secret only what it is called: for what labrun records and
// says by itself.
func (s *Session) veil(text string) string {
	for _, v := range s.declared.Variants {
		if v.Secret {
			text = strings.ReplaceAll(text, v.Value, "{"+v.Name+"}")
		}
	}
	return text
}

// veiled is an error in whose text secrets are not told.
type veiled struct {
	error
	text string
}

func (e *veiled) Error() string { return e.text }
func (e *veiled) Unwrap() error { return e.error }

// veilError is veil for an error.
func (s *Session) veilError(err error) error {
	var check *CheckError
	if errors.As(err, &check) {
		check.Message = s.veil(check.Message)
	}
	text := err.Error()
	if told := s.veil(text); told != text {
		return &veiled{err, told}
	}
	return err
}
