package mission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/script"
)

// Repl is a prompt at which statements act on a mission's machines, one after the
// other, with the mission's own names. It is for one goroutine.
type Repl struct {
	names  starlark.StringDict // the script's, the builtins, and what was assigned since
	events *event.Log
	boot   string   // the statement that begins every step of this lab
	done   []string // the statements that passed since they were last forgotten
}

// Repl begins a prompt on the given lab. The mission is not run besides.
func (m *Mission) Repl(l *lab.Lab, events *event.Log) *Repl {
	m.session.Act(l, events)
	r := &Repl{names: m.session.Predeclared(), events: events}
	var machines []string
	for name, value := range m.Names() {
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

// ErrNothing says that there is nothing to save.
var ErrNothing = errors.New("nothing has passed yet that could be saved")

// Lines are what is typed at a prompt, or comes from a file in its place.
type Lines struct {
	// Read returns the next line without its newline, or an error: io.EOF where there
	// is none. More is whether a statement has begun that may go on.
	Read func(more bool) (string, error)

	number int // of lines that were taken
	back   []string
}

// Next takes the next line.
func (l *Lines) Next(more bool) (line string, err error) {
	if n := len(l.back); n > 0 {
		line, l.back = l.back[n-1], l.back[:n-1]
	} else if line, err = l.Read(more); err != nil {
		return "", err
	}
	l.number++
	return line, nil
}

// Back gives back the line that was taken last.
func (l *Lines) Back(line string) {
	l.back = append(l.back, line)
	l.number--
}

// Eval reads one statement, which may have several lines, and carries it out. It
// returns the value of an expression as a script would write it, a screen as it stands, and
// nothing for None and for all else. Errors of the statement are an *Error, whose positions are in the
// lines from their first; those of reading are returned as they are.
func (r *Repl) Eval(ctx context.Context, lines *Lines) (value string, err error) {
	options := &syntax.FileOptions{TopLevelControl: true, GlobalReassign: true}
	first := lines.number + 1
	text, err := statement(options, lines)
	if err != nil {
		return "", err
	}
	portion := syntax.FilePortion{Content: []byte(text), FirstLine: int32(first), FirstCol: 1}
	file, err := options.Parse("repl", portion, 0)
	if err != nil {
		return "", Classify(ctx, err)
	}
	if len(file.Stmts) == 0 {
		return "", nil
	}
	thread := script.NewThread(ctx, "repl", func(text string) { r.events.Emit(event.Said{Text: text}) })
	defer thread.Release()
	thread.Load = func(*starlark.Thread, string) (starlark.StringDict, error) {
		return nil, errors.New("load what you need in the mission's file, and begin again")
	}
	value, err = script.Evaluate(thread, func() (string, error) {
		stmt, ok := file.Stmts[0].(*syntax.ExprStmt)
		if !ok || len(file.Stmts) > 1 {
			return "", starlark.ExecREPLChunk(file, thread.Thread, r.names)
		}
		result, err := starlark.EvalExprOptions(options, thread.Thread, stmt.X, r.names)
		if err != nil || result == starlark.None {
			return "", err
		}
		if text, ok := starlark.AsString(result); ok && calls(stmt.X, "screen") {
			return text, nil // rows are read better below each other
		}
		return result.String(), nil
	})
	if err != nil {
		return "", Classify(ctx, err)
	}
	r.done = append(r.done, strings.TrimRight(text, "\n"))
	return value, nil
}

// calls reports whether an expression is a call of a builtin.
func calls(x syntax.Expr, name string) bool {
	call, ok := x.(*syntax.CallExpr)
	if !ok {
		return false
	}
	called, ok := call.Fn.(*syntax.Ident)
	return ok && called.Name == name
}

// statement reads the lines of one statement, or as many as it takes to see that they
// are none. Where a block ends, only the line after it tells, which is given back.
func statement(options *syntax.FileOptions, lines *Lines) (string, error) {
	var taken []string
	var parsed []int // which of them the parser was given
	var ended error
	file, err := options.ParseCompoundStmt("repl", func() ([]byte, error) {
		for {
			line, err := lines.Next(len(taken) > 0)
			if err != nil {
				ended = err
				return nil, err
			}
			taken = append(taken, line+"\n")
			// The parser takes a comment in a block for its end. What is carried out is
			// parsed again, with all of its lines.
			if len(taken) > 1 && strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			parsed = append(parsed, len(taken)-1)
			return []byte(line + "\n"), nil
		}
	})
	if ended != nil && (!errors.Is(ended, io.EOF) || strings.TrimSpace(strings.Join(taken, "")) == "") {
		return "", ended
	}
	if err == nil && len(file.Stmts) > 0 {
		_, end := file.Stmts[len(file.Stmts)-1].Span()
		own := parsed[end.Line-1] + 1
		// What is after it was read to see that the block was over.
		if rest := taken[own:]; strings.TrimSpace(strings.Join(rest, "")) != "" {
			for _, line := range slices.Backward(rest) {
				lines.Back(strings.TrimSuffix(line, "\n"))
			}
			taken = taken[:own]
		}
	}
	return strings.Join(taken, ""), nil
}

// Step returns the statements that have passed as a step of a script.
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
	return b.String(), nil
}

// Forget has the next step begin with what passes from now on.
func (r *Repl) Forget() { r.done = nil }

// indented is a statement as it stands in a function. The lines of a text in it stay
// as they are.
func indented(statement string) string {
	tokens := script.Scan(statement)
	var b strings.Builder
	at := 0
	for line := range strings.Lines(statement + "\n") {
		inText := slices.ContainsFunc(tokens, func(t script.Token) bool {
			return t.Kind == script.StringToken && t.From < at && at < t.To
		})
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
