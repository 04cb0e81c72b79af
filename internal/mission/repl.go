package mission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
)

// Repl is a prompt at which statements act on a mission's machines, one after the
// other, with the mission's own names. It is for one goroutine.
type Repl struct {
	names  starlark.StringDict // the script's, the builtins, and what was assigned since
	events *event.Log
	boot   string   // the statement that begins every step of this lab
	next   string   // a line that was read to see that a block had ended
	done   []string // the statements that passed since the last save
}

// Repl begins a prompt on the given lab. The mission is not run besides.
func (m *Mission) Repl(l *lab.Lab, events *event.Log) *Repl {
	m.session.Act(l, events)
	r := &Repl{names: m.session.Predeclared(), events: events}
	var machines []string
	for name, value := range m.names() {
		r.names[name] = value
		if value.Type() == string(builtins.Machine) {
			machines = append(machines, name)
		}
	}
	if slices.Sort(machines); len(machines) > 0 {
		r.boot = "boot(" + strings.Join(machines, ", ") + ")"
	}
	return r
}

// names are those of the script's top level: its own, and those that it has loaded.
func (m *Mission) names() starlark.StringDict {
	names := maps.Clone(m.modules[m.name].globals)
	main := m.sources[0] // the first that is executed
	tree, err := (&syntax.FileOptions{}).Parse(main.shown, main.text, 0)
	if err != nil {
		return names // it has been executed, so there is none
	}
	for _, stmt := range tree.Stmts {
		load, ok := stmt.(*syntax.LoadStmt)
		if !ok {
			continue
		}
		if target, err := within(m.name, load.ModuleName()); err == nil {
			for k, to := range load.To {
				names[to.Name] = m.modules[target].globals[load.From[k].Name]
			}
		}
	}
	return names
}

// ErrNothing says that there is nothing to save.
var ErrNothing = errors.New("nothing has passed yet that could be saved")

// Eval reads one statement, which may have several lines, and carries it out.
// readLine returns lines with their newline, or an error, which ends the reading:
// io.EOF where there is no more. It returns the value of an expression as a script
// would write it, empty for None and for all else. Errors of the statement are an
// *Error; those of readLine are returned as they are.
func (r *Repl) Eval(ctx context.Context, readLine func() ([]byte, error)) (value string, err error) {
	var text strings.Builder
	var ended error
	options := &syntax.FileOptions{TopLevelControl: true, GlobalReassign: true}
	lines, last := 0, ""
	file, err := options.ParseCompoundStmt("repl", func() (line []byte, err error) {
		if line, r.next = []byte(r.next), ""; len(line) == 0 {
			line, err = readLine()
		}
		ended = err
		text.Write(line)
		lines, last = lines+1, string(line)
		return line, err
	})
	if ended != nil && (!errors.Is(ended, io.EOF) || strings.TrimSpace(text.String()) == "") {
		return "", ended
	}
	if err != nil {
		return "", Classify(ctx, err)
	}
	if len(file.Stmts) == 0 {
		return "", nil
	}
	statement := strings.TrimRight(text.String(), "\n")
	if _, end := file.Stmts[len(file.Stmts)-1].Span(); int(end.Line) < lines && strings.TrimSpace(last) != "" {
		r.next = last // the parser has seen by it that the block was over
		statement = strings.TrimRight(strings.TrimSuffix(text.String(), last), "\n")
	}
	thread := newThread(ctx, "repl", func(text string) { r.events.Emit(event.Said{Text: text}) })
	defer thread.release()
	thread.Load = func(*starlark.Thread, string) (starlark.StringDict, error) {
		return nil, errors.New("load what you need in the mission's file, and begin again")
	}
	var result starlark.Value = starlark.None
	if stmt, ok := file.Stmts[0].(*syntax.ExprStmt); ok && len(file.Stmts) == 1 {
		result, err = starlark.EvalExprOptions(options, thread.Thread, stmt.X, r.names)
	} else {
		err = starlark.ExecREPLChunk(file, thread.Thread, r.names)
	}
	if err = thread.reason(err); err != nil {
		return "", Classify(ctx, err)
	}
	r.done = append(r.done, statement)
	if result == starlark.None {
		return "", nil
	}
	return result.String(), nil
}

// Step returns the statements that have passed as a step of a script, and forgets
// them.
func (r *Repl) Step(name string) (string, error) {
	if len(r.done) == 0 {
		return "", ErrNothing
	}
	title := strings.ReplaceAll(name, "_", " ")
	var b strings.Builder
	fmt.Fprintf(&b, "\ndef %s():\n    \"\"\"%s%s\"\"\"\n", name, strings.ToUpper(title[:1]), title[1:])
	statements := r.done
	if r.boot != "" {
		statements = append([]string{r.boot}, r.done...)
	}
	for _, statement := range statements {
		b.WriteString(indented(statement))
	}
	fmt.Fprintf(&b, "\nstep(%s)\n", name)
	r.done = nil
	return b.String(), nil
}

// indented is a statement as it stands in a function. The lines of a text in it stay
// as they are.
func indented(statement string) string {
	tokens := scan(statement)
	var b strings.Builder
	at := 0
	for line := range strings.Lines(statement + "\n") {
		inText := slices.ContainsFunc(tokens, func(t token) bool { return t.kind == stringToken && t.from < at && at < t.to })
		if !inText && strings.TrimSpace(line) != "" {
			b.WriteString("    ")
		}
		b.WriteString(line)
		at += len(line)
	}
	return b.String()
}

// Complete returns what the end of a line may go on with: names, the fields of a
// value, and in a builtin's call its parameters. Begun is how many bytes of it are
// there already.
func (r *Repl) Complete(line string) (offers []string, begun int) {
	start := len(line) - len(lastWord(line))
	word := line[start:]
	if owner, ok := strings.CutSuffix(line[:start], "."); ok {
		if value, ok := r.names[lastWord(owner)]; ok {
			if fields, ok := value.(starlark.HasAttrs); ok {
				offers = fields.AttrNames()
			}
		}
	} else {
		for name := range r.names {
			offers = append(offers, name)
		}
		offers = append(offers, parameters(line[:start])...)
	}
	offers = slices.DeleteFunc(offers, func(o string) bool { return !strings.HasPrefix(o, word) })
	slices.Sort(offers)
	return slices.Compact(offers), len(word)
}

// parameters are those of the builtin whose call a line is in.
func parameters(line string) (names []string) {
	open := strings.LastIndexByte(line, '(')
	if open < 0 || strings.LastIndexByte(line, ')') > open {
		return nil
	}
	called := lastWord(line[:open])
	for _, e := range builtins.Table() {
		if e.Name == called {
			for _, p := range e.Params {
				if !p.Variadic {
					names = append(names, p.Name+" = ")
				}
			}
		}
	}
	return names
}

// lastWord is the identifier that a text ends in.
func lastWord(text string) string {
	return text[strings.LastIndexFunc(text, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})+1:]
}
