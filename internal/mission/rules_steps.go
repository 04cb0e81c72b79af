package mission

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
	inStep := map[*syntax.CallExpr]bool{}
	for _, step := range n.steps {
		for _, a := range step.acts {
			if a.builtin == nil || inStep[a.call] {
				continue
			}
			inStep[a.call] = true
			at := a.home.spanOf(a.call.Fn)
			switch {
			case a.builtin.Phase == builtins.Declaring:
				n.report(a.home, at, SeverityError, a.builtin.Name+": a step cannot declare", "call it at the top level of the script")
			case a.probing && !a.builtin.Looks():
				n.report(a.home, at, SeverityError, a.builtin.Name+": a task's check may only look", "run, read_file and the assertions look; what has to be done before is done before the task")
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

// booted finds machines that are used while they are certainly off.
func (n *linter) booted() {
	if !n.all {
		return
	}
	on := map[*syntax.CallExpr]bool{}
	for _, step := range n.steps {
		for _, a := range step.acts {
			if a.builtin == nil || len(step.acts) >= mostActs {
				return // anything may have been booted
			}
			if a.is("boot") {
				if a.machines["machines"] == nil {
					return
				}
				for _, m := range a.machines["machines"] {
					on[m] = true
				}
				continue
			}
			if a.builtin.Phase != builtins.Acting || a.is("mac") {
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
			if a.is("shutdown") && a.sure {
				for _, m := range a.machines["machine"] {
					delete(on, m)
				}
			}
		}
	}
}

// machineName is what a machine is called, as far as that can be seen.
func (n *linter) machineName(declared *syntax.CallExpr) string {
	e := n.table["machine"]
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
		for _, a := range step.acts {
			switch {
			case a.builtin == nil:
				checks = true // it may
			case n.proves(a):
				checks = true
			case a.is("wait_prompt", "login"):
				waits = true
			case a.is("send", "send_key"):
				types = true
			}
			does = does || a.is("boot", "shutdown", "reboot", "login", "send", "send_key", "write_file", "run")
		}
		if does && !checks && (types || !waits) {
			n.report(step.home, step.home.spanOf(step.def.Name), SeverityWarning, fmt.Sprintf("the step %s checks nothing", step.def.Name.Name),
				"end it with what must be true then: assert_contains, assert_equal, task, …")
		}
	}
}

// proves reports whether an act fails if the lab is not as it should be.
func (n *linter) proves(a act) bool {
	given := func(name string) bool { return argument(a.call, *a.builtin, name) != nil || open(a.call) }
	switch a.builtin.Name {
	case "task", "wait_for", "address":
		return true
	case "run":
		check, known := n.value(a.home, argument(a.call, *a.builtin, "check")).(starlark.Bool)
		return given("check") && (!known || bool(check))
	case "ask":
		return given("choices")
	case "read_leases":
		return given("wait_for")
	}
	return a.builtin.Group == "Checks"
}

// unchecked finds input that nothing checks: guided mode can only compare what the
// student types with it.
func (n *linter) unchecked() {
	for _, step := range n.steps {
		for i, a := range step.acts {
			if !a.is("send") || a.aside || a.probing || n.leavesShell(a) {
				continue
			}
			checked := slices.ContainsFunc(step.acts[i+1:], n.looksAt)
			// In a loop, what comes before is also after.
			for j := 0; j < i && !checked && len(a.loops) > 0; j++ {
				checked = n.looksAt(step.acts[j]) && slices.Contains(step.acts[j].loops, a.loops[0])
			}
			if !checked {
				n.report(a.home, a.home.spanOf(a.call.Fn), SeverityNote, "nothing in this step checks what this led to",
					"so a student has to type just this; a check after it (assert_contains, wait_for, …) lets them find their own way")
			}
		}
	}
}

// looksAt reports whether an act looks at what was typed before it.
func (n *linter) looksAt(a act) bool {
	return a.builtin == nil || n.proves(a) && !a.is("ask", "address", "read_leases") || a.is("output")
}

// leavesShell reports whether an act types what ends a shell, which is always
// compared and has nothing to check.
func (n *linter) leavesShell(a act) bool {
	text, _ := n.value(a.home, argument(a.call, *a.builtin, "text")).(starlark.String)
	return text == "exit" || text == "logout"
}
