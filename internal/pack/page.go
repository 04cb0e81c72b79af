package pack

import (
	"regexp"
	"strings"

	"github.com/labrun/labrun/internal/markdown"
)

// page is a text of a challenge, taken apart: its first heading is the title, and what
// stands below headings that announce it is the goal, the hints, or the answer. All the
// rest is the narration.
type page struct {
	title, narration, goal string
	hints, answer          []string
}

var (
	heading       = regexp.MustCompile(`^(#{1,6})\s+(.*?)\s*#*\s*$`)
	fence         = regexp.MustCompile("^\\s{0,3}(```+|~~~+)")
	numberBefore  = regexp.MustCompile(`(?i)^(?:(?:challenge|step|exercise|lab|level|task)\s+)?\d+(?:\.\d+)*\s*[.:)\-–—]\s*`)
	goalHeading   = regexp.MustCompile(`(?i)^(?:your |the )?(?:task|goal|mission|objective)$|^(?:deine )?aufgabe$|^(?:你的)?(?:任務|任务|目標|目标)$`)
	hintHeading   = regexp.MustCompile(`(?i)^(?:hints?|tips?|tipps?|hinweise?|提示)$`)
	answerHeading = regexp.MustCompile(`(?i)^(?:the )?(?:solution|answer|lösung|解答|答案)s?$`)
)

// readPage takes a text apart.
func readPage(text string) (p page) {
	title, sections := "", []section{{}}
	fenced := ""
	for line := range strings.Lines(strings.TrimSpace(text)) {
		if m := fence.FindStringSubmatch(line); m != nil {
			switch {
			case fenced == "":
				fenced = m[1]
			case strings.HasPrefix(m[1], fenced):
				fenced = ""
			}
		}
		m := heading.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case m == nil || fenced != "":
			sections[len(sections)-1].body += line
		case title == "" && len(sections) == 1 && strings.TrimSpace(sections[0].body) == "":
			title = m[2]
		default:
			sections = append(sections, section{len(m[1]), m[2], line, ""})
		}
	}
	p.title = numberBefore.ReplaceAllString(title, "")
	if p.title == "" {
		p.title = title
	}
	p.title = strings.Trim(p.title, "*_` ")
	var rest strings.Builder
	for i := 0; i < len(sections); i++ {
		s := sections[i]
		name := strings.Trim(s.heading, "*_:： ")
		below := func() string { // with the sections of lower levels
			all := s.body
			for i+1 < len(sections) && sections[i+1].level > s.level {
				i++
				all += sections[i].line + sections[i].body
			}
			return strings.TrimSpace(all)
		}
		switch {
		case s.level > 0 && p.goal == "" && goalHeading.MatchString(name):
			p.goal = below()
		case s.level > 0 && hintHeading.MatchString(name):
			p.hints = append(p.hints, splitHints(below())...)
		case s.level > 0 && answerHeading.MatchString(name):
			p.answer = append(p.answer, markdown.Code(below())...)
		default:
			rest.WriteString(s.line + s.body)
		}
	}
	p.narration = strings.TrimSpace(rest.String())
	return p
}

// under is the narration of a text whose title is given elsewhere: its own is a heading then.
func (p page) under(title string) string {
	if p.title == "" || p.title == title {
		return p.narration
	}
	return strings.TrimSpace("## " + p.title + "\n\n" + p.narration)
}

type section struct {
	level         int // 0: before the first heading
	heading, line string
	body          string
}

var (
	details     = regexp.MustCompile(`(?is)<details[^>]*>\s*(?:<summary[^>]*>.*?</summary>)?(.*?)</details>`)
	hintStart   = regexp.MustCompile(`(?i)^#{1,6}\s.*$`)
	numbered    = regexp.MustCompile(`^(?:(?:hint|tip|tipp|提示)\s*#?\d+\s*[.:)：]|\d+[.)]\s|[-*+]\s)\s*`)
	named       = regexp.MustCompile(`(?i)^(?:hint|tip|tipp|提示)\s*#?\d+\s*[.:)：\-]\s*`)
	separatedBy = regexp.MustCompile(`(?m)^\s*(?:-{3,}|={3,}|\*{3,}|%)\s*$`)
)

// splitHints parts a text into its hints: by folded parts (<details>), lines that part
// (---), headings, items of a list, lines that begin with «Hint 1:», or else paragraphs. A
// text of a few lines is a hint a line.
func splitHints(text string) []string {
	if found := details.FindAllStringSubmatch(text, -1); len(found) > 0 {
		var hints []string
		for _, m := range found {
			hints = append(hints, m[1])
		}
		return trimmed(hints)
	}
	if parts := separatedBy.Split(text, -1); len(parts) > 1 {
		for i, p := range parts {
			parts[i] = withoutHeading(p)
		}
		return trimmed(parts)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 0 && hintStart.MatchString(lines[0]) && !startsAgain(lines, hintStart) {
		lines = lines[1:] // the file's own heading
		return splitHints(strings.Join(lines, "\n"))
	}
	for _, start := range []*regexp.Regexp{hintStart, named, numbered} {
		if len(lines) > 0 && start.MatchString(lines[0]) || start == hintStart && startsAgain(lines, start) {
			return splitAt(lines, start)
		}
	}
	paragraphs := regexp.MustCompile(`\n\s*\n`).Split(strings.TrimSpace(text), -1)
	if len(paragraphs) == 1 && !strings.Contains(text, "```") && !strings.HasPrefix(text, "    ") {
		return trimmed(lines)
	}
	return trimmed(paragraphs)
}

func startsAgain(lines []string, start *regexp.Regexp) bool {
	n := 0
	for _, line := range lines {
		if start.MatchString(line) {
			n++
		}
	}
	return n > 1
}

// splitAt parts lines where they begin as start says, and takes that away.
func splitAt(lines []string, start *regexp.Regexp) []string {
	var hints []string
	fenced := false
	for _, line := range lines {
		if fence.MatchString(line) {
			fenced = !fenced
		}
		if !fenced && start.MatchString(line) {
			hints = append(hints, start.ReplaceAllString(line, "")+"\n")
			continue
		}
		if len(hints) == 0 {
			continue // before the first one
		}
		hints[len(hints)-1] += strings.TrimPrefix(line, "   ") + "\n"
	}
	return trimmed(hints)
}

func trimmed(texts []string) (all []string) {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			all = append(all, t)
		}
	}
	return all
}

// withoutHeading is a text without a heading that it begins with.
func withoutHeading(text string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if heading.MatchString(first) {
		return rest
	}
	return text
}
