package analysis

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/script"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // the mission cannot work as it is written
	SeverityWarning Severity = "warning" // a student or a teacher will stumble over it
	SeverityNote    Severity = "note"    // good to know
)

// Finding is what Lint has to say about a place in a script.
type Finding struct {
	File     string // as it was named
	Span     Span
	Rule     string // the rule's stable name
	Severity Severity
	Message  string
	Remedy   string // how to mend it; may be empty where the message says so
}

// String is the finding as one line: «lab.star:3:5: warning: …: … [rule]».
func (f Finding) String() string {
	severity := ""
	if f.Severity != SeverityError {
		severity = string(f.Severity) + ": "
	}
	return fmt.Sprintf("%s:%d:%d: %s%s [%s]", f.File, f.Span.From.Line, f.Span.From.Column, severity, f.Text(), f.Rule)
}

// Text is what the finding says, without where and how bad.
func (f Finding) Text() string {
	if f.Remedy == "" {
		return f.Message
	}
	return f.Message + ": " + f.Remedy
}

// MarshalJSON writes the finding as one flat object; lines and columns count from
// 1, columns in characters, and the end is the place after the last character.
func (f Finding) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File      string   `json:"file"`
		Line      int      `json:"line"`
		Column    int      `json:"column"`
		EndLine   int      `json:"end_line"`
		EndColumn int      `json:"end_column"`
		Severity  Severity `json:"severity"`
		Rule      string   `json:"rule"`
		Message   string   `json:"message"`
		Remedy    string   `json:"remedy,omitempty"`
	}{f.File, f.Span.From.Line, f.Span.From.Column, f.Span.To.Line, f.Span.To.Column, f.Severity, f.Rule, f.Message, f.Remedy})
}

// Names of findings that are no rules: nothing silences them.
const (
	ruleSyntax  = "syntax"
	ruleName    = "unknown-name"
	ruleLoad    = "load"
	ruleComment = "lint-comment"
)

// rules are what Lint looks for, by the names that silence them.
var rules = map[string]func(*linter){
	"wrong-argument":  (*linter).arguments,
	"unknown-field":   (*linter).fields,
	"unknown-image":   (*linter).imagesInLock,
	"wrong-place":     (*linter).places,
	"bad-step":        (*linter).stepFunctions,
	"not-booted":      (*linter).booted,
	"unused":          (*linter).unused,
	"no-narration":    (*linter).narration,
	"no-check":        (*linter).checks,
	"no-hint":         (*linter).hints,
	"odd-timeout":     (*linter).timeouts,
	"unchecked-input": (*linter).unchecked,
}

// Findings returns what loading a script failed with as findings, one for each
// place that the error names.
func Findings(err error) (findings []Finding) {
	for _, d := range script.Explain(err).Diagnostics() {
		file := ""
		if d.Position.IsValid() {
			file = d.Position.Filename()
		}
		at := Place{max(1, int(d.Position.Line)), max(1, int(d.Position.Col))}
		findings = append(findings, Finding{
			File: file, Span: Span{at, at}, Rule: ruleLoad, Severity: SeverityError, Message: d.Message,
		})
	}
	return findings
}

// linter is one look at a script.
type linter struct {
	*snapshot
	source   *sourceFile // the script
	sources  []*sourceFile
	steps    []declaredStep
	complete bool   // steps are all that there are, in order
	followed int    // calls of the script's own functions that were followed
	rule     string // which is at work

	findings []Finding
}

// LintFile looks for mistakes in the script at a path of the host and in the files
// that it loads, without running them: see Lint.
func LintFile(file string, images []string) ([]Finding, error) {
	root, file, err := script.OpenFolder(file)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if _, err := fs.Stat(root.FS(), filepath.Base(file)); err != nil {
		return nil, err
	}
	return Lint(root.FS(), filepath.Base(file), file, images), nil
}

// Lint looks for mistakes in the script called name in folder, and in the files
// that it loads, without running them; shown is what messages call it, images are
// the names that its machines may boot from. Findings are in the order of the
// text. A comment «# lint: RULE because …», on the line of a finding or the one
// above, silences it; one at step(…) also those about the step as a whole.
func Lint(folder fs.FS, name, shown string, images []string) []Finding {
	snap := newSnapshot(folder, name, shown, images)
	s, err := snap.open(name)
	if err != nil {
		return []Finding{{File: shown, Span: Span{Place{1, 1}, Place{1, 1}}, Rule: ruleLoad, Severity: SeverityError, Message: err.Error()}}
	}
	return snap.lint(s)
}

// lint looks at a file and at those that it loads.
func (snap *snapshot) lint(s *sourceFile) []Finding {
	n := &linter{snapshot: snap, source: s, complete: true}
	n.gather(s)
	n.findSteps(s, map[*sourceFile]bool{})
	for name, apply := range rules {
		n.rule = name
		apply(n)
	}
	n.silence()
	for _, s := range n.sources {
		n.findings = append(n.findings, s.findings...)
	}
	slices.SortFunc(n.findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(n.index(a.File), n.index(b.File)),
			cmp.Compare(a.Span.From.Line, b.Span.From.Line), cmp.Compare(a.Span.From.Column, b.Span.From.Column),
			strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(n.findings)
}

// index orders files: the script first, then those that it loads.
func (n *linter) index(shown string) int {
	return slices.IndexFunc(n.sources, func(s *sourceFile) bool { return s.shown == shown })
}

// report notes a finding of the rule that is at work.
func (n *linter) report(s *sourceFile, at Span, severity Severity, message, remedy string) {
	n.findings = append(n.findings, Finding{File: s.shown, Span: at, Rule: n.rule, Severity: severity, Message: message, Remedy: remedy})
}

var silencer = regexp.MustCompile(`^#\s*lint:\s*([a-z-]+(?:\s*,\s*[a-z-]+)*)\s+because\s+\S`)

// silence drops what comments silence, and finds fault with those comments that do
// not say why, or silence nothing.
func (n *linter) silence() {
	n.rule = ruleComment
	for _, s := range n.sources {
		for _, t := range s.tokens {
			comment := t.In(s.lines.text)
			if t.Kind != script.CommentToken || !strings.HasPrefix(strings.TrimLeft(comment, "# \t"), "lint:") {
				continue
			}
			at := s.lines.span(t.From, t.To)
			match := silencer.FindStringSubmatch(comment)
			if match == nil {
				n.report(s, at, SeverityWarning, "this silences nothing", "write # lint: RULE because …, with a reason")
				continue
			}
			for name := range strings.SplitSeq(match[1], ",") {
				name = strings.TrimSpace(name)
				before := len(n.findings)
				n.findings = slices.DeleteFunc(n.findings, func(f Finding) bool {
					return f.Rule == name && (covers(at, s.shown, f.Span, f.File) || n.coversStep(at, s, f))
				})
				_, known := rules[name]
				switch {
				case !known:
					n.report(s, at, SeverityWarning, fmt.Sprintf("no rule is called %s%s", name, builtins.Suggest(name, RuleNames())), "remove the comment, or name the rule that a finding ends with")
				case len(n.findings) == before:
					remedy := "remove the comment"
					if line := n.nearest(s, name, at.From.Line); line > 0 {
						remedy += fmt.Sprintf(", or move it to line %d, where there is one", line)
					}
					n.report(s, at, SeverityWarning, fmt.Sprintf("there is no finding of %s here", name), remedy)
				}
			}
		}
	}
}

// nearest returns the line of a file, nearest to another one, where there is a finding of
// a rule; 0 if there is none.
func (n *linter) nearest(s *sourceFile, rule string, to int) (line int) {
	away := func(line int) int { return max(line-to, to-line) }
	for _, f := range n.findings {
		at := f.Span.From.Line
		if f.File == s.shown && f.Rule == rule && (line == 0 || away(at) < away(line) || away(at) == away(line) && at < line) {
			line = at
		}
	}
	return line
}

// stands reports whether a comment stands on the line where something begins, or above.
func covers(comment Span, in string, at Span, file string) bool {
	line := at.From.Line
	return in == file && (line == comment.From.Line || line == comment.From.Line+1)
}

// aboutStep reports whether a comment stands at a call of step, and a finding is about
// that step as a whole: it is where its function has its name or its docstring.
func (n *linter) coversStep(comment Span, in *sourceFile, f Finding) bool {
	for _, step := range n.steps {
		if step.home.shown != f.File || !covers(comment, in.shown, step.in.spanOf(step.call), step.in.shown) {
			continue
		}
		if f.Span == step.home.spanOf(step.def.Name) {
			return true
		}
		if _, doc := docstring(step.def); doc != nil && f.Span == step.home.spanOf(doc) {
			return true
		}
	}
	return false
}

// RuleNames returns the names of the rules that a comment can silence, sorted.
func RuleNames() []string {
	var names []string
	for name := range rules {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
