package analysis

import (
	"slices"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

// declaredStep is a call of step, or of challenge, with the function that it names.
type declaredStep struct {
	home    *sourceFile // where the function is
	builtin builtins.Entry
	call    *syntax.CallExpr
	in      *sourceFile // where the call is
	def     *syntax.DefStmt

	calls []tracedCall // what its set-up and the function call, in order: see tracer
}

// declaresStep reports whether a builtin declares a step.
func declaresStep(name string) bool { return name == "step" || name == "challenge" }

// tracedCall is a call of a builtin that a step makes, itself or in the functions that it
// calls.
type tracedCall struct {
	builtin *builtins.Entry // nil: a call of which nothing is known, which may do anything
	call    *syntax.CallExpr
	home    *sourceFile // where the call is

	// By parameter, the declarations of the machines that it is given; nil: not known which.
	machines map[string][]*syntax.CallExpr

	unconditional bool          // made whenever the step is
	inSolution    bool          // in the solution of a task: no student does it
	inCheck       bool          // in the check of a task
	inSetup       bool          // in the set-up of a challenge: no student does it, either
	loops         []syntax.Node // around it
}

// does reports whether a call has all of some effects.
func (a tracedCall) does(effects builtins.Effect) bool {
	return a.builtin != nil && a.builtin.Effect.Has(effects)
}

// findSteps finds the steps that a file and those that it loads declare, in order.
func (n *linter) findSteps(s *sourceFile, seen map[*sourceFile]bool) {
	if seen[s] || s.tree == nil {
		n.complete = n.complete && s.tree != nil
		return
	}
	seen[s] = true
	followed := map[*syntax.CallExpr]bool{}
	for _, stmt := range s.tree.Stmts {
		if load, ok := stmt.(*syntax.LoadStmt); ok {
			if other, err := n.target(s, load); err == nil {
				n.findSteps(other, seen)
			} else {
				n.complete = false
			}
		} else if call, e, ok := n.statementCall(stmt); ok && declaresStep(e.Name) {
			followed[call] = true
			n.addStep(s, call, e)
		}
	}
	// Steps may also be declared in ways that are not followed here.
	calls := map[syntax.Expr]bool{}
	syntax.Walk(s.tree, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.CallExpr:
			calls[node.Fn] = followed[node]
		case *syntax.Ident:
			if isBuiltin(node) && (declaresStep(node.Name) && !calls[node] || node.Name == "pack") {
				n.complete = false
			}
		}
		return true
	})
}

// addStep notes a step that a call in a file declares, and traces its functions.
func (n *linter) addStep(s *sourceFile, call *syntax.CallExpr, e builtins.Entry) {
	home, def := n.function(s, argument(call, e, "function"))
	if def == nil {
		n.complete = false
		return
	}
	step := declaredStep{home: home, builtin: e, call: call, in: s, def: def}
	if p := e.For(builtins.ForSetup); p != nil {
		n.traceSetup(&step, argument(call, e, p.Name))
	}
	(&tracer{n: n, calls: &step.calls}).function(home, def, nil, true)
	n.steps = append(n.steps, step)
}

// traceSetup traces the set-up of a challenge, if it is given one.
func (n *linter) traceSetup(step *declaredStep, setup syntax.Expr) {
	if setup == nil || n.value(step.in, setup) == starlark.None {
		return
	}
	t := &tracer{n: n, calls: &step.calls, home: step.in, inSetup: true}
	if home, def := n.function(step.in, setup); def != nil {
		t.function(home, def, nil, true)
	} else {
		t.add(tracedCall{call: step.call})
	}
}

// tracer follows a function through its statements, in the order in which they are
// carried out, and collects the calls of builtins. It does not decide conditions: both
// branches come, one after the other. So its calls are all that a step may make, and those
// that are unconditional are made for certain.
type tracer struct {
	n     *linter
	calls *[]tracedCall // what was found, shared with the tracers of functions that are called

	home  *sourceFile                      // the file of the function that is followed
	names map[*variable][]*syntax.CallExpr // the machines that parameters and loop variables stand for
	stack []*syntax.DefStmt                // the functions that led there

	// What a call found now is noted with.
	unconditional bool
	inSolution    bool
	inCheck       bool
	inSetup       bool
	loops         []syntax.Node
}

// These bound what is followed: functions that call each other can do so very often.
const (
	maxTraced   = 20_000 // in a step
	maxFollowed = 50_000 // of the script's own functions, in all steps
)

// add notes a call as one of where the tracer is.
func (t *tracer) add(a tracedCall) {
	a.home, a.inSolution, a.inCheck, a.inSetup, a.loops = t.home, t.inSolution, t.inCheck, t.inSetup, t.loops
	a.unconditional = t.unconditional
	if len(*t.calls) < maxTraced {
		*t.calls = append(*t.calls, a)
	}
}

// function follows a function's body. Call is what calls it, nil if labrun does; a
// function that calls itself, or is too deep, is a call of which nothing is known.
func (t *tracer) function(home *sourceFile, def *syntax.DefStmt, call *syntax.CallExpr, sure bool) {
	t.n.followed++
	if slices.Contains(t.stack, def) || len(t.stack) > 16 || t.n.followed > maxFollowed {
		t.add(tracedCall{call: call})
		return
	}
	inner := *t
	inner.home, inner.unconditional, inner.stack = home, sure, append(slices.Clip(t.stack), def)
	inner.names = map[*variable][]*syntax.CallExpr{}
	if call != nil && !open(call) {
		t.bindParams(inner.names, home, def, call)
	}
	inner.block(def.Body)
}

// bindParams finds out which machines a call gives a function's parameters.
func (t *tracer) bindParams(
	names map[*variable][]*syntax.CallExpr, home *sourceFile, def *syntax.DefStmt, call *syntax.CallExpr,
) {
	for i, p := range paramsOf(def.Params) {
		if p.id == nil || p.star != "" {
			continue
		}
		var given syntax.Expr
		for j, arg := range call.Args {
			if name, value := named(arg); name != nil && name.Name == p.id.Name {
				given = value
			} else if name == nil && i == j && !p.byName {
				given = arg
			}
		}
		if v := home.variableOf(p.id); v != nil && given != nil {
			names[v] = t.machines(given)
		}
	}
}

// block follows statements one after the other.
func (t *tracer) block(body []syntax.Stmt) {
	for _, stmt := range body {
		t.stmt(stmt)
	}
}

// maybe follows what may or may not be carried out.
func (t *tracer) maybe(follow func()) {
	sure := t.unconditional
	t.unconditional = false
	follow()
	t.unconditional = sure
}

// loop follows what may be carried out several times, or never.
func (t *tracer) loop(around syntax.Node, follow func()) {
	loops := t.loops
	t.loops = append(slices.Clip(loops), around)
	t.maybe(follow)
	t.loops = loops
}

// stmt follows a statement: what it has of expressions, and the blocks in it.
func (t *tracer) stmt(stmt syntax.Stmt) {
	switch stmt := stmt.(type) {
	case *syntax.IfStmt:
		t.expr(stmt.Cond)
		t.maybe(func() { t.block(stmt.True); t.block(stmt.False) })
	case *syntax.ForStmt:
		t.expr(stmt.X)
		t.bindLoop(stmt.Vars, stmt.X)
		t.loop(stmt, func() { t.block(stmt.Body) })
	case *syntax.WhileStmt: // which labrun does not accept
		t.loop(stmt, func() { t.block(stmt.Body) })
	case *syntax.DefStmt: // followed where it is called
	default:
		syntax.Walk(stmt, func(n syntax.Node) bool {
			if x, ok := n.(syntax.Expr); ok {
				t.expr(x)
				return false
			}
			return true
		})
	}
	// What comes after a return, break or continue in a branch is not sure.
	if b, ok := stmt.(*syntax.IfStmt); ok && leaves(b) {
		t.unconditional = false
	}
}

// leaves reports whether a branch may end the function or the loop early.
func leaves(b *syntax.IfStmt) (found bool) {
	syntax.Walk(b, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ReturnStmt:
			found = true
		case *syntax.BranchStmt:
			found = found || n.Token != syntax.PASS
		}
		return !found
	})
	return found
}

// expr follows the calls in an expression.
func (t *tracer) expr(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.CallExpr:
		t.call(x)
	case *syntax.LambdaExpr: // not carried out here
	case *syntax.CondExpr:
		t.expr(x.Cond)
		t.maybe(func() { t.expr(x.True); t.expr(x.False) })
	case *syntax.Comprehension:
		for _, clause := range x.Clauses {
			if f, ok := clause.(*syntax.ForClause); ok {
				t.expr(f.X)
				t.bindLoop(f.Vars, f.X)
			}
		}
		t.loop(x, func() {
			for _, clause := range x.Clauses {
				if c, ok := clause.(*syntax.IfClause); ok {
					t.expr(c.Cond)
				}
			}
			t.expr(x.Body)
		})
	case *syntax.BinaryExpr:
		t.expr(x.X)
		if x.Op == syntax.AND || x.Op == syntax.OR {
			t.maybe(func() { t.expr(x.Y) })
		} else {
			t.expr(x.Y)
		}
	case nil:
	default:
		root := true
		syntax.Walk(x, func(n syntax.Node) bool {
			if root {
				root = false
				return true
			}
			if inner, ok := n.(syntax.Expr); ok {
				t.expr(inner)
			}
			return false
		})
	}
}

// call follows a call: what it gives first, then a task's solution and check, or the
// script's own function that is called.
func (t *tracer) call(x *syntax.CallExpr) {
	if dot, ok := unparen(x.Fn).(*syntax.DotExpr); ok {
		t.expr(dot.X)
	}
	for _, arg := range x.Args {
		if id, value := named(arg); id != nil {
			arg = value
		}
		if u, ok := arg.(*syntax.UnaryExpr); ok && spread(arg) {
			arg = u.X
		}
		t.expr(arg)
	}
	if e, ok := t.n.builtin(x.Fn); ok {
		for _, p := range e.Params {
			switch p.For {
			case builtins.ForSolution:
				t.part(x, argument(x, e, p.Name), func(inner *tracer) { inner.inSolution = true })
			case builtins.ForCheck:
				t.part(x, argument(x, e, p.Name), func(inner *tracer) { inner.inCheck = true })
			}
		}
		t.add(tracedCall{builtin: &e, call: x, machines: t.machinesGiven(x, e)})
		return
	}
	if home, def := t.n.function(t.home, x.Fn); def != nil {
		t.function(home, def, x, t.unconditional)
		return
	}
	switch fn := unparen(x.Fn).(type) {
	case *syntax.Ident:
		if isBuiltin(fn) {
			return // of Starlark's own, which do nothing to a machine
		}
	case *syntax.DotExpr:
		return // methods do not, either
	}
	t.add(tracedCall{call: x})
}

// part follows a function that is given to a task.
func (t *tracer) part(call *syntax.CallExpr, x syntax.Expr, as func(*tracer)) {
	inner := *t
	inner.unconditional = false
	as(&inner)
	if home, def := t.n.function(t.home, x); def != nil {
		inner.function(home, def, nil, false)
	} else if small, ok := unparen(x).(*syntax.LambdaExpr); ok {
		inner.expr(small.Body)
	} else if kind := t.n.kind(t.home, x); x != nil && kind != builtins.Text {
		inner.add(tracedCall{call: call})
	}
}

// machinesGiven finds the machines that a call of a builtin is given.
func (t *tracer) machinesGiven(call *syntax.CallExpr, e builtins.Entry) map[string][]*syntax.CallExpr {
	machines := map[string][]*syntax.CallExpr{}
	for _, p := range e.Params {
		switch {
		case p.Variadic && p.Kind == builtins.Machine:
			list := []*syntax.CallExpr{}
			for _, arg := range call.Args {
				if name, _ := named(arg); name != nil {
					continue // of another parameter
				}
				if u, ok := arg.(*syntax.UnaryExpr); ok && u.Op == syntax.STAR {
					arg = u.X
				}
				some := t.machines(arg)
				if some == nil {
					list = nil
					break
				}
				list = append(list, some...)
			}
			machines[p.Name] = list
		case p.Kind.HasConsole():
			if arg := argument(call, e, p.Name); arg != nil {
				machines[p.Name] = t.machines(arg)
			}
		}
	}
	return machines
}

// bindLoop finds out which machines a loop's variables go through. With several variables,
// each goes through a column of what the loop goes over.
func (t *tracer) bindLoop(vars, over syntax.Expr) {
	set := func(x syntax.Expr, machines []*syntax.CallExpr) {
		if id, ok := x.(*syntax.Ident); ok {
			if v := t.home.variableOf(id); v != nil {
				t.names[v] = machines
			}
		}
	}
	tuple, ok := unparen(vars).(*syntax.TupleExpr)
	if !ok {
		set(vars, t.machines(over))
		return
	}
	for i, x := range tuple.List {
		set(x, t.column(items(over), i))
	}
}

// column returns the machines at one place of each of some lists; nil if they are not known.
func (t *tracer) column(rows []syntax.Expr, place int) (all []*syntax.CallExpr) {
	for _, row := range rows {
		cells := items(row)
		if place >= len(cells) {
			return nil
		}
		some := t.machines(cells[place])
		if some == nil {
			return nil
		}
		all = append(all, some...)
	}
	return all
}

// items returns the expressions in a list or tuple that is written out; nil if it is not.
func items(x syntax.Expr) []syntax.Expr {
	switch x := unparen(x).(type) {
	case *syntax.ListExpr:
		return x.List
	case *syntax.TupleExpr:
		return x.List
	}
	return nil
}

// machines returns the declarations of the machine, or of the list of machines,
// that an expression stands for; nil if they are not known.
func (t *tracer) machines(x syntax.Expr) []*syntax.CallExpr {
	const depth, most = 8, 256
	return t.machinesOf(t.home, x, depth, most)
}

func (t *tracer) machinesOf(s *sourceFile, x syntax.Expr, depth, most int) []*syntax.CallExpr {
	if depth == 0 {
		return nil
	}
	switch x := unparen(x).(type) {
	case *syntax.Ident:
		v := s.variableOf(x)
		if known, ok := t.names[v]; ok && v != nil {
			return known
		}
		v = t.n.follow(v)
		if v == nil || v.value == nil || v.mutated {
			return nil
		}
		return t.machinesOf(v.home, v.value, depth-1, most)
	case *syntax.CallExpr:
		switch e, _ := t.n.builtin(x.Fn); e.Name {
		case "machine":
			return []*syntax.CallExpr{x}
		case "console": // it is on when its machine is
			return t.machinesOf(s, argument(x, e, "machine"), depth-1, most)
		}
	case *syntax.DotExpr:
		if x.Name.Name == "machine" && t.n.kind(s, x.X) == builtins.Seat {
			return t.machinesOf(s, x.X, depth-1, most)
		}
	case *syntax.ListExpr, *syntax.TupleExpr:
		var all []*syntax.CallExpr
		for _, item := range items(x) {
			some := t.machinesOf(s, item, depth-1, most)
			if some == nil || len(all) > most {
				return nil
			}
			all = append(all, some...)
		}
		return all
	}
	return nil
}
