// Package phrase owns the words that labrun says to a student: in guided mode, and at a
// machine's console. There is one file for each language, LANGUAGE.toml beside this one,
// which a translator edits without knowing Go: the file is the whole of a language, its
// phrases and the words that a student may say.
//
// English is the original. What a language lacks is said in English, so that a
// translation may be begun and go on later; the package's test tells what is missing.
package phrase

import (
	"embed"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/language"
)

//go:embed *.toml
var files embed.FS

// original is the language that has every phrase.
const original = "en"

// A Language is what labrun says in one language. It does not change, and is safe for
// concurrent use.
type Language struct {
	tag     string
	phrases map[string]string
	words   map[string][]string // what a student may say, with other ways to say it
}

// load reads every language once. A file that cannot be read is a mistake in the
// program's source, which every test finds.
var load = sync.OnceValue(func() map[string]*Language {
	found, err := files.ReadDir(".")
	if err != nil {
		panic(err)
	}
	languages := map[string]*Language{}
	for _, file := range found {
		data, err := files.ReadFile(file.Name())
		if err != nil {
			panic(err)
		}
		l, err := parse(strings.TrimSuffix(file.Name(), path.Ext(file.Name())), data)
		if err != nil {
			panic(fmt.Sprintf("phrase: %s: %v", file.Name(), err))
		}
		languages[l.tag] = l
	}
	return languages
})

// parse reads a language's file. Its tables are for the translator to find their way;
// the names of the phrases are one space.
func parse(tag string, data []byte) (*Language, error) {
	var file map[string]toml.Primitive
	meta, err := toml.Decode(string(data), &file)
	if err != nil {
		return nil, err
	}
	l := &Language{tag: tag, phrases: map[string]string{}}
	for table, content := range file {
		if table == "words" {
			if err := meta.PrimitiveDecode(content, &l.words); err != nil {
				return nil, fmt.Errorf("[words]: %w", err)
			}
			continue
		}
		var phrases map[string]string
		if err := meta.PrimitiveDecode(content, &phrases); err != nil {
			return nil, fmt.Errorf("[%s]: %w", table, err)
		}
		for name, text := range phrases {
			if _, twice := l.phrases[name]; twice {
				return nil, fmt.Errorf("[%s]: there are two phrases %q", table, name)
			}
			l.phrases[name] = text
		}
	}
	return l, nil
}

// In returns a language by its BCP 47 tag; English, if there is no such language.
func In(tag string) *Language {
	if l, ok := load()[tag]; ok {
		return l
	}
	return load()[original]
}

// Languages are the tags of all languages, the original first.
func Languages() []string {
	tags := slices.Sorted(maps.Keys(load()))
	tags = slices.DeleteFunc(tags, func(tag string) bool { return tag == original })
	return slices.Insert(tags, 0, original)
}

// Match returns which of the languages a reader of wanted, a BCP 47 tag, understands well;
// false if none is.
func Match(wanted string, languages []string) (string, bool) {
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

// Tag is the language's BCP 47 tag.
func (l *Language) Tag() string { return l.tag }

// Say returns a phrase with what it is about put into it, by fmt's verbs. A name that
// English does not have is a mistake of the caller's, and panics.
func (l *Language) Say(name string, args ...any) string {
	text, ok := l.phrases[name]
	if !ok {
		if text, ok = load()[original].phrases[name]; !ok {
			panic("phrase: there is none called " + name)
		}
	}
	args = slices.Clone(args)
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = arg + seam
		case error:
			args[i] = arg.Error() + seam
		}
	}
	return joined(fmt.Sprintf(text, args...))
}

// Phrases are all of a language's phrases by their names, with fmt's verbs as they stand:
// a page puts in itself what they are about.
func (l *Language) Phrases() map[string]string {
	all := maps.Clone(load()[original].phrases)
	maps.Copy(all, l.phrases)
	return all
}

// seam marks where a text that a phrase was given ends in it. Such a text may be a whole
// sentence that has a full stop of its own.
const seam = "\x00"

// sentenceEnds are the marks that end a sentence.
const sentenceEnds = ".?!…。？！"

var doubled = regexp.MustCompile("([" + sentenceEnds + "]['\"»」`)]?)" + seam + "[.。]")

// joined takes the seams out, and the phrase's own full stop where a text brought one.
func joined(text string) string {
	return strings.ReplaceAll(doubled.ReplaceAllString(text, "$1"), seam, "")
}

// Sentences puts texts one behind the other, with a full stop after each that has none.
func (l *Language) Sentences(texts ...string) string {
	whole := ""
	for _, text := range texts {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(whole, "'\"»」`)"))
		switch {
		case whole == "":
		case strings.ContainsRune(sentenceEnds, last):
			whole += " "
		default:
			whole += l.Say("full stop")
		}
		whole += text
	}
	return whole
}

// Word tells which of the words that a student may say a line begins with, in whatever
// language it is said, and what follows that. The name is empty if it is none.
func Word(line string) (name, rest string) {
	first, rest, _ := strings.Cut(line, " ")
	first = strings.ToLower(first)
	for _, l := range load() {
		for name, others := range l.words {
			if first == name || slices.Contains(others, first) {
				return name, strings.TrimSpace(rest)
			}
		}
	}
	return "", ""
}
