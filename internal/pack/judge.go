package pack

import (
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Verdict is what a check's run means.
type Verdict struct {
	Passed bool
	Parts  []Part   // the sub-checks that it printed, in order
	Said   []string // if it printed none: what else it printed
	Broken string   // the check itself does not work: why; else empty
}

// Part is one line of a check's about one thing.
type Part struct {
	Holds bool
	Text  string
}

// Failing returns the texts of the parts that do not hold.
func (v Verdict) Failing() []string {
	var texts []string
	for _, p := range v.Parts {
		if !p.Holds {
			texts = append(texts, p.Text)
		}
	}
	return texts
}

// The marks that checks print before or after what they are about. Words count only where
// nothing else can be meant: in brackets, in capitals with a colon, or in TAP's form.
var (
	markBefore = regexp.MustCompile(`^(?:[-*•>|]\s*)?(?:` +
		`([✓✔✅☑√]|\[ ?(?:✓|✔|\+|PASS|PASSED|OK|SUCCESS)\s?\]|(?:PASS|PASSED|OK|SUCCESS)\s*:|PASS(?:ED)?\s+-\s)|` +
		`([✗✘❌✖❎☒×]|\[ ?(?:✗|✘|-|FAIL|FAILED|NOT OK|ERROR|KO)\s?\]|(?:FAIL|FAILED|FAILURE|NOT OK|ERROR)\s*:|FAIL(?:ED)?\s+-\s)` +
		`)\x{FE0F}?\s*[:\-–]?\s*(.*)$`)
	markAfter = regexp.MustCompile(`^(.*?\S)[\s.…:\-–]*\s(?:([✓✔✅☑]|\[ ?(?:✓|✔|PASS|PASSED|OK|DONE)\s?\]|PASS|PASSED|OK)|` +
		`([✗✘❌✖❎☒]|\[ ?(?:✗|✘|FAIL|FAILED|NOT OK|ERROR)\s?\]|FAIL|FAILED))\x{FE0F}?$`)
	tapLine   = regexp.MustCompile(`^(not )?ok\b(\s+\d+)?\s*(-\s+)?([^#]*?)\s*(?:#\s*((?i:skip|todo))\b.*)?$`)
	tapPlan   = regexp.MustCompile(`^(?:1\.\.\d+.*|TAP version \d+)$`)
	rule      = regexp.MustCompile(`^[\s=\-_*#~─━═▔▁.]*$`)
	tooManyOf = 20 // lines of a check that a student is told
)

// Judge says what a check means by its exit status and by what it printed. The status is
// the verdict; only a failed line of TAP counts as well, since a producer of TAP may end
// with 0 all the same.
func Judge(status int, output string) Verdict {
	v := Verdict{Passed: status == 0}
	tapFailed, tap := false, tapPlan.MatchString(strings.TrimSpace(strings.SplitN(ansi.Strip(output), "\n", 2)[0]))
	after := false // the line before was a part
	for line := range strings.Lines(ansi.Strip(output)) {
		if at := strings.LastIndexByte(strings.TrimRight(line, "\r\n"), '\r'); at >= 0 {
			line = line[at+1:] // it was written over what stood there
		}
		text := strings.TrimSpace(line)
		switch {
		case text == "" || rule.MatchString(text):
			after = false
			continue
		case tapPlan.MatchString(text):
			tap = true
			continue
		}
		if m := tapLine.FindStringSubmatch(text); m != nil && (tap || m[2]+m[3] != "") {
			if m[5] == "" { // what is skipped or still to do decides nothing
				v.Parts = append(v.Parts, Part{m[1] == "", m[4]})
				tapFailed = tapFailed || m[1] != ""
				after = true
			}
			continue
		}
		if m := markBefore.FindStringSubmatch(text); m != nil && m[3] != "" {
			v.Parts, after = append(v.Parts, Part{m[1] != "", m[3]}), true
			continue
		}
		if m := markAfter.FindStringSubmatch(text); m != nil {
			v.Parts, after = append(v.Parts, Part{m[2] != "", m[1]}), true
			continue
		}
		// What stands indented below a part, or after TAP's #, belongs to it.
		if detail := strings.TrimSpace(strings.TrimPrefix(text, "#")); after && (line[0] == ' ' || line[0] == '\t' || text[0] == '#') {
			v.Parts[len(v.Parts)-1].Text += ": " + detail
			continue
		}
		after = false
		v.Said = append(v.Said, text)
	}
	v.Passed = v.Passed && !tapFailed
	if extra := len(v.Said) - tooManyOf; extra > 0 {
		v.Said = v.Said[extra:]
	}
	if status == 126 || status == 127 {
		v.Broken = "a program of it cannot be run"
		if len(v.Said) > 0 {
			v.Broken += ": " + v.Said[len(v.Said)-1]
		}
	}
	return v
}
