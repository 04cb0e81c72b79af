package console

import "regexp"

// question is how programs end a line on which they want an answer.
var question = regexp.MustCompile(`[?:>\])] ?$`)

// secondPrompt is what shells ask with for the rest of a command.
const secondPrompt = "> "

// longestPrompt is the longest line, in bytes, that is looked at as a prompt.
const longestPrompt = 512

// A PromptKind says what a console waits for.
type PromptKind int

const (
	NoPrompt PromptKind = iota
	LoginPrompt
	PasswordPrompt
	ShellPrompt
	// Question is any other line that asks: «[Y/n] », «Command: », a shell's «> ». It
	// is a guess, so only Ready takes it for a prompt.
	Question
	// bareShell is a shell prompt with nothing typed at it: see AtRest.
	bareShell
)

func (k PromptKind) String() string {
	switch k {
	case LoginPrompt:
		return "a login prompt"
	case PasswordPrompt:
		return "a password prompt"
	case ShellPrompt:
		return "a shell prompt"
	case Question:
		return "a question"
	case bareShell:
		return "a shell prompt with nothing typed at it"
	}
	return "no prompt"
}

// Prompts are what waiting prompts look like on one machine, as long as none was seen.
// Each is matched against the unterminated line the console ends in, without kernel
// lines; nil matches nothing. A machine without any (a game, a test of the memory) has finished
// when nothing has been printed for a second. They should account for the whole line (`^\S+:\S* [#$] $`).
type Prompts struct {
	Login, Password, Shell *regexp.Regexp
}

// none reports whether the machine is not known to have any.
func (p Prompts) none() bool { return p == Prompts{} }

// kind says which prompt a line is.
func (p Prompts) kind(line []byte) PromptKind {
	if len(line) == 0 {
		return NoPrompt
	}
	for _, c := range []struct {
		re   *regexp.Regexp
		kind PromptKind
	}{
		{p.Password, PasswordPrompt},
		{p.Login, LoginPrompt},
		{p.Shell, ShellPrompt},
	} {
		if c.re != nil && c.re.Match(line) {
			return c.kind
		}
	}
	return NoPrompt
}
