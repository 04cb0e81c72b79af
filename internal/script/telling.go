package script

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/phrase"
)

// telling is how a mission is told: its reader may go on in another language. What a
// script has put together by then is a text in the language before, so those that were
// used are kept, for their texts to be found again.
type telling struct {
	by      *Translation   // nil: the original
	used    []*Translation // it, and those before it
	changed bool           // it was told in another language before
}

// Language returns the language that the mission is told in.
func (s *Script) Language() string {
	if by := s.telling.Load().by; by != nil {
		return by.language
	}
	return s.Session.Declared().Language
}

// Languages returns the languages that the mission can be told in, the original's
// first.
func (s *Script) Languages() []string {
	return append([]string{s.Session.Declared().Language}, s.languages...)
}

// TellIn has the mission told, from now on, in the language of its own that a reader of
// tag understands; false: there is none, or its translation is broken, and it stays as it
// is. All else of the script may be used meanwhile.
func (s *Script) TellIn(tag string) (bool, error) {
	language, ok := phrase.Match(tag, s.Languages())
	if !ok {
		return false, nil
	}
	now := s.telling.Load()
	next := &telling{used: now.used, changed: true}
	if language != s.Session.Declared().Language {
		known := func(t *Translation) bool { return t.language == language }
		if i := slices.IndexFunc(now.used, known); i >= 0 {
			next.by = now.used[i]
		} else {
			t, err := s.translation(language)
			if err != nil {
				return false, err
			}
			t.fill(s.Session.Declared().Variants)
			next.by, next.used = t, append(slices.Clip(now.used), t)
		}
	}
	s.telling.Store(next)
	return true, nil
}

// Text returns a text of the script's in the present language, be it the original or as it
// was told before; a text that no translation has is returned as it is.
func (s *Script) Text(text string) string {
	text = builtins.Fill(text, s.Session.Declared().Variants)
	now := s.telling.Load()
	if now.by != nil && now.by.Texts[text] != "" {
		return now.by.Texts[text]
	}
	if !now.changed && (now.by == nil || now.by.brought == nil) { // a check's lines are never told by tr
		return text
	}
	if found, ok := now.find(text); ok {
		return now.by.say(found)
	}
	return text
}

// Forms returns a text of the script's in all languages that it was told in.
func (s *Script) Forms(text string) []string {
	text = builtins.Fill(text, s.Session.Declared().Variants)
	now := s.telling.Load()
	found, ok := now.find(text)
	if !ok {
		return []string{text}
	}
	forms := []string{(*Translation)(nil).say(found)}
	for _, t := range now.used {
		forms = append(forms, t.say(found))
	}
	return forms
}

// origin is where a text comes from: its original, and what was put into that.
type origin struct {
	original string
	put      []string
}

// find finds the original of a text, whichever language it is in.
func (t *telling) find(text string) (origin, bool) {
	for _, by := range t.used {
		if _, ok := by.Texts[text]; ok {
			return origin{original: text}, true
		}
	}
	for _, by := range t.used {
		for _, original := range slices.Sorted(maps.Keys(by.Texts)) {
			if by.Texts[original] == text {
				return origin{original: original}, true
			}
		}
	}
	for _, by := range t.used {
		for _, f := range by.forms() {
			if match := f.pattern.FindStringSubmatch(text); match != nil {
				return origin{f.original, match[1:]}, true
			}
		}
	}
	return origin{}, false
}

// say says what comes from there in the translation's language.
func (t *Translation) say(what origin) string {
	text := t.text(what.original)
	if what.put == nil {
		return text
	}
	put := what.put
	return Verb.ReplaceAllStringFunc(text, func(verb string) string {
		if verb == "%%" {
			return "%"
		}
		if len(put) == 0 {
			return verb
		}
		next := put[0]
		put = put[1:]
		return next
	})
}

// Verb is a place in a text where a script puts something in.
var Verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z%]`)

// form is how a text looks once a script has put something into it.
type form struct {
	original string
	pattern  *regexp.Regexp // with a group for each verb
	fixed    int            // bytes that are the text's own
}

// composed returns the forms of the texts that have verbs, in both languages: what has more
// of its own comes first, for it is less likely to look like another one.
func (t *Translation) composed() []form {
	var forms []form
	for original, translated := range t.Texts {
		for _, text := range []string{original, translated} {
			if f, ok := formOf(text); ok {
				f.original = original
				forms = append(forms, f)
			}
		}
	}
	slices.SortFunc(forms, func(a, b form) int {
		return cmp.Or(b.fixed-a.fixed, strings.Compare(a.pattern.String(), b.pattern.String()))
	})
	return forms
}

// formOf returns a text's form; false if there is nothing to put in, or nothing else.
func formOf(text string) (f form, ok bool) {
	pattern, at := `(?s)\A`, 0
	own := func(part string) {
		f.fixed += len(strings.TrimSpace(part))
		pattern += regexp.QuoteMeta(part)
	}
	for _, verb := range Verb.FindAllStringIndex(text, -1) {
		own(text[at:verb[0]])
		switch text[verb[1]-1] {
		case '%':
			own("%")
		case 'd':
			pattern, ok = pattern+`([-+]?\d+)`, true
		default:
			pattern, ok = pattern+`(.*?)`, true
		}
		at = verb[1]
	}
	own(text[at:])
	if !ok || f.fixed == 0 {
		return form{}, false
	}
	f.pattern = regexp.MustCompile(pattern + `\z`)
	return f, true
}
