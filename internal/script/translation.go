package script

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"go.starlark.net/syntax"
	"golang.org/x/text/language"

	"github.com/labrun/labrun/builtins"
)

// Translation is a mission in another language, as far as it is translated: the file
// NAME.LANGUAGE.toml beside NAME.star. A nil one translates nothing.
type Translation struct {
	File string // as messages call it

	Title string                     `toml:"title"`
	Steps map[string]StepTranslation `toml:"steps"` // by the name of the step's function
	Texts map[string]string          `toml:"texts"` // by the original

	brought map[string]bool // the originals of texts that came with packs, what their checks print included

	language string // its tag
	source   []byte
	forms    func() []form // of the texts that something is put into
}

// StepTranslation is that of a step's docstring.
type StepTranslation struct {
	Original  string `toml:"original"` // the digest of what it translates
	Title     string `toml:"title"`
	Narration string `toml:"narration"`
}

// Digest returns a short digest of a step's text. A translation has that of the text that
// was translated, which tells when the original has changed since.
func Digest(step builtins.Step) string {
	sum := sha256.Sum256([]byte(step.Title + "\n" + step.Narration))
	return fmt.Sprintf("%x", sum[:4])
}

// translations returns the languages that a script has files for, sorted.
func translations(folder fs.FS, script string) []string {
	base := strings.TrimSuffix(path.Base(script), ".star")
	files, _ := fs.ReadDir(folder, path.Dir(script))
	var languages []string
	for _, f := range files {
		name, isTranslation := strings.CutSuffix(f.Name(), ".toml")
		if tag, ours := strings.CutPrefix(name, base+"."); isTranslation && ours {
			if _, err := language.Parse(tag); err == nil {
				languages = append(languages, tag)
			}
		}
	}
	slices.Sort(languages)
	return languages
}

// readTranslation reads a script's translation into the language of a tag. Its error is an
// *Error with its place in that file.
func readTranslation(folder fs.FS, script, shown, tag string) (*Translation, error) {
	suffix := "." + tag + ".toml"
	t := &Translation{File: strings.TrimSuffix(shown, ".star") + suffix, language: tag}
	t.forms = sync.OnceValue(t.composed)
	var err error
	if t.source, err = fs.ReadFile(folder, strings.TrimSuffix(script, ".star")+suffix); err != nil {
		return nil, &Error{Position: inFile(t.File), Message: plainPathError(err).Error()}
	}
	meta, err := toml.Decode(string(t.source), t)
	var broken toml.ParseError
	switch {
	case errors.As(err, &broken):
		at := syntax.MakePosition(&t.File, int32(broken.Position.Line), int32(broken.Position.Col))
		return nil, &Error{Position: at, Message: broken.Message}
	case err != nil:
		return nil, &Error{Position: inFile(t.File), Message: err.Error()}
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, t.unknownKey(unknown[0])
	}
	return t, nil
}

// adopt adds what a mission's packs bring of the translation's language. What the mission's own
// file says comes first.
func (t *Translation) adopt(d builtins.Declaration) {
	for _, step := range d.Steps {
		if step.Digest != "" && step.Title == d.Title && step.Narration == "" && t.Title != "" { // a pack's beginning, which has no text of its own
			step.Told = map[string]builtins.Telling{t.language: {Title: t.Title}}
		}
		if told, ok := step.Told[t.language]; ok && t.Steps[step.Function.Name()].Original == "" {
			if t.Steps == nil {
				t.Steps = map[string]StepTranslation{}
			}
			t.Steps[step.Function.Name()] = StepTranslation{
				Original: Digest(step), Title: told.Title, Narration: told.Narration,
			}
		}
		for original, translated := range step.Words[t.language] {
			if t.Texts == nil {
				t.Texts = map[string]string{}
			}
			if t.Texts[original] == "" {
				t.Texts[original] = translated
			}
			if t.brought == nil {
				t.brought = map[string]bool{}
			}
			t.brought[original] = true
		}
	}
}

// fill puts what was drawn into the texts, so that they are found as the script has them
// once its own are filled.
func (t *Translation) fill(drawn []builtins.Variant) {
	if len(drawn) == 0 {
		return
	}
	texts := map[string]string{}
	var brought map[string]bool
	if t.brought != nil {
		brought = map[string]bool{}
	}
	for original, translated := range t.Texts {
		filled := builtins.Fill(original, drawn)
		texts[filled] = builtins.Fill(translated, drawn)
		if t.brought[original] {
			brought[filled] = true
		}
	}
	t.Texts, t.brought = texts, brought
}

// Language returns the tag of the translation's language.
func (t *Translation) Language() string { return t.language }

// Brought reports whether a text's translation came with a pack, and is in the mission's
// own texts only if it is another one there.
func (t *Translation) Brought(original string) bool { return t.brought[original] }

// unknownKey is the error of a key that means nothing in a translation.
func (t *Translation) unknownKey(key toml.Key) *Error {
	last := key[len(key)-1]
	const meant = "a translation has title, [steps.FUNCTION] with original, title and narration, and [texts]"
	suggestion := builtins.Suggest(last, []string{"title", "steps", "texts", "original", "narration"})
	return &Error{
		Position: syntax.MakePosition(&t.File, int32(t.Line(last)), 1),
		Message:  fmt.Sprintf("%s means nothing here%s: %s", key, suggestion, meant),
	}
}

// Translations reads the script's translations, as its folder has them now. Where one is
// broken, that is an *Error, and those before it are returned.
func (s *Script) Translations() (all []*Translation, err error) {
	for _, tag := range s.languages {
		t, err := s.translation(tag)
		if err != nil {
			return all, err
		}
		all = append(all, t)
	}
	return all, nil
}

// translation reads the one into the language of a tag, as the folder has it now.
func (s *Script) translation(tag string) (*Translation, error) {
	folder, done, err := s.openFolder()
	if err != nil {
		return nil, err
	}
	defer done()
	t, err := readTranslation(folder, s.Name, s.File, tag)
	if err == nil {
		t.adopt(s.Session.Declared())
	}
	return t, err
}

// Line returns the line that a key is in, counted from 1; the first one if the key is
// written in a way that hides it. The TOML library tells positions of errors only.
func (t *Translation) Line(key string) int {
	quoted := regexp.QuoteMeta(key)
	header := regexp.MustCompile(`(?m)^\s*(\[steps\.["']?` + quoted + `["']?\]|["']?` + quoted + `["']?\s*=)`)
	at := header.FindIndex(t.source)
	if at == nil {
		// A text's quotation marks and backslashes are escaped there.
		escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(key)
		at = regexp.MustCompile(`(?m)^\s*"` + regexp.QuoteMeta(escaped) + `"`).FindIndex(t.source)
	}
	if at == nil {
		return 1
	}
	return 1 + bytes.Count(t.source[:at[0]], []byte("\n"))
}

// text returns the translation of a text, or the text itself.
func (t *Translation) text(original string) string {
	if t == nil || t.Texts[original] == "" {
		return original
	}
	return t.Texts[original]
}

// apply returns a mission's declaration in the translation's language. A step whose
// translation lacks something keeps the original.
func (t *Translation) apply(d builtins.Declaration) builtins.Declaration {
	if t == nil {
		return d
	}
	if t.Title != "" {
		d.Title = t.Title
	}
	d.Steps = slices.Clone(d.Steps) // what was declared stays as it is
	for i, step := range d.Steps {
		translated := t.Steps[step.Function.Name()]
		if translated.Title != "" {
			d.Steps[i].Title = translated.Title
		}
		if translated.Narration != "" {
			d.Steps[i].Narration = strings.TrimSpace(translated.Narration)
		}
	}
	return d
}
