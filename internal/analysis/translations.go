package analysis

import (
	"fmt"
	"maps"
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
	var findings []Finding
	for _, t := range all {
		c := comparison{translation: t}
		for _, v := range s.Session.Declared().Variants {
			c.drawn = append(c.drawn, v.Name)
		}
		c.title(s.Session.Declared().Title)
		c.steps(s.Session.Declared().Steps)
		c.texts(texts)
		findings = append(findings, c.findings...)
	}
	return findings, err
}

// readerText is a text of a script that its reader sees.
type readerText struct {
	text     string
	file     string
	span     Span
	composed bool // it is put together when the script runs, so no translation can be found
}

func (r readerText) position() string {
	return fmt.Sprintf("%s:%d:%d", r.file, r.span.From.Line, r.span.From.Column)
}

// readerTexts collects what a mission's reader sees besides titles and narrations: the
// literal arguments for readers of builtins, wherever they are called. A text that comes
// again is listed once.
func readerTexts(s *script.Script) (all []readerText) {
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
			call, ok := n.(*syntax.CallExpr)
			if !ok {
				return true
			}
			for _, e := range readable(table, call) {
				literal, whole := e.(*syntax.Literal)
				if !whole {
					literal = leading(e)
				}
				text := literal.Value.(string)
				if text == "" || seen[text] && whole {
					continue
				}
				seen[text] = seen[text] || whole
				from, to := literal.Span()
				span := Span{placeOf(from), placeOf(to)}
				all = append(all, readerText{text: text, file: source.Shown, span: span, composed: !whole})
			}
			return true
		})
	}
	return all
}

// leading returns the literal that an expression puts a text together from: the first of a
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

// comparison looks for what is wrong with one translation.
type comparison struct {
	translation *script.Translation
	drawn       []string // the names of the mission's variants
	findings    []Finding
}

// report notes a finding in the translation or in the script.
func (c *comparison) report(file string, at Span, message, remedy string) {
	c.findings = append(c.findings, Finding{
		File: file, Span: at, Rule: ruleTranslation, Severity: SeverityWarning, Message: message, Remedy: remedy,
	})
}

// reportKey notes a finding where a key of the translation is; an empty one for the beginning.
func (c *comparison) reportKey(key, message, remedy string) {
	at := Place{c.translation.Line(key), 1}
	c.report(c.translation.File, Span{at, at}, message, remedy)
}

func (c *comparison) title(original string) {
	if c.translation.Title == "" {
		remedy := fmt.Sprintf("write title = \"…\" for %q", original)
		c.reportKey("title", "the mission's title is not translated", remedy)
		return
	}
	c.variants("title", original, c.translation.Title)
}

// variants compares which variants a text and its translation show.
func (c *comparison) variants(key, original, translated string) {
	shown, _ := builtins.Placeholders(original)
	in, _ := builtins.Placeholders(translated)
	for _, name := range c.drawn {
		if slices.Contains(shown, name) && !slices.Contains(in, name) {
			c.reportKey(key, "the translation does not have {"+name+"}, which its original shows", "put it where the value belongs")
		}
	}
	for _, name := range in {
		if meant := nearVariant(name, c.drawn); meant != "" && !slices.Contains(shown, name) {
			c.reportKey(key, "{"+name+"} is no variant"+meant, meantVariant)
		}
	}
}

func (c *comparison) steps(originals []builtins.Step) {
	names := map[string]bool{}
	for _, step := range originals {
		name := step.Function.Name()
		names[name] = true
		t, known := c.translation.Steps[name]
		original := fmt.Sprintf("original = %q", script.Digest(step))
		switch {
		case !known && step.Digest != "":
			message := fmt.Sprintf("step %s (%q) is not translated", name, step.Title)
			c.reportKey("", message, "put its text into the pack, beside the original: README."+c.translation.Language()+".md")
		case !known:
			message := fmt.Sprintf("step %s (%q) is not translated", name, step.Title)
			c.reportKey("", message, fmt.Sprintf("add [steps.%s] with %s", name, original))
		case t.Original != script.Digest(step):
			c.reportKey(name, "step "+name+" is older than its original", "compare them, then write "+original)
		case t.Title == "":
			c.reportKey(name, "step "+name+" has no title", "write title = \"…\"")
		case t.Narration == "" && step.Narration != "":
			c.reportKey(name, "step "+name+" has no narration", "write narration = \"…\"")
		default:
			c.variants(name, step.Title+"\n"+step.Narration, t.Title+"\n"+t.Narration)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.translation.Steps)) {
		if !names[name] {
			c.reportKey(name, "step "+name+" is not in the mission any more", "rename or remove it")
		}
	}
}

func (c *comparison) texts(originals []readerText) {
	translated, file := c.translation.Texts, c.translation.File
	var missing []readerText
	known := map[string]bool{}
	for _, t := range originals {
		switch {
		case t.composed && letters.MatchString(script.Verb.ReplaceAllString(t.text, "")):
			c.report(t.file, t.span, "this text is put together when the lab runs, so "+file+" cannot have it",
				"write tr(\"…\") with %s in it, and % after that")
		case t.composed: // of nothing but values
		default:
			known[t.text] = true
			if translated[t.text] == "" {
				missing = append(missing, t)
			}
		}
	}
	for _, text := range slices.Sorted(maps.Keys(translated)) {
		if c.translation.Brought(text) {
			continue
		}
		if !known[text] {
			missing = c.stale(text, missing)
			continue
		}
		if of, in := verbs(text), verbs(translated[text]); of != in {
			c.reportKey(text, fmt.Sprintf("the translation has the verbs %s and its original %s", or(in), or(of)),
				"a script fills them in in that order")
		}
		c.variants(text, text, translated[text])
	}
	for _, t := range missing {
		remedy := fmt.Sprintf("add to its [texts]: %q = \"…\"", t.text)
		c.report(t.file, t.span, "this text is not translated in "+file, remedy)
	}
}

// stale reports a translated text that the script does not have any more. If one of those
// that are missing is much like it, that is what it has become. It returns the others.
func (c *comparison) stale(text string, missing []readerText) []readerText {
	i := nearest(text, missing)
	if i < 0 {
		c.reportKey(text, "this text is not in the mission any more", "remove it")
		return missing
	}
	c.reportKey(text, "this text is older than its original at "+missing[i].position(),
		fmt.Sprintf("it is now %q", missing[i].text))
	return slices.Delete(missing, i, i+1)
}

var letters = regexp.MustCompile(`\pL`)

func verbs(text string) string { return strings.Join(script.Verb.FindAllString(text, -1), " ") }

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
