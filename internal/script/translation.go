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

	"github.com/BurntSushi/toml"
	"golang.org/x/text/language"

	"github.com/labrun/labrun/builtins"
)

// Translation is a translation of a mission: the file NAME.LANGUAGE.toml beside
// NAME.star.
type Translation struct {
	File   string // as it was named
	source []byte

	Title string                     `toml:"title"`
	Steps map[string]StepTranslation `toml:"steps"` // by the name of the step's function
	Texts map[string]string          `toml:"texts"` // by the original
}

// translation is that of a step's docstring.
type StepTranslation struct {
	Original  string `toml:"original"` // the digest of what it translates
	Title     string `toml:"title"`
	Narration string `toml:"narration"`
}

// Digest tells versions of a step's text apart.
func Digest(step builtins.Step) string {
	sum := sha256.Sum256([]byte(step.Title + "\n" + step.Narration))
	return fmt.Sprintf("%x", sum[:4])
}

// MatchLanguage returns which of the languages a reader of wanted, a BCP 47 tag,
// understands well; false if none is.
func MatchLanguage(wanted string, languages []string) (string, bool) {
	tag, err := language.Parse(wanted)
	if err != nil || len(languages) == 0 {
		return "", false
	}
	var supported []language.Tag
	for _, l := range languages {
		supported = append(supported, language.Make(l))
	}
	_, i, confidence := language.NewMatcher(supported).Match(tag)
	return languages[i], confidence >= language.High
}

// translations lists the languages that a script has files for.
func translations(folder fs.FS, script string) []string {
	base := strings.TrimSuffix(path.Base(script), ".star")
	files, _ := fs.ReadDir(folder, path.Dir(script))
	var languages []string
	for _, f := range files {
		name, isCatalogue := strings.CutSuffix(f.Name(), ".toml")
		if tag, ours := strings.CutPrefix(name, base+"."); isCatalogue && ours {
			if _, err := language.Parse(tag); err == nil {
				languages = append(languages, tag)
			}
		}
	}
	slices.Sort(languages)
	return languages
}

// readCatalogue reads a mission's translation. Its error is an *Error with its place
// in the file.
func readCatalogue(folder fs.FS, script, shown, tag string) (*Translation, error) {
	name := strings.TrimSuffix(script, ".star") + "." + tag + ".toml"
	c := &Translation{File: strings.TrimSuffix(shown, ".star") + "." + tag + ".toml"}
	var err error
	if c.source, err = fs.ReadFile(folder, name); err != nil {
		return nil, &Error{Position: c.File, Message: plainPathError(err).Error()}
	}
	meta, err := toml.Decode(string(c.source), c)
	var broken toml.ParseError
	switch {
	case errors.As(err, &broken):
		return nil, &Error{Position: fmt.Sprintf("%s:%d:%d", c.File, broken.Position.Line, broken.Position.Col), Message: broken.Message}
	case err != nil:
		return nil, &Error{Position: c.File, Message: err.Error()}
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		key := unknown[0]
		last := key[len(key)-1]
		return nil, &Error{Position: c.place(last), Message: fmt.Sprintf("%s means nothing here%s: a translation has title, [steps.FUNCTION] with original, title and narration, and [texts]",
			key, builtins.Suggest(last, []string{"title", "steps", "texts", "original", "narration"}))}
	}
	return c, nil
}

// Translations reads the script's translations, as its folder has them now. Where one is
// broken, that is an *Error, and those before it are returned.
func (s *Script) Translations() (all []*Translation, err error) {
	folder := s.folder
	if s.onDisk {
		root, _, err := OpenFolder(s.File)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		folder = root.FS()
	}
	for _, tag := range s.languages {
		c, err := readCatalogue(folder, s.Name, s.File, tag)
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

// place is where a key is in the file: «week1.zh-TW.toml:12:1».
func (c *Translation) place(key string) string { return fmt.Sprintf("%s:%d:1", c.File, c.Line(key)) }

// line is the line that a key is in; the first one if it is written in a way that
// hides it.
func (c *Translation) Line(key string) int {
	quoted := regexp.QuoteMeta(key)
	header := regexp.MustCompile(`(?m)^\s*(\[steps\.["']?` + quoted + `["']?\]|["']?` + quoted + `["']?\s*=)`)
	at := header.FindIndex(c.source)
	if at == nil {
		// A text's quotation marks and backslashes are escaped there.
		at = regexp.MustCompile(`(?m)^\s*"` + regexp.QuoteMeta(strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(key)) + `"`).FindIndex(c.source)
	}
	if at == nil {
		return 1
	}
	return 1 + bytes.Count(c.source[:at[0]], []byte("\n"))
}

// text returns the translation of a text, or the text itself.
func (c *Translation) text(original string) string {
	if c == nil || c.Texts[original] == "" {
		return original
	}
	return c.Texts[original]
}

// apply shows a mission's declaration in the catalogue's language. A step whose
// translation lacks something keeps the original.
func (c *Translation) apply(d builtins.Declaration) builtins.Declaration {
	if c == nil {
		return d
	}
	if c.Title != "" {
		d.Title = c.Title
	}
	d.Steps = slices.Clone(d.Steps)
	for i, step := range d.Steps {
		t := c.Steps[step.Function.Name()]
		if t.Title != "" {
			d.Steps[i].Title = t.Title
		}
		if t.Narration != "" {
			d.Steps[i].Narration = strings.TrimSpace(t.Narration)
		}
	}
	return d
}
