package analysis

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"go.starlark.net/syntax"

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

// String is the finding as one line, such as
//
//	lab.star:3:5: warning: what is wrong: how to mend it [rule]
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
	from, to := f.Span.From, f.Span.To
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
	}{f.File, from.Line, from.Column, to.Line, to.Column, f.Severity, f.Rule, f.Message, f.Remedy})
}

// Names of findings that are no rules: nothing silences them.
const (
	ruleSyntax  = "syntax"
	ruleName    = "unknown-name"
	RuleLoad    = "load" // what loading a mission, or what belongs to it, failed with
	ruleComment = "lint-comment"
	rulePack    = "pack"
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
	"long-line":       (*linter).longLines,
	"unknown-variant": (*linter).variants,
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
			File: file, Span: Span{at, at}, Rule: RuleLoad, Severity: SeverityError, Message: d.Message,
		})
	}
	return findings
}

// PackNotes returns what the author of a mission should know of its packs, as findings.
func PackNotes(s *script.Script) (findings []Finding) {
	for _, n := range s.Declared().Notes {
		at := Place{max(1, int(n.Position.Line)), 1}
		findings = append(findings, Finding{
			File: n.Position.Filename(), Span: Span{at, at}, Rule: rulePack, Severity: SeverityWarning, Message: n.Message,
		})
	}
	return findings
}

// linter is one look at a script and the files that it loads.
type linter struct {
	*snapshot
	source   *sourceFile    // the script
	sources  []*sourceFile  // itself first
	steps    []declaredStep // in the order in which they are declared
	complete bool           // steps are all that there are: none is declared in a way that is not followed
	followed int            // calls of the script's own functions that were followed
	rule     string         // which is at work

	findings []Finding
}

// LintFile looks for mistakes in the script at a path of the host and in the files
// that it loads, without running them: see Lint.
func LintFile(file string, images Images) ([]Finding, error) {
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
// those that its machines may boot from. Findings are in the order of the
// text. A comment # lint: RULE because …, on the line of a finding or the one
// above, silences it; one at step(…) also those about the step as a whole.
func Lint(folder fs.FS, name, shown string, images Images) []Finding {
	snap := newSnapshot(folder, name, shown, images)
	s, err := snap.open(name)
	if err != nil {
		begin := Place{1, 1}
		return []Finding{{
			File: shown, Span: Span{begin, begin}, Rule: RuleLoad, Severity: SeverityError, Message: err.Error(),
		}}
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
	n.findings = append(n.findings, Finding{
		File: s.shown, Span: at, Rule: n.rule, Severity: severity, Message: message, Remedy: remedy,
	})
}

// errorAt reports what cannot work at a node of a file's tree.
func (n *linter) errorAt(s *sourceFile, at syntax.Node, message, remedy string) {
	n.report(s, s.spanOf(at), SeverityError, message, remedy)
}

// warnAt reports what somebody will stumble over at a node of a file's tree.
func (n *linter) warnAt(s *sourceFile, at syntax.Node, message, remedy string) {
	n.report(s, s.spanOf(at), SeverityWarning, message, remedy)
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
