package analysis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/script"
)

// silencer is a comment that silences rules: # lint: RULE, RULE because REASON.
var silencer = regexp.MustCompile(`^#\s*lint:\s*([a-z-]+(?:\s*,\s*[a-z-]+)*)\s+because\s+\S`)

// silence drops what comments silence, and reports those comments that do not say why, or
// silence nothing.
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
				const how = "write # lint: RULE because …, with a reason"
				n.report(s, at, SeverityWarning, "this silences nothing", how)
				continue
			}
			for name := range strings.SplitSeq(match[1], ",") {
				n.silenceRule(s, at, strings.TrimSpace(name))
			}
		}
	}
}

// silenceRule drops the findings of a rule that a comment stands at.
func (n *linter) silenceRule(s *sourceFile, comment Span, rule string) {
	before := len(n.findings)
	n.findings = slices.DeleteFunc(n.findings, func(f Finding) bool {
		return f.Rule == rule && (covers(comment, s.shown, f.Span, f.File) || n.coversStep(comment, s, f))
	})
	_, known := rules[rule]
	switch {
	case !known:
		message := fmt.Sprintf("no rule is called %s%s", rule, builtins.Suggest(rule, RuleNames()))
		n.report(s, comment, SeverityWarning, message, "remove the comment, or name the rule that a finding ends with")
	case len(n.findings) == before:
		remedy := "remove the comment"
		if line := n.nearest(s, rule, comment.From.Line); line > 0 {
			remedy += fmt.Sprintf(", or move it to line %d, where there is one", line)
		}
		n.report(s, comment, SeverityWarning, fmt.Sprintf("there is no finding of %s here", rule), remedy)
	}
}

// nearest returns the line of a file, nearest to another one, where there is a finding of
// a rule; 0 if there is none.
func (n *linter) nearest(s *sourceFile, rule string, to int) (line int) {
	away := func(line int) int { return max(line-to, to-line) }
	for _, f := range n.findings {
		at := f.Span.From.Line
		nearer := line == 0 || away(at) < away(line) || away(at) == away(line) && at < line
		if nearer && f.File == s.shown && f.Rule == rule {
			line = at
		}
	}
	return line
}

// covers reports whether a comment stands on the line where something begins, or above.
func covers(comment Span, in string, at Span, file string) bool {
	line := at.From.Line
	return in == file && (line == comment.From.Line || line == comment.From.Line+1)
}

// coversStep reports whether a comment stands at a call of step, and a finding is about
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
