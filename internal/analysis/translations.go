package analysis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/script"
)

// ruleTranslation names what is wrong with a translation; nothing silences it.
const ruleTranslation = "translation"

// CheckTranslations compares each of a mission's translations with its original:
// what is missing, and what is older than its original or translates nothing any
// more. A translation that cannot be read is a *script.Error.
func CheckTranslations(s *script.Script) ([]Finding, error) {
	all, err := s.Translations()
	texts := readerTexts(s)
	var problems []Finding
	for _, c := range all {
		problems = append(problems, compare(s, c, texts)...)
	}
	return problems, err
}

// found is a text of a script that its reader sees.
type readerText struct {
	text, file string
	at, end    Place
	composed   bool // it is put together when the script runs, so no translation can be found
}

func (f readerText) position() string { return fmt.Sprintf("%s:%d:%d", f.file, f.at.Line, f.at.Column) }

// textsOf collects what a mission's reader sees besides titles and narrations: the
// literal arguments for readers of builtins, wherever they are called.
func readerTexts(s *script.Script) []readerText {
	var all []readerText
	seen := map[string]bool{}
	table := map[string]builtins.Entry{}
	for _, e := range builtins.Table() {
		table[e.Name] = e
	}
	for _, source := range s.Sources {
		file, err := (&syntax.FileOptions{}).Parse(source.Shown, source.Text, 0)
		if err != nil {
			continue // it was loaded: this does not happen
		}
		syntax.Walk(file, func(n syntax.Node) bool {
			if call, ok := n.(*syntax.CallExpr); ok {
				for _, e := range readable(table, call) {
					literal, whole := e.(*syntax.Literal)
					if !whole {
						literal = leading(e)
					}
					if text := literal.Value.(string); text != "" && (!seen[text] || !whole) {
						seen[text] = seen[text] || whole
						from, to := literal.Span()
						all = append(all, readerText{text, source.Shown, Place{int(from.Line), int(from.Col)}, Place{int(to.Line), int(to.Col)}, !whole})
					}
				}
			}
			return true
		})
	}
	return all
}

// leading is the literal that an expression puts a text together from: the first of a
// sum, or what values are filled in; nil if there is none.
func leading(e syntax.Expr) *syntax.Literal {
	switch e := unparen(e).(type) {
	case *syntax.Literal:
		if e.Token == syntax.STRING {
			return e
		}
	case *syntax.BinaryExpr:
		if e.Op == syntax.PERCENT || e.Op == syntax.PLUS {
			return leading(e.X)
		}
	case *syntax.CallExpr:
		if method, ok := e.Fn.(*syntax.DotExpr); ok && method.Name.Name == "format" {
			return leading(method.X)
		}
	}
	return nil
}

// readable returns the literals of a call that its reader will see, and expressions
// that begin with one.
func readable(table map[string]builtins.Entry, call *syntax.CallExpr) []syntax.Expr {
	name, ok := call.Fn.(*syntax.Ident)
	if !ok {
		return nil
	}
	e, known := table[name.Name]
	if !known { // what a function of the script's own is given as a hint, it hands on to a check
		e.Params = []builtins.Param{{Name: "hint", Keyword: true, For: builtins.ForHint}}
	}
	var texts []syntax.Expr
	take := func(e syntax.Expr) {
		items := []syntax.Expr{e}
		if list, ok := e.(*syntax.ListExpr); ok {
			items = list.List
		}
		for _, item := range items {
			if leading(item) != nil {
				texts = append(texts, unparen(item))
			}
		}
	}
	for _, p := range e.Params {
		if arg := argument(call, e, p.Name); p.For.Read() && arg != nil {
			take(arg)
		}
	}
	return texts
}

// compare lists what is wrong with one translation.
func compare(s *script.Script, c *script.Translation, texts []readerText) []Finding {
	var problems []Finding
	tell := func(file string, at Span, message, remedy string) {
		problems = append(problems, Finding{File: file, Span: at, Rule: ruleTranslation, Severity: SeverityWarning, Message: message, Remedy: remedy})
	}
	add := func(key, message, remedy string) {
		at := Place{c.Line(key), 1}
		tell(c.File, Span{at, at}, message, remedy)
	}
	declared := s.Session.Declared()
	if c.Title == "" {
		add("title", "the mission's title is not translated", fmt.Sprintf("write title = \"…\" for %q", declared.Title))
	}
	names := map[string]bool{}
	for _, step := range declared.Steps {
		name := step.Function.Name()
		names[name] = true
		t, known := c.Steps[name]
		switch {
		case !known:
			add("", fmt.Sprintf("step %s (%q) is not translated", name, step.Title), fmt.Sprintf("add [steps.%s] with original = %q", name, script.Digest(step)))
		case t.Original != script.Digest(step):
			add(name, "step "+name+" is older than its original", fmt.Sprintf("compare them, then write original = %q", script.Digest(step)))
		case t.Title == "":
			add(name, "step "+name+" has no title", "write title = \"…\"")
		case t.Narration == "" && step.Narration != "":
			add(name, "step "+name+" has no narration", "write narration = \"…\"")
		}
	}
	for _, name := range sorted(c.Steps) {
		if !names[name] {
			add(name, "step "+name+" is not in the mission any more", "rename or remove it")
		}
	}
	var missing []readerText
	known := map[string]bool{}
	for _, t := range texts {
		if t.composed {
			if !letters.MatchString(verb.ReplaceAllString(t.text, "")) {
				continue
			}
			tell(t.file, Span{t.at, t.end}, "this text is put together when the lab runs, so "+c.File+" cannot have it", "write tr(\"…\") with %s in it, and % after that")
			continue
		}
		known[t.text] = true
		if c.Texts[t.text] == "" {
			missing = append(missing, t)
		}
	}
	for _, text := range sorted(c.Texts) {
		if !known[text] {
			if i := nearest(text, missing); i >= 0 {
				add(text, "this text is older than its original at "+missing[i].position(), fmt.Sprintf("it is now %q", missing[i].text))
				missing = slices.Delete(missing, i, i+1)
				continue
			}
			add(text, "this text is not in the mission any more", "remove it")
			continue
		}
		if of, in := verbs(text), verbs(c.Texts[text]); of != in {
			add(text, fmt.Sprintf("the translation has the verbs %s and its original %s", or(in), or(of)), "a script fills them in in that order")
		}
	}
	for _, t := range missing {
		tell(t.file, Span{t.at, t.end}, "this text is not translated in "+c.File, fmt.Sprintf("add to its [texts]: %q = \"…\"", t.text))
	}
	return problems
}

var letters = regexp.MustCompile(`\pL`)

var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z%]`)

func verbs(text string) string { return strings.Join(verb.FindAllString(text, -1), " ") }

func or(verbs string) string {
	if verbs == "" {
		return "none"
	}
	return verbs
}

// nearest returns the index of the text that is most like another, if one is
// more alike than not; -1 otherwise.
func nearest(text string, among []readerText) int {
	best, least := -1, len([]rune(text))/2
	for i, candidate := range among {
		if d := levenshtein.ComputeDistance(text, candidate.text); d < least {
			best, least = i, d
		}
	}
	return best
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
