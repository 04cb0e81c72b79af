package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
)

// language is what the user wants to read, as a BCP 47 tag; empty if they have said
// nothing, and so the original's. POSIX gives LC_ALL precedence over LC_MESSAGES,
// and that over LANG (XBD, chapter 8.2).
func (p *program) language() string {
	locale := cmp.Or(p.lang, p.Getenv("LC_ALL"), p.Getenv("LC_MESSAGES"), p.Getenv("LANG"))
	locale, _, _ = strings.Cut(locale, ".")
	locale, _, _ = strings.Cut(locale, "@")
	if locale == "C" || locale == "POSIX" {
		return ""
	}
	return strings.ReplaceAll(locale, "_", "-")
}

// spoken is the language of labrun's own words to a student.
func (p *program) spoken() string {
	if l, ok := phrase.Match(p.language(), phrase.Languages()); ok {
		return l
	}
	return phrase.Languages()[0]
}

// checkLanguage refuses a language that was asked for by --lang and that the
// mission is not told in; a locale is only a wish.
func (p *program) checkLanguage(m *mission.Mission) error {
	if p.lang == "" {
		return nil
	}
	if l, ok := phrase.Match(p.language(), m.Languages()); ok && l == m.Language() {
		return nil
	}
	languages := m.Languages()
	slices.Sort(languages[1:])
	return &usageError{
		fmt.Sprintf(
			"--lang %s: the mission is not told in that language: there are %s", p.lang, strings.Join(languages, ", "),
		),
	}
}
