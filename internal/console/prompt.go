package console

import "regexp"

// longestPrompt is the longest line, in bytes, that is looked at as a prompt.
const longestPrompt = 512

// A PromptKind says what a console waits for.
type PromptKind int

const (
	NoPrompt PromptKind = iota
	LoginPrompt
	PasswordPrompt
	ShellPrompt
)

func (k PromptKind) String() string {
	switch k {
	case LoginPrompt:
		return "a login prompt"
	case PasswordPrompt:
		return "a password prompt"
	case ShellPrompt:
		return "a shell prompt"
	}
	return "no prompt"
}

// Prompts are what waiting prompts look like on one machine. Each is matched
// against the unterminated line the console ends in, without kernel lines; nil
// matches nothing. They should account for the whole line (`^\S+:\S* [#$] $`).
type Prompts struct {
	Login, Password, Shell *regexp.Regexp
}

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
