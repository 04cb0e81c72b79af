package analysis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

// These rules look at single calls and names; those about steps are in
// rules_steps.go.

// gather finds the files that a mission consists of.
func (n *linter) gather(s *sourceFile) {
	if slices.Contains(n.sources, s) {
		return
	}
	n.sources = append(n.sources, s)
	for _, load := range loads(s) {
		other, err := n.target(s, load)
		if err != nil {
			s.reportLoad(s.spanOf(load.Module), fmt.Sprintf("cannot load %s: %v", load.ModuleName(), err))
			continue
		}
		n.gather(other)
		for i, id := range load.From {
			if other.tree == nil || other.globals[id.Name] != nil {
				continue
			}
			var names []string
			for name := range other.globals {
				names = append(names, name)
			}
			slices.Sort(names)
			suggestion := builtins.Suggest(id.Name, names)
			s.reportLoad(s.spanOf(load.From[i]), fmt.Sprintf("%s has no %s%s", load.ModuleName(), id.Name, suggestion))
		}
	}
}

// reportLoad notes a load statement that fails, once however often it is come across.
func (s *sourceFile) reportLoad(at Span, message string) {
	f := Finding{File: s.shown, Span: at, Rule: RuleLoad, Severity: SeverityError, Message: message}
	if !slices.Contains(s.findings, f) {
		s.findings = append(s.findings, f)
	}
}

// loads returns the load statements of a file.
func loads(s *sourceFile) (found []*syntax.LoadStmt) {
	if s.tree == nil {
		return nil
	}
	for _, stmt := range s.tree.Stmts {
		if load, ok := stmt.(*syntax.LoadStmt); ok {
			found = append(found, load)
		}
	}
	return found
}

// eachCall goes through every call of every file.
func (n *linter) eachCall(look func(*sourceFile, *syntax.CallExpr)) {
	for _, s := range n.sources {
		if s.tree == nil {
			continue
		}
		syntax.Walk(s.tree, func(node syntax.Node) bool {
			if call, ok := node.(*syntax.CallExpr); ok {
				look(s, call)
			}
			return true
		})
	}
}

// eachBuiltin goes through every call of a builtin.
func (n *linter) eachBuiltin(look func(*sourceFile, *syntax.CallExpr, builtins.Entry)) {
	n.eachCall(func(s *sourceFile, call *syntax.CallExpr) {
		if e, ok := n.builtin(call.Fn); ok {
			look(s, call, e)
		}
	})
}

// named returns the name and the value of an argument that is given by name; nil if it is
// given by its place.
func named(arg syntax.Expr) (*syntax.Ident, syntax.Expr) {
	if pair, ok := arg.(*syntax.BinaryExpr); ok && pair.Op == syntax.EQ {
		if id, ok := pair.X.(*syntax.Ident); ok {
			return id, pair.Y
		}
	}
	return nil, nil
}

// spread reports whether an argument is *args or **kwargs.
func spread(arg syntax.Expr) bool {
	u, ok := arg.(*syntax.UnaryExpr)
	return ok && (u.Op == syntax.STAR || u.Op == syntax.STARSTAR)
}

// argument returns what a call gives a builtin's parameter; nil if nothing, or
// nothing that can be seen in the text: behind *args no place is certain.
func argument(call *syntax.CallExpr, e builtins.Entry, name string) syntax.Expr {
	place := slices.IndexFunc(e.Params, func(p builtins.Param) bool { return p.Name == name && !p.Keyword })
	if slices.ContainsFunc(e.Params[:max(place, 0)], func(p builtins.Param) bool { return p.Variadic }) {
		place = -1
	}
	for i, arg := range call.Args {
		id, value := named(arg)
		switch {
		case id != nil && id.Name == name:
			return value
		case id == nil && spread(arg):
			place = -1
		case id == nil && i == place:
			return arg
		}
	}
	return nil
}

// open reports whether a call has arguments that cannot be seen.
func open(call *syntax.CallExpr) bool { return slices.ContainsFunc(call.Args, spread) }

// arguments finds calls whose arguments do not fit, by number, name or type.
func (n *linter) arguments() {
	n.eachCall(func(s *sourceFile, call *syntax.CallExpr) {
		if e, ok := n.builtin(call.Fn); ok {
			n.builtinArguments(s, call, e)
		} else if _, def := n.function(s, call.Fn); def != nil && !open(call) {
			n.ownArguments(s, call, def)
		}
	})
}

func (n *linter) builtinArguments(s *sourceFile, call *syntax.CallExpr, e builtins.Entry) {
	var positional starlark.Tuple
	var keywords []starlark.Tuple
	var given, byName []syntax.Expr
	for _, arg := range call.Args {
		if id, value := named(arg); id != nil {
			keywords = append(keywords, starlark.Tuple{starlark.String(id.Name), n.value(s, value)})
			byName = append(byName, arg)
		} else if !spread(arg) {
			positional, given = append(positional, n.value(s, arg)), append(given, arg)
		}
	}
	given = append(given, byName...)
	for _, wrong := range builtins.CheckCall(e, positional, keywords, open(call)) {
		at := s.spanOf(call.Fn)
		remedy := ""
		if wrong.Argument >= 0 {
			arg := given[wrong.Argument]
			if id, value := named(arg); id != nil && wrong.Mistyped {
				arg = value
			} else if id != nil {
				arg = id
			}
			at = s.spanOf(arg)
			remedy = n.typeRemedy(s, arg, wrong)
		}
		n.report(s, at, SeverityError, wrong.Error(), remedy)
	}
}

// typeRemedy has advice for the slips that are made most.
func (n *linter) typeRemedy(s *sourceFile, arg syntax.Expr, wrong *builtins.ArgumentError) string {
	if !wrong.Mistyped {
		return ""
	}
	text, isText := n.value(s, arg).(starlark.String)
	id, isName := arg.(*syntax.Ident)
	kind := n.kind(s, arg)
	switch {
	case isText && wrong.Want.Takes(builtins.Machine):
		for _, v := range s.globals {
			if n.declaredName(v) == string(text) {
				return fmt.Sprintf("give the machine, %s without quotation marks", v.name.Name)
			}
		}
	case isName && (kind == builtins.List || kind == builtins.Tuple) && wrong.Item > 0:
		return fmt.Sprintf("write *%s to give each of its items", id.Name)
	}
	return ""
}

// declaredName returns the name of the machine that a variable holds; empty if it
// holds none.
func (n *linter) declaredName(v *variable) string {
	if v == nil || v.value == nil {
		return ""
	}
	call, ok := v.value.(*syntax.CallExpr)
	if !ok {
		return ""
	}
	e, ok := n.builtin(call.Fn)
	if !ok || e.Name != "machine" {
		return ""
	}
	if name := argument(call, e, "name"); name != nil {
		text, _ := n.value(v.home, name).(starlark.String)
		return string(text)
	}
	return ""
}

// ownArguments finds calls of the script's own functions that do not fit their
// parameters.
func (n *linter) ownArguments(s *sourceFile, call *syntax.CallExpr, def *syntax.DefStmt) {
	refuse := func(at syntax.Node, format string, values ...any) {
		n.errorAt(s, at, def.Name.Name+": "+fmt.Sprintf(format, values...), "")
	}
	var order []string // the parameters that can be given by their place
	known, given := map[string]bool{}, map[string]bool{}
	moreArgs, moreNames := false, false // *args and **kwargs take them
	params, signature := paramsOf(def.Params), signatureOf(def)
	for _, p := range params {
		switch {
		case p.id == nil: // a star alone
		case p.star != "":
			moreArgs, moreNames = moreArgs || p.star == "*", moreNames || p.star == "**"
		case p.byName:
			known[p.id.Name] = true
		default:
			known[p.id.Name] = true
			order = append(order, p.id.Name)
		}
	}
	for i, arg := range call.Args {
		id, _ := named(arg)
		switch {
		case id == nil && i < len(order):
			given[order[i]] = true
		case id == nil && !moreArgs:
			refuse(arg, "%d arguments are too many: it is %s", len(call.Args), signature)
			return
		case id == nil:
		case !known[id.Name] && !moreNames:
			refuse(id, "no parameter is called %q%s: it is %s", id.Name, builtins.Suggest(id.Name, order), signature)
		case given[id.Name]:
			refuse(id, "%s is given twice", id.Name)
		default:
			given[id.Name] = true
		}
	}
	for _, p := range params {
		if p.required() && !given[p.id.Name] {
			refuse(call.Fn, "%s is missing: it is %s", p.id.Name, signature)
		}
	}
}

// fields finds fields and methods that a value does not have.
func (n *linter) fields() {
	for _, s := range n.sources {
		if s.tree == nil {
			continue
		}
		syntax.Walk(s.tree, func(node syntax.Node) bool {
			dot, ok := node.(*syntax.DotExpr)
			if !ok {
				return true
			}
			kind := n.kind(s, dot.X)
			names, ok := fieldNames(kind)
			if ok && !slices.Contains(names, dot.Name.Name) {
				remedy := ""
				if _, few := builtins.TypeOf(kind); few && len(names) > 0 {
					remedy = "there are " + strings.Join(names, ", ")
				}
				suggestion := builtins.Suggest(dot.Name.Name, names)
				n.errorAt(s, dot.Name, fmt.Sprintf("a %s has no .%s%s", kind, dot.Name.Name, suggestion), remedy)
			}
			return true
		})
	}
}

// fieldNames returns the names of what values of a kind have after a dot; false if
// that is not known.
func fieldNames(kind builtins.Kind) ([]string, bool) {
	if t, ok := builtins.TypeOf(kind); ok {
		var names []string
		for _, f := range t.Fields {
			names = append(names, f.Name)
		}
		return names, true
	}
	switch kind {
	case builtins.Text:
		return starlark.String("").AttrNames(), true
	case builtins.List, builtins.Texts, builtins.Machines, builtins.Leases, builtins.Packets:
		return (&starlark.List{}).AttrNames(), true
	case builtins.Dict:
		return (&starlark.Dict{}).AttrNames(), true
	}
	return nil, false
}

// imageArgument returns the argument of a call of machine that names the image.
func (n *linter) imageArgument(s *sourceFile, call *syntax.CallExpr) syntax.Expr {
	e := n.builtins["machine"]
	arg := argument(call, e, "image")
	if image, ok := n.value(s, arg).(starlark.String); arg == nil || ok && image == "" {
		arg = argument(call, e, "name")
	}
	return arg
}

// imagesInLock finds machines that boot from an image that there is not.
func (n *linter) imagesInLock() {
	n.eachBuiltin(func(s *sourceFile, call *syntax.CallExpr, e builtins.Entry) {
		if e.Name != "machine" || open(call) {
			return
		}
		arg := n.imageArgument(s, call)
		if argument(call, e, "kernel") != nil && argument(call, e, "image") == nil {
			return // it needs none
		}
		image, ok := n.value(s, arg).(starlark.String)
		if _, known := n.images[string(image)]; !ok || known {
			return
		}
		names := n.images.Names()
		n.errorAt(s, arg,
			fmt.Sprintf("image %q is not in images.lock%s", string(image), builtins.Suggest(string(image), names)),
			fmt.Sprintf("there are %s; another name than the image's is given with image = …",
				strings.Join(names, ", ")))
	})
}

// Waits outside of these bounds are slips: emulated machines take seconds, and
// seconds are not milliseconds.
const (
	shortWait = time.Second
	longWait  = time.Hour
)

// timeouts finds time-outs that nobody can mean.
func (n *linter) timeouts() {
	n.eachBuiltin(func(s *sourceFile, call *syntax.CallExpr, e builtins.Entry) {
		for _, p := range e.Params {
			arg := argument(call, e, p.Name)
			if p.Kind != builtins.Duration || arg == nil {
				continue
			}
			d, ok := builtins.DurationOf(n.value(s, arg))
			switch {
			case !ok:
			case d < shortWait:
				n.warnAt(s, arg, fmt.Sprintf("%s waits %s at most", e.Name, d),
					"an emulated machine may take longer for anything; the default is "+p.Default+" seconds")
			case d > longWait:
				n.warnAt(s, arg, fmt.Sprintf("%s waits up to %s", e.Name, d),
					"a number is in seconds, and the default is "+p.Default)
			}
		}
	})
}

// hints finds checks that leave a student alone when they fail.
func (n *linter) hints() {
	n.eachBuiltin(func(s *sourceFile, call *syntax.CallExpr, e builtins.Entry) {
		p := e.For(builtins.ForHint)
		if p == nil || !e.Effect.Has(builtins.Checks) || argument(call, e, p.Name) != nil || open(call) {
			return
		}
		remedy := `add hint = "…": what to type or to look at`
		if p.Kind == builtins.Texts {
			remedy = "add hints = […], from a nudge to nearly the answer; without them the first help is the solution"
		}
		n.warnAt(s, call.Fn, e.Name+" has no "+p.Name, remedy)
	})
}

// unused finds what is declared and used nowhere.
func (n *linter) unused() {
	for _, s := range n.sources {
		for _, load := range loads(s) {
			for _, id := range load.To {
				if v := s.variableOf(id); v != nil && v.reads == 0 {
					n.warnAt(s, id, id.Name+" is loaded and not used", "remove it")
				}
			}
		}
	}
	// What a file without a mission declares is for the missions that load it.
	if n.source.tree == nil || !n.isMission(n.source) {
		return
	}
	for _, stmt := range n.source.tree.Stmts {
		switch stmt := stmt.(type) {
		case *syntax.DefStmt:
			if v := n.source.variableOf(stmt.Name); v != nil && v.reads == 0 {
				n.unusedFunction(stmt)
			}
		case *syntax.AssignStmt:
			n.unusedDeclaration(stmt)
		case *syntax.ExprStmt:
			if what := n.declares(stmt.X); what != "" {
				n.warnAt(n.source, stmt, "nothing can use this "+what,
					fmt.Sprintf("give it a name: my_%s = %s(…)", what, what))
			}
		}
	}
}

// unusedDeclaration finds a machine or a network that was given a name which nothing uses.
func (n *linter) unusedDeclaration(stmt *syntax.AssignStmt) {
	id, ok := stmt.LHS.(*syntax.Ident)
	if !ok {
		return
	}
	if v := n.source.variableOf(id); v == nil || v.reads > 0 {
		return
	}
	switch n.declares(stmt.RHS) {
	case "machine":
		n.warnAt(n.source, id, "no step uses the machine "+id.Name, "boot it in a step, or remove it")
	case "network":
		n.warnAt(n.source, id, "no machine is on the network "+id.Name,
			"name it in the nics of a machine, or remove it")
	}
}

func (n *linter) unusedFunction(def *syntax.DefStmt) {
	doc, _ := docstring(def)
	remedy := "remove it"
	if len(def.Params) == 0 && doc != "" {
		remedy = fmt.Sprintf("make it one with step(%s), or remove it", def.Name.Name)
	}
	n.warnAt(n.source, def.Name, def.Name.Name+" is no step and is never called", remedy)
}

// declares returns what an expression declares: machine, network, or nothing.
func (n *linter) declares(x syntax.Expr) (what string) {
	syntax.Walk(x, func(node syntax.Node) bool {
		if call, ok := node.(*syntax.CallExpr); ok && what == "" {
			if e, ok := n.builtin(call.Fn); ok && (e.Name == "machine" || e.Name == "network") {
				what = e.Name
			}
		}
		return what == ""
	})
	return what
}

// isMission reports whether a file calls mission.
func (snap *snapshot) isMission(s *sourceFile) bool {
	return s.tree != nil && slices.ContainsFunc(s.tree.Stmts, func(stmt syntax.Stmt) bool {
		_, e, ok := snap.statementCall(stmt)
		return ok && e.Name == "mission"
	})
}
