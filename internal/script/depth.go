package script

import (
	"go.starlark.net/starlark"
)

// mostNested is how deeply values may be nested, as read_json's may. The interpreter walks
// them by recursion in many places (str, print, %, hash, the freezing of a module), and
// Go ends a program whose stack overflows, without a word to anybody. So no script gets
// as far.
const mostNested = 10_000

// census measures how deeply values are nested.
type census struct {
	known map[any]int // depths of containers that hold others; of those being looked at, 0
	seen  int         // values
}

// nested reports whether a value of the thread is nested too deeply, and how many
// values it has looked at. It is for the interpreter's own goroutine.
func nested(thread *starlark.Thread) (tooDeep bool, seen int) {
	c := census{known: map[any]int{}}
	modules := map[*starlark.Module]bool{}
	for i := range thread.CallStackDepth() {
		frame := thread.DebugFrame(i)
		for j := range frame.NumLocals() {
			if _, value := frame.Local(j); c.depth(value, 0) > mostNested {
				return true, c.seen
			}
		}
		if c.depth(frame.Callable(), 0) > mostNested {
			return true, c.seen
		}
		f, ok := frame.Callable().(*starlark.Function)
		if !ok || modules[f.Module()] {
			continue
		}
		modules[f.Module()] = true
		for _, value := range f.Globals() {
			if c.depth(value, 0) > mostNested {
				return true, c.seen
			}
		}
	}
	return false, c.seen
}

// depth returns how many containers are nested in a value, which is nested in above
// others: no more than makes it too deep.
func (c *census) depth(v starlark.Value, above int) int {
	c.seen++
	identity, each := parts(v)
	if each == nil || above > mostNested {
		return above
	}
	below, known := c.known[identity]
	if known {
		return above + below
	}
	c.known[identity] = 0
	most, before := above+1, c.seen
	each(func(part starlark.Value) bool {
		most = max(most, c.depth(part, above+1))
		return most <= mostNested
	})
	if c.known[identity] = most - above; most == above+1 && c.seen-before < small {
		delete(c.known, identity)
	}
	return most
}

// small is how many values are looked at again rather than remembered.
const small = 16

// fields is a struct's; those of builtins have them, too.
type fields interface {
	starlark.HasAttrs
	ToStringDict(starlark.StringDict)
}

// tuple tells tuples apart.
type tuple struct {
	first  *starlark.Value
	length int
}

// parts returns what tells a container from others, and goes through what it holds; nil
// for what holds nothing.
func parts(v starlark.Value) (identity any, each func(look func(starlark.Value) bool)) {
	switch v := v.(type) {
	case starlark.Tuple:
		if len(v) == 0 {
			return nil, nil
		}
		return tuple{&v[0], len(v)}, func(look func(starlark.Value) bool) {
			for _, part := range v {
				if !look(part) {
					return
				}
			}
		}
	case *starlark.List:
		return v, func(look func(starlark.Value) bool) {
			for i := range v.Len() {
				if !look(v.Index(i)) {
					return
				}
			}
		}
	case *starlark.Dict:
		return v, func(look func(starlark.Value) bool) {
			for key, value := range v.Entries() {
				if !look(key) || !look(value) {
					return
				}
			}
		}
	case *starlark.Set:
		return v, func(look func(starlark.Value) bool) {
			for part := range v.Elements() {
				if !look(part) {
					return
				}
			}
		}
	case *starlark.Builtin: // a method that is kept keeps its owner
		if v.Receiver() == nil {
			return nil, nil
		}
		return v, func(look func(starlark.Value) bool) { look(v.Receiver()) }
	case *starlark.Function:
		return v, func(look func(starlark.Value) bool) {
			for i := range v.NumParams() {
				if value := v.ParamDefault(i); value != nil && !look(value) {
					return
				}
			}
			for i := range v.NumFreeVars() {
				if _, value := v.FreeVar(i); value != nil && !look(value) {
					return
				}
			}
		}
	case fields:
		return v, func(look func(starlark.Value) bool) {
			for _, name := range v.AttrNames() {
				if part, err := v.Attr(name); err == nil && !look(part) {
					return
				}
			}
		}
	}
	return nil, nil
}
