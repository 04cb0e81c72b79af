package analysis

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

// stepFunctions finds functions that cannot be steps.
func (n *linter) stepFunctions() {
	for _, step := range n.steps {
		name := step.def.Name.Name
		doc, _ := docstring(step.def)
		switch at := step.in.spanOf(step.call); {
		case len(step.def.Params) > 0:
			n.report(step.in, at, SeverityError, fmt.Sprintf("%s has parameters: it is %s", name, signatureOf(step.def)), "a step's function has none")
		case doc == "":
			n.report(step.in, at, SeverityError, name+" has no docstring", `begin the function with """The step's title""", and below the title tell what the student should know`)
		}
	}
}

// narration finds steps that tell the student nothing but their title.
func (n *linter) narration() {
	for _, step := range n.steps {
		doc, lit := docstring(step.def)
		if title, rest, _ := strings.Cut(doc, "\n"); title != "" && strings.TrimSpace(rest) == "" {
			n.report(step.home, step.home.spanOf(lit), SeverityWarning, fmt.Sprintf("the step «%s» has a title and no narration", title),
				"tell below the title what the student should know, and what to do")
		}
	}
}

// places finds calls of builtins where they may not be called.
func (n *linter) places() {
	for _, step := range n.steps {
		for _, a := range step.calls {
			if a.builtin == nil {
				continue
			}
			at := a.home.spanOf(a.call.Fn)
			switch {
			case a.builtin.Phase == builtins.Declaring:
				n.report(a.home, at, SeverityError, a.builtin.Name+": a step cannot declare", "call it at the top level of the script")
			case a.does(builtins.Opens) && n.needsNoHost():
				n.report(a.home, at, SeverityError, a.builtin.Name+": the mission does not say that it needs the host", `write mission(…, needs = ["host"])`)
			case a.inCheck && !a.builtin.Looks():
				n.report(a.home, at, SeverityError, a.builtin.Name+": a task's check may only look", "run, read_file and the assertions look; do before the task what has to be done")
			}
		}
	}
	for _, s := range n.sources {
		if s.tree == nil {
			continue
		}
		syntax.Walk(s.tree, func(node syntax.Node) bool {
			switch node := node.(type) {
			case *syntax.DefStmt, *syntax.LambdaExpr:
				return false
			case *syntax.CallExpr:
				if e, ok := n.builtin(node.Fn); ok && e.Phase == builtins.Acting {
					n.report(s, s.spanOf(node.Fn), SeverityError, e.Name+": loading a mission only declares", "call it inside a function and make that a step with step(…)")
				}
			}
			return true
		})
	}
}

// needsNoHost reports whether the mission certainly does not ask for the host.
func (n *linter) needsNoHost() (without bool) {
	n.eachBuiltin(func(s *sourceFile, call *syntax.CallExpr, e builtins.Entry) {
		if e.Name != "mission" || open(call) {
			return
		}
		arg := argument(call, e, "needs")
		needs, known := n.value(s, arg).(*starlark.List)
		without = arg == nil || known && needs.Len() == 0
	})
	return without
}

// booted finds machines that are used while they are certainly off.
func (n *linter) booted() {
	if !n.complete {
		return
	}
	on := map[*syntax.CallExpr]bool{}
	for _, step := range n.steps {
		for _, a := range step.calls {
			if a.builtin == nil || len(step.calls) >= maxTraced {
				return // anything may have been booted
			}
			if a.does(builtins.Starts) && !a.does(builtins.Stops) {
				if a.machines["machines"] == nil {
					return
				}
				for _, m := range a.machines["machines"] {
					on[m] = true
				}
				continue
			}
			if a.builtin.Phase != builtins.Acting || a.does(builtins.Knows) {
				continue
			}
			for _, p := range a.builtin.Params {
				for _, m := range a.machines[p.Name] {
					if on[m] {
						continue
					}
					arg := argument(a.call, *a.builtin, p.Name)
					n.report(a.home, a.home.spanOf(arg), SeverityError, fmt.Sprintf("%s: %s is not on", a.builtin.Name, n.machineName(m)),
						"boot it first, in this step or in an earlier one")
					on[m] = true // told once
				}
			}
			if a.does(builtins.Stops) && !a.does(builtins.Starts) && a.unconditional {
				for _, m := range a.machines["machine"] {
					delete(on, m)
				}
			}
		}
	}
}

// machineName is what a machine is called, as far as that can be seen.
func (n *linter) machineName(declared *syntax.CallExpr) string {
	e := n.builtins["machine"]
	for _, s := range n.sources {
		if s.shown == declared.Lparen.Filename() {
			if name, ok := n.value(s, argument(declared, e, "name")).(starlark.String); ok {
				return string(name)
			}
		}
	}
	return "the machine"
}

// checks finds steps that pass whatever the student did.
func (n *linter) checks() {
	for _, step := range n.steps {
		does, types, waits, checks := false, false, false, false
		for _, a := range step.calls {
			switch {
			case a.builtin == nil:
				checks = true // it may
			case n.proves(a):
				checks = true
			case a.does(builtins.Talks | builtins.Waits):
				waits = true
			case a.does(builtins.Talks):
				types = true
			}
			does = does || a.builtin != nil && a.builtin.Effect&doing != 0
		}
		if does && !checks && (types || !waits) {
			n.report(step.home, step.home.spanOf(step.def.Name), SeverityWarning, fmt.Sprintf("the step %s checks nothing", step.def.Name.Name),
				"end it with what must be true then: assert_contains, assert_equal, task, …")
		}
	}
}

// doing is what leaves a lab otherwise than it was.
const doing = builtins.Starts | builtins.Stops | builtins.Talks | builtins.Changes | builtins.Runs

// proves reports whether an act fails if the lab, or the reader's answer, is not as it
// should be. What looks and waits fails where there is nothing to be seen.
func (n *linter) proves(a tracedCall) bool {
	return a.does(builtins.Checks) || a.does(builtins.Looks|builtins.Waits) || n.demands(a)
}

// demands reports whether an act is given what makes it fail where all is not right, as
// far as that can be seen.
func (n *linter) demands(a tracedCall) bool {
	if a.builtin.Demands == "" {
		return false
	}
	arg := argument(a.call, *a.builtin, a.builtin.Demands)
	given, known := n.value(a.home, arg).(starlark.Bool)
	return (arg != nil || open(a.call)) && (!known || bool(given))
}

// unchecked finds input that nothing checks: guided mode can only compare what the
// student types with it.
func (n *linter) unchecked() {
	for _, step := range n.steps {
		for i, a := range step.calls {
			if a.builtin == nil || a.builtin.For(builtins.ForConsole) == nil || a.inSolution || a.inCheck || n.leavesShell(a) {
				continue
			}
			checked := slices.ContainsFunc(step.calls[i+1:], n.looksAt)
			// In a loop, what comes before is also after.
			for j := 0; j < i && !checked && len(a.loops) > 0; j++ {
				checked = n.looksAt(step.calls[j]) && slices.Contains(step.calls[j].loops, a.loops[0])
			}
			if !checked {
				n.report(a.home, a.home.spanOf(a.call.Fn), SeverityNote, "nothing in this step checks what this led to",
					"so a student has to type just this; a check after it (assert_contains, wait_for, …) lets them find their own way")
			}
		}
	}
}

// looksAt reports whether an act looks at what was typed before it.
func (n *linter) looksAt(a tracedCall) bool {
	switch {
	case a.builtin == nil: // it may
		return true
	case a.does(builtins.Tells): // it asks what the reader has seen
		return false
	case a.does(builtins.Looks) && takesConsole(*a.builtin): // the script itself looks at what the console says
		return true
	}
	return a.does(builtins.Checks) || n.demands(a)
}

// takesConsole reports whether a builtin is about a console, and not just the machine.
func takesConsole(e builtins.Entry) bool {
	return slices.ContainsFunc(e.Params, func(p builtins.Param) bool { return p.Kind == builtins.Console })
}

// leavesShell reports whether an act types what ends a shell, which is always
// compared and has nothing to check.
func (n *linter) leavesShell(a tracedCall) bool {
	line := a.builtin.For(builtins.ForConsole)
	text, _ := n.value(a.home, argument(a.call, *a.builtin, line.Name)).(starlark.String)
	return text == "exit" || text == "logout"
}
