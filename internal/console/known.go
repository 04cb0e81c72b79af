package console

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mostKnown is how many shell prompts are remembered: of shells one in the other, and
// of folders gone through.
const mostKnown = 16

// known is what is known of a console's shell prompts from those that were typed at.
// The package's comment tells the reasons.
type known struct {
	texts []string // the latest last
	// none tells that nothing is known of the next prompt: a login or a password leads
	// to a shell that was never seen.
	none bool
	// tried is a line that something was typed at without certainty that it is a prompt.
	tried string
	// ahead says that the last line may have been typed while something else ran.
	ahead bool
}

// A reading is what a console's last line is taken for.
type reading struct {
	kind PromptKind
	text string // the prompt's own: what is before it on its line is output
	sure bool   // it needs not stand still for long to be believed
	same bool   // it is all of the line, and was typed at before
}

// How prompts are written, so that one with another folder, user or host can be told from
// a line of output.
var promptShapes = []*regexp.Regexp{
	regexp.MustCompile(`^(?:[\w.-]+@)?[\w.()-]+:[~/]\S*[#$] $`), // root@os25:~# , localhost:~$
	regexp.MustCompile(`^\[[\w.-]+@[\w.()-]+ \S+\][#$] $`),      // [root@os25 ~]#
	regexp.MustCompile(`^[~/]\S* [#$] $`),                       // ~ #
}

var (
	promptHead = regexp.MustCompile(
		`^[\w.-]+:|\[?[\w.-]+@[\w.()-]+[: ]`,
	) // what stays the same as long as user and host do
	promptRest = regexp.MustCompile(`^\S*[#$%>] `)    // and what follows it
	promptPath = regexp.MustCompile(`[~/]\S* [#$] $`) // where a path is all there is
	numbers    = regexp.MustCompile(`\d+`)            // a clock, a counter, a status

	// passwordOf is a password prompt that says whose: no program prints it for show.
	passwordOf = regexp.MustCompile(`\w's password: ?$`)
)

// read says which prompt a line is. Whole says that it is all of the line, and not only
// the end of a long one.
func (k *known) read(line []byte, whole bool, patterns Prompts) reading {
	if len(line) == 0 {
		return reading{}
	}
	if text := k.recognise(line, whole); text != "" {
		same := whole && text == string(line) && !bare(text) && slices.Contains(k.texts, text)
		return reading{ShellPrompt, text, true, same}
	}
	kind := NoPrompt
	if whole {
		kind = patterns.kind(line)
	}
	switch {
	case kind == LoginPrompt:
		return reading{kind: kind, text: string(line), sure: true}
	case kind == PasswordPrompt:
		return reading{kind: kind, text: string(line), sure: k.none || passwordOf.Match(line)}
	case kind == ShellPrompt && (k.none || k.similar(line)):
		return reading{kind: kind, text: string(line), sure: true}
	}
	if text := k.guess(line); text != "" {
		return reading{kind: ShellPrompt, text: text}
	}
	return reading{kind: kind, text: string(line)}
}

// recognise returns the prompt that a line ends in, if that is known, or differs from one
// that is known in what follows user and host.
func (k *known) recognise(line []byte, whole bool) (text string) {
	for i, known := range slices.Backward(k.texts) {
		if !bytes.HasSuffix(line, []byte(known)) || len(known) <= len(text) {
			continue
		}
		if exact := whole && len(known) == len(line); !bare(known) || exact && i == len(k.texts)-1 {
			text = known
		}
	}
	if text != "" {
		return text
	}
	if whole && k.tried != "" && string(line) == k.tried {
		return k.tried
	}
	for _, known := range slices.Backward(k.texts) {
		if at := headed(known, line, bytes.LastIndex); at != nil && at[1] == len(line) {
			return string(line[at[0]:])
		}
	}
	return ""
}

// headed finds the prompt that begins as a known one does, up to user and host; nil if
// there is none.
func headed(known string, line []byte, index func(s, sep []byte) int) []int {
	head := promptHead.FindString(known)
	if head == "" {
		return nil
	}
	at := index(line, []byte(head))
	if at < 0 {
		return nil
	}
	rest := promptRest.FindIndex(line[at+len(head):])
	if rest == nil {
		return nil
	}
	return []int{at, at + len(head) + rest[1]}
}

// find returns the first known prompt within a line, and where it ends.
func (k *known) find(line []byte) (prompt string, end int) {
	for i, known := range slices.Backward(k.texts) {
		at := bytes.Index(line, []byte(known))
		if at < 0 || bare(known) && (at > 0 || i < len(k.texts)-1) {
			continue
		}
		if prompt == "" || at+len(known) < end {
			prompt, end = known, at+len(known)
		}
	}
	for _, known := range k.texts {
		if at := headed(known, line, bytes.Index); at != nil && (prompt == "" || at[1] < end) {
			prompt, end = string(line[at[0]:at[1]]), at[1]
		}
	}
	return prompt, end
}

// bare says that a prompt is nothing but a sign, which output may well end in.
func bare(prompt string) bool { return strings.Trim(prompt, "#$%> ") == "" }

// similar reports whether a line is written as one of the known prompts is.
func (k *known) similar(line []byte) bool {
	for i, known := range slices.Backward(k.texts) {
		for _, shape := range promptShapes {
			if shape.MatchString(known) && shape.Match(line) {
				return true
			}
		}
		if i == len(k.texts)-1 && numbers.ReplaceAllString(known, "0") == numbers.ReplaceAllString(string(line), "0") {
			return true
		}
	}
	return false
}

// guess returns what would be the prompt at the end of a line, if anything suggests it.
func (k *known) guess(line []byte) string {
	if k.tried != "" && bytes.HasSuffix(line, []byte(k.tried)) {
		return k.tried
	}
	if len(k.texts) == 0 {
		return ""
	}
	latest := k.texts[len(k.texts)-1]
	switch {
	case bytes.HasSuffix(line, []byte(latest)):
		return latest
	case promptPath.MatchString(latest):
		return string(promptPath.Find(line))
	}
	return ""
}

// typedAt takes in that Enter or a signal key was pressed for a line that was begun at a
// prompt; asked says that there was none, but a question.
func (k *known) typedAt(at reading, asked bool) {
	k.tried, k.ahead = "", false
	switch {
	case at.kind == LoginPrompt: // all shells before it have ended
		k.texts, k.none = nil, true
	case at.kind == PasswordPrompt:
		k.none, k.ahead = true, !at.sure
	case at.kind == ShellPrompt && at.sure:
		k.learn(at.text)
	case at.kind == ShellPrompt:
		k.tried, k.ahead = at.text, true
	default:
		k.ahead = !asked
	}
}

// learn makes a prompt the latest that is known.
func (k *known) learn(text string) {
	k.texts = append(slices.DeleteFunc(k.texts, func(s string) bool { return s == text }), text)
	if len(k.texts) > mostKnown {
		k.texts = slices.Delete(k.texts, 0, 1)
	}
	k.none = false
}

// patience is how long a console must have been unchanged for its prompt to be believed.
func (k *known) patience(p reading) time.Duration {
	switch {
	case !p.sure:
		return settleNew
	case k.ahead && p.kind == ShellPrompt && p.text != k.tried:
		return settleAhead
	case p.same:
		return settleKnown
	}
	return settlePrompt
}
