package analysis

import (
	"fmt"
	"maps"
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
		switch {
		case len(step.def.Params) > 0:
			n.errorAt(step.in, step.call, fmt.Sprintf("%s has parameters: it is %s", name, signatureOf(step.def)),
				"a "+step.builtin.Name+"'s function has none")
		case doc == "":
			n.errorAt(step.in, step.call, name+" has no docstring",
				`begin the function with """The `+step.builtin.Name+`'s title""", and below the title tell what the student should know`)
		}
	}
}

// narration finds steps that tell the student nothing but their title.
func (n *linter) narration() {
	for _, step := range n.steps {
		doc, lit := docstring(step.def)
		if title, rest, _ := strings.Cut(doc, "\n"); title != "" && strings.TrimSpace(rest) == "" {
			n.warnAt(step.home, lit, fmt.Sprintf("the step «%s» has a title and no narration", title),
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
			switch at, name := a.call.Fn, a.builtin.Name; {
			case a.builtin.Phase == builtins.Declaring:
				n.errorAt(a.home, at, name+": a step cannot declare", "call it at the top level of the script")
			case a.does(builtins.Opens) && n.needsNoHost():
				n.errorAt(a.home, at, name+": the mission does not say that it needs the host",
					`write mission(…, needs = ["host"])`)
			case a.inCheck && !a.builtin.Looks():
				n.errorAt(a.home, at, name+": a task's check may only look",
					"run, read_file and the assertions look; do before the task what has to be done")
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
					n.errorAt(s, node.Fn, e.Name+": loading a mission only declares",
						"call it inside a function and make that a step with step(…)")
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

// booted finds machines that are used while they are certainly off. What a challenge
// switches on may be off in every other of its board, for the student may not have been there.
func (n *linter) booted() {
	if !n.complete {
		return
	}
	on := map[*syntax.CallExpr]bool{}
	var all map[*syntax.CallExpr]bool // on at the end of the board, once all is played
	for _, step := range n.steps {
		if len(step.calls) >= maxTraced {
			return // the rest of the step may have booted anything
		}
		here := on
		if step.builtin.Name == "challenge" {
			here = maps.Clone(on)
		} else if all != nil {
			here, on, all = all, all, nil
		}
		for _, a := range step.calls {
			if !n.followPower(a, here) {
				return
			}
		}
		if step.builtin.Name == "challenge" {
			if all == nil {
				all = maps.Clone(on)
			}
			maps.Copy(all, here)
		}
	}
}

// followPower reports machines that a call uses while they are off, and notes which ones it
// switches on or off. On has the declarations of those that are on, or may be. It is false if
// nothing is certain any more.
func (n *linter) followPower(a tracedCall, on map[*syntax.CallExpr]bool) (certain bool) {
	switch {
	case a.builtin == nil:
		return false // it may boot anything
	case a.does(builtins.Starts) && !a.does(builtins.Stops):
		for _, m := range a.machines["machines"] {
			on[m] = true
		}
		return a.machines["machines"] != nil
	case a.builtin.Phase != builtins.Acting || a.does(builtins.Knows):
		return true
	}
	for _, p := range a.builtin.Params {
		for _, m := range a.machines[p.Name] {
			if on[m] {
				continue
			}
			on[m] = true // told once
			arg := argument(a.call, *a.builtin, p.Name)
			n.errorAt(a.home, arg, fmt.Sprintf("%s: %s is not on", a.builtin.Name, n.machineName(m)),
				"boot it first, in this step or in an earlier one")
		}
	}
	if a.does(builtins.Stops) && !a.does(builtins.Starts) && a.unconditional {
		for _, m := range a.machines["machine"] {
			delete(on, m)
		}
	}
	return true
}

// machineName returns what a machine is called, as far as that can be seen in its
// declaration.
func (n *linter) machineName(declared *syntax.CallExpr) string {
	s := n.declaredIn(declared)
	if name, ok := n.value(s, argument(declared, n.builtins["machine"], "name")).(starlark.String); ok {
		return string(name)
	}
	return "the machine"
}

// declaredIn returns the file with a declaration.
func (n *linter) declaredIn(call *syntax.CallExpr) *sourceFile {
	return n.sources[n.index(call.Lparen.Filename())]
}

// longLines finds lines to be typed of which the guest's shell would drop the end, so that
// labrun refuses to type them at its prompt. Whether a program reads them instead is not
// followed: that is rare enough to be said in a comment.
func (n *linter) longLines() {
	for _, step := range n.steps {
		for _, a := range step.calls {
			if a.builtin == nil {
				continue
			}
			for _, p := range a.builtin.Params {
				if p.For != builtins.ForConsole && p.For != builtins.ForSolution && p.For != builtins.ForMistakes {
					continue
				}
				for _, m := range a.machines["on"] {
					n.longLine(a, argument(a.call, *a.builtin, p.Name), m)
				}
			}
		}
	}
}

// longLine reports an argument with a line that the shell of a machine does not keep.
func (n *linter) longLine(a tracedCall, arg syntax.Expr, machine *syntax.CallExpr) {
	home := n.declaredIn(machine)
	image, _ := n.value(home, n.imageArgument(home, machine)).(starlark.String)
	most := n.images[string(image)]
	if arg == nil || most == 0 {
		return
	}
	var texts []starlark.Value
	switch value := n.value(a.home, arg).(type) {
	case starlark.String:
		texts = append(texts, value)
	case *starlark.List:
		for text := range value.Elements() {
			texts = append(texts, text)
		}
	}
	for _, value := range texts {
		if answer, ok := value.(starlark.Tuple); ok && len(answer) > 0 {
			value = answer[0] // and why it must fail
		}
		text, _ := value.(starlark.String)
		for line := range strings.Lines(string(text)) {
			if bytes := len(strings.TrimSuffix(line, "\n")); bytes > most {
				n.warnAt(a.home, arg,
					fmt.Sprintf("%s: a line of %d bytes is typed at %s, whose shell keeps %d and drops the rest",
						a.builtin.Name, bytes, n.machineName(machine), most),
					"put it into a file with write_file and run that, or type shorter lines")
				return
			}
		}
	}
}

// checks finds steps that pass whatever the student did. One that only waits is left alone:
// what it waits for is what must happen.
func (n *linter) checks() {
	for _, step := range n.steps {
		does, types, waits, checks := false, false, false, false
		for _, a := range step.calls {
			switch {
			case a.inSetup: // it comes before whatever the student does
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
			n.warnAt(step.home, step.def.Name, "the step "+step.def.Name.Name+" checks nothing",
				"end it with what must be true then: assert_contains, assert_equal, task, …")
		}
	}
}

// doing are the effects that change a lab.
const doing = builtins.Starts | builtins.Stops | builtins.Talks | builtins.Changes | builtins.Runs

// proves reports whether a call fails if the lab, or the reader's answer, is not as it
// should be. What looks and waits does: it fails if there is nothing to be seen in time.
func (n *linter) proves(a tracedCall) bool {
	return a.does(builtins.Checks) || a.does(builtins.Looks|builtins.Waits) || n.demands(a)
}

// demands reports whether a call is given the argument that makes it a check of its
// builtin, such as run's check = True, as far as that can be seen.
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
			if a.inSolution || a.inCheck || a.inSetup || !n.types(a) {
				continue
			}
			checked := slices.ContainsFunc(step.calls[i+1:], n.looksAt)
			// In a loop, what comes before is also after.
			for j := 0; j < i && !checked && len(a.loops) > 0; j++ {
				checked = n.looksAt(step.calls[j]) && slices.Contains(step.calls[j].loops, a.loops[0])
			}
			if !checked {
				n.report(a.home, a.home.spanOf(a.call.Fn), SeverityNote, "nothing in this step checks what this led to",
					"so a student has to type just this; a check after it (assert_contains, wait_for, …)"+
						" lets them find their own way")
			}
		}
	}
}

// looksAt reports whether a call looks at what was typed before it.
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

// types reports whether a call has a student type a line at a console. One that ends a shell
// does not count: it is always compared and has nothing to check.
func (n *linter) types(a tracedCall) bool {
	if a.builtin == nil {
		return false
	}
	line := a.builtin.For(builtins.ForConsole)
	if line == nil || n.played(a.home, argument(a.call, *a.builtin, "on")) {
		return false
	}
	text, _ := n.value(a.home, argument(a.call, *a.builtin, line.Name)).(starlark.String)
	return text != "exit" && text != "logout"
}

// played reports whether labrun plays somebody at a console, as far as that can be seen.
func (n *linter) played(s *sourceFile, on syntax.Expr) bool {
	if id, ok := unparen(on).(*syntax.Ident); ok {
		if v := n.follow(s.variableOf(id)); v != nil && v.value != nil {
			s, on = v.home, v.value
		}
	}
	call, ok := on.(*syntax.CallExpr)
	if !ok {
		return false
	}
	e, _ := n.builtin(call.Fn)
	if e.Name != "console" {
		return false
	}
	played, _ := n.value(s, argument(call, e, "played")).(starlark.Bool)
	return bool(played)
}
