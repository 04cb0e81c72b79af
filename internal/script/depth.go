package script

import (
	"iter"

	"go.starlark.net/starlark"
)

// maxNested is how many levels of values may be nested in one another. The interpreter walks
// values by recursion in many places (str, print, %, hash, the freezing of a module), and Go
// ends a program whose stack overflows, without a word to anybody. So no script gets as far.
// What read_json returns is nested no deeper, either.
const maxNested = 10_000

// census measures how deeply values are nested. Values share what they hold, so what was
// found out about a container is kept, or looking would take for ever.
type census struct {
	known map[any]int // how many levels a container has; 0 while it is being looked at: it may hold itself
	seen  int         // how many values were looked at
}

// nested reports whether a value that a thread can reach, in the variables of its calls and
// of their files, is nested too deeply, and how many values it has looked at. It is for
// the interpreter's own goroutine.
func nested(thread *starlark.Thread) (tooDeep bool, seen int) {
	c := census{known: map[any]int{}}
	modules := map[*starlark.Module]bool{}
	for i := range thread.CallStackDepth() {
		frame := thread.DebugFrame(i)
		for j := range frame.NumLocals() {
			if _, value := frame.Local(j); c.depth(value, 0) > maxNested {
				return true, c.seen
			}
		}
		if c.depth(frame.Callable(), 0) > maxNested {
			return true, c.seen
		}
		f, ok := frame.Callable().(*starlark.Function)
		if !ok || modules[f.Module()] {
			continue
		}
		modules[f.Module()] = true
		for _, value := range f.Globals() {
			if c.depth(value, 0) > maxNested {
				return true, c.seen
			}
		}
	}
	return false, c.seen
}

// depth returns how many levels deep a value goes that is itself nested in above others. It
// looks no further than makes it too deep.
func (c *census) depth(v starlark.Value, above int) int {
	c.seen++
	identity, each := parts(v)
	if each == nil || above > maxNested {
		return above
	}
	below, known := c.known[identity]
	if known {
		return above + below
	}
	c.known[identity] = 0
	most, before := above+1, c.seen
	for part := range each {
		if most = max(most, c.depth(part, above+1)); most > maxNested {
			break
		}
	}
	if c.known[identity] = most - above; most == above+1 && c.seen-before < small {
		delete(c.known, identity)
	}
	return most
}

// small is below how many values a flat container is looked at again rather than kept:
// that is faster.
const small = 16

// fields is a value with fields: a struct, and what builtins return.
type fields interface {
	starlark.HasAttrs
	ToStringDict(starlark.StringDict)
}

// tuple identifies a tuple, which is no pointer: by where its items are.
type tuple struct {
	first  *starlark.Value
	length int
}

// parts returns what identifies a container, and what it holds. Both are nil for a value
// that holds nothing.
func parts(v starlark.Value) (identity any, each iter.Seq[starlark.Value]) {
	switch v := v.(type) {
	case starlark.Tuple:
		if len(v) > 0 {
			return tuple{&v[0], len(v)}, v.Elements()
		}
	case *starlark.List:
		return v, v.Elements()
	case *starlark.Set:
		return v, v.Elements()
	case *starlark.Dict:
		return v, entriesOf(v)
	case *starlark.Builtin: // a method holds its owner
		if owner := v.Receiver(); owner != nil {
			return v, func(look func(starlark.Value) bool) { look(owner) }
		}
	case *starlark.Function:
		return v, capturedBy(v)
	case fields:
		return v, fieldsOf(v)
	}
	return nil, nil
}

func entriesOf(d *starlark.Dict) iter.Seq[starlark.Value] {
	return func(look func(starlark.Value) bool) {
		for key, value := range d.Entries() {
			if !look(key) || !look(value) {
				return
			}
		}
	}
}

// capturedBy goes through what a function keeps: the defaults of its parameters, and the
// variables of the functions around it.
func capturedBy(f *starlark.Function) iter.Seq[starlark.Value] {
	return func(look func(starlark.Value) bool) {
		for i := range f.NumParams() {
			if value := f.ParamDefault(i); value != nil && !look(value) {
				return
			}
		}
		for i := range f.NumFreeVars() {
			if _, value := f.FreeVar(i); value != nil && !look(value) {
				return
			}
		}
	}
}

func fieldsOf(v fields) iter.Seq[starlark.Value] {
	return func(look func(starlark.Value) bool) {
		for _, name := range v.AttrNames() {
			if part, err := v.Attr(name); err == nil && !look(part) {
				return
			}
		}
	}
}
