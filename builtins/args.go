package builtins

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/lab"
)

// call is one call of a builtin: its session, its checked arguments, and who carries it
// out, which is labrun itself if it is none of the actors here.
type call struct {
	*Session
	ctx    context.Context
	thread *starlark.Thread
	entry  *Entry
	args   map[string]starlark.Value // absent: not given

	unseen bool // nothing runs: asking for an argument that is not known panics with errUnseen

	led       *Student
	rehearsal *Rehearsal
	looks     *looker // it belongs to a task's check, which looks at what there is now
}

// ArgumentError is a call whose arguments do not fit the builtin.
type ArgumentError struct {
	Argument int  // which one, counted from 0, those given by name last; -1: the call as a whole
	Missing  bool // a parameter is not given
	Mistyped bool // the value is of a wrong type, or out of range
	Want     Kind // of a mistyped one: what its parameter takes
	Item     int  // of a mistyped one of a parameter that takes any number: which of them, counted from 1; else 0

	text string
}

func (e *ArgumentError) Error() string { return e.text }

// bind matches positional and keyword arguments with the entry's parameters and
// checks their types. Its errors begin with the builtin's name.
func bind(e *Entry, positional starlark.Tuple, keywords []starlark.Tuple) (map[string]starlark.Value, error) {
	args, wrong := match(e, positional, keywords)
	if len(wrong) > 0 {
		return nil, wrong[0]
	}
	return args, nil
}

// match is bind, and tells everything that is wrong.
func match(
	e *Entry, positional starlark.Tuple, keywords []starlark.Tuple,
) (map[string]starlark.Value, []*ArgumentError) {
	args, from := map[string]starlark.Value{}, map[string]int{}
	var wrong []*ArgumentError
	refuse := func(refused ArgumentError, format string, values ...any) {
		refused.text = e.Name + ": " + fmt.Sprintf(format, values...)
		wrong = append(wrong, &refused)
	}
	given := 0
	for _, p := range e.Params {
		if p.Keyword {
			break
		}
		if p.Variadic {
			args[p.Name], from[p.Name] = positional[min(given, len(positional)):], given
			given = len(positional)
			break
		}
		if given < len(positional) {
			args[p.Name], from[p.Name] = positional[given], given
			given++
		}
	}
	if given < len(positional) {
		refuse(ArgumentError{Argument: given}, "%d arguments are too many: it is %s", len(positional), e.Signature())
	}
	for i, kv := range keywords {
		name, index := string(kv[0].(starlark.String)), len(positional)+i
		p := e.param(name)
		_, twice := args[name]
		switch {
		case p == nil:
			var names []string
			for _, p := range e.Params {
				names = append(names, p.Name)
			}
			refuse(
				ArgumentError{Argument: index}, "no parameter is called %q%s: it is %s", name,
				Suggest(name, names), e.Signature(),
			)
		case p.Variadic:
			refuse(ArgumentError{Argument: index}, "%s cannot be given by name: it is %s", name, e.Signature())
		case twice:
			refuse(ArgumentError{Argument: index}, "%s is given twice", name)
		default:
			args[name], from[name] = kv[1], index
		}
	}
	for _, p := range e.Params {
		value, ok := args[p.Name]
		switch {
		case !ok && p.Default == "" && !p.Variadic:
			refuse(ArgumentError{Argument: -1, Missing: true}, "%s is missing: it is %s", p.Name, e.Signature())
		case !ok:
		case value == starlark.None && p.Default == "None":
			delete(args, p.Name)
		case p.Variadic:
			for i, v := range value.(starlark.Tuple) {
				if problem := p.Kind.misfit(v); problem != "" {
					refused := ArgumentError{Argument: from[p.Name] + i, Mistyped: true, Want: p.Kind, Item: i + 1}
					refuse(refused, "%s: item %d: %s", p.Name, i+1, problem)
				}
			}
		default:
			if problem := p.Kind.misfit(value); problem != "" {
				refuse(ArgumentError{Argument: from[p.Name], Mistyped: true, Want: p.Kind}, "%s: %s", p.Name, problem)
			}
		}
	}
	return args, wrong
}

func (e *Entry) param(name string) *Param {
	for i := range e.Params {
		if e.Params[i].Name == name {
			return &e.Params[i]
		}
	}
	return nil
}

// misfit says what is wrong with a value for a parameter of this kind; empty if
// nothing is.
func (k Kind) misfit(v starlark.Value) string {
	if some, ok := v.(Some); ok {
		return k.mismatch(some)
	}
	fits := true
	switch k {
	case Machine:
		_, fits = v.(*machine)
	case Network:
		_, fits = v.(*network)
	case Seat:
		_, fits = v.(*seat)
	case Entrance:
		_, fits = v.(stationed)
	case Console:
		_, fits = v.(talker)
	case Subject:
		_, fits = v.(talker)
		if _, ok := v.(starlark.String); ok {
			fits = true
		}
	case Text:
		_, fits = v.(starlark.String)
	case Integer:
		n, ok := v.(starlark.Int)
		if fits = ok; ok {
			if _, err := starlark.AsInt32(n); err != nil {
				return fmt.Sprintf("%s is out of range", n)
			}
		}
	case Boolean:
		_, fits = v.(starlark.Bool)
	case Function:
		_, fits = v.(*starlark.Function)
		if _, ok := v.(*native); ok {
			fits = true
		}
	case Solution:
		switch v.(type) {
		case starlark.String, *starlark.Function, *native:
		default:
			fits = false
		}
	case Duration:
		if _, err := parseDuration(v); err != nil {
			return err.Error()
		}
	case Pattern:
		text, ok := v.(starlark.String)
		if fits = ok; ok {
			if _, err := regexp.Compile(string(text)); err != nil {
				return err.Error()
			}
		}
	case Files:
		dict, ok := v.(*starlark.Dict)
		if fits = ok; !ok {
			break
		}
		for _, item := range dict.Items() {
			if problem := misfitFile(item[0], item[1]); problem != "" {
				return problem
			}
		}
	case Answers:
		return misfitAnswers(v)
	case Values:
		return misfitValues(v)
	case Machines, Texts, Cards:
		items, ok := elements(v)
		if fits = ok; !ok {
			break
		}
		for i, item := range items {
			switch item := item.(type) {
			case *machine:
				ok = k == Machines
			case starlark.String:
				ok = k == Texts
			case *network, *uplink:
				ok = k == Cards
			case Some:
				ok = k.holds(item)
			default:
				ok = false
			}
			if !ok {
				return fmt.Sprintf("want a %s, and item %d is %s", k, i+1, described(item))
			}
		}
	}
	if fits {
		return ""
	}
	return k.unfit(described(v), Kind(v.Type()))
}

// unfit says that a value is not of this kind, and what may have been meant.
func (k Kind) unfit(shown string, given Kind) string {
	problem := fmt.Sprintf("want %s %s, got %s", article(string(k)), k, shown)
	switch {
	case k == Function && given == Text:
		problem += ": write its name without quotation marks"
	case k == Function && given == "builtin_function_or_method":
		problem += ": write a function of your own, which may call it"
	case k == Function:
		problem += ": give the function's name without parentheses, which would call it"
	case k == Machine && given == Seat:
		problem += ": the machine that it is one of is its .machine"
	case given == Result && (k == Text || k == Subject):
		problem += ": what the command printed is its .stdout"
	}
	return problem
}

// described shows a value with its type, shortened.
func described(v starlark.Value) string {
	text := v.String()
	if _, ok := v.(Some); ok {
		return text
	}
	if short := []rune(text); len(short) > 40 {
		text = string(short[:40]) + "…"
	}
	if v == starlark.None || strings.HasPrefix(text, v.Type()+"(") {
		return text
	}
	return v.Type() + " " + text
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an"
	}
	return "a"
}

func elements(v starlark.Value) ([]starlark.Value, bool) {
	switch list := v.(type) {
	case *starlark.List:
		items := make([]starlark.Value, list.Len())
		for i := range items {
			items[i] = list.Index(i)
		}
		return items, true
	case starlark.Tuple:
		return list, true
	}
	return nil, false
}

// longestWait bounds a timeout, so that a slip of the keyboard is not a day.
const longestWait = 24 * time.Hour

func parseDuration(v starlark.Value) (time.Duration, error) {
	var d time.Duration
	switch x := v.(type) {
	case starlark.Int, starlark.Float:
		seconds, _ := starlark.AsFloat(x)
		d = time.Duration(seconds * float64(time.Second))
	case starlark.String:
		parsed, err := time.ParseDuration(string(x))
		if err != nil {
			return 0, fmt.Errorf("%s is no duration: write seconds, or a string such as \"1m30s\"", x)
		}
		d = parsed
	default:
		return 0, fmt.Errorf("want seconds or a string such as \"1m30s\", got %s", described(v))
	}
	if d <= 0 || d > longestWait {
		return 0, fmt.Errorf("%s is out of range: from above 0 to 24 hours", v)
	}
	return d, nil
}

// DurationOf returns the time that a value given for a duration means; false if it
// means none.
func DurationOf(v starlark.Value) (time.Duration, bool) {
	d, err := parseDuration(v)
	return d, err == nil
}

// Suggest returns « (did you mean …?)» with the name nearest to a misspelt one,
// or nothing if none is near.
func Suggest(name string, names []string) string {
	best, least := "", 1+len(name)/3
	for _, candidate := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate)); d <= least {
			best, least = candidate, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// value returns an argument; asking for a parameter that the entry lacks is a
// mistake in this package.
func (c *call) value(name string) (starlark.Value, bool) {
	if c.entry.param(name) == nil {
		panic(c.entry.Name + " has no parameter " + name)
	}
	v, ok := c.args[name]
	if c.unseen && ok && !constant(v) {
		panic(errUnseen)
	}
	return v, ok
}

// given reports whether an argument says anything: it is given, and neither false nor
// empty.
func (c *call) given(name string) bool {
	v, ok := c.value(name)
	return ok && bool(v.Truth())
}

func (c *call) text(name string) string {
	v, ok := c.value(name)
	if !ok {
		text, _ := strconv.Unquote(c.entry.param(name).Default)
		return text
	}
	return string(v.(starlark.String))
}

func (c *call) integer(name string) int {
	v, ok := c.value(name)
	if !ok {
		n, _ := strconv.Atoi(c.entry.param(name).Default)
		return n
	}
	n, _ := starlark.AsInt32(v)
	return n
}

func (c *call) boolean(name string) bool {
	v, ok := c.value(name)
	if !ok {
		return c.entry.param(name).Default == "True"
	}
	return bool(v.(starlark.Bool))
}

func (c *call) duration(name string) time.Duration {
	v, ok := c.value(name)
	if !ok {
		seconds, _ := strconv.ParseFloat(c.entry.param(name).Default, 64)
		return time.Duration(seconds * float64(time.Second))
	}
	d, _ := parseDuration(v) // checked by bind
	return d
}

func (c *call) pattern(name string) *regexp.Regexp {
	v, _ := c.value(name)
	return regexp.MustCompile(string(v.(starlark.String))) // checked by bind
}

func (c *call) machine(name string) *machine {
	v, _ := c.value(name)
	return v.(*machine)
}

func (c *call) talker(name string) talker {
	v, _ := c.value(name)
	return v.(talker)
}

// station is the console of an argument that has one at a machine.
func (c *call) station(name string) lab.Station {
	v, _ := c.value(name)
	return v.(stationed).station(c.Session)
}

// about is the value with a console that the call is about; nil if there is none.
func (c *call) about() talker {
	for _, p := range c.entry.Params {
		if t, ok := c.args[p.Name].(talker); ok && p.Kind.HasConsole() {
			return t
		}
	}
	return nil
}

// played reports whether the call is about a console at which labrun plays somebody.
func (c *call) played() bool {
	t := c.about()
	return t != nil && t.played()
}

// list returns the items of a list or of a variadic parameter.
func (c *call) list(name string) []starlark.Value {
	v, ok := c.value(name)
	if !ok {
		return nil
	}
	items, _ := elements(v)
	return items
}

func (c *call) texts(name string) []string {
	var texts []string
	for _, v := range c.list(name) {
		texts = append(texts, string(v.(starlark.String)))
	}
	return texts
}

// overtime is the end of a call's time. It is a context.DeadlineExceeded.
type overtime time.Duration

func (o overtime) Error() string { return fmt.Sprintf("not within %v", time.Duration(o)) }
func (o overtime) Unwrap() error { return context.DeadlineExceeded }

// within returns the call's context bounded by its timeout argument, which counts the
// time that the host gives to the machines: see lab.Within.
func (c *call) within() (context.Context, context.CancelFunc) {
	limit := c.duration("timeout")
	if r := c.rehearsal; r != nil && r.altered && r.Patience > 0 {
		limit = min(limit, r.Patience)
	}
	return c.lab.Within(c.ctx, limit, overtime(limit))
}
