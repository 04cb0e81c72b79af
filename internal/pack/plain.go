package pack

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/language"
)

// A plain pack is a folder with a folder for each challenge, and in each of these:
//
//	check.sh       looks whether it is done (verify, test, grade); that makes it a challenge
//	setup.sh       makes what there has to be (init, prepare)
//	README.md      its text (task, text, instructions, description, story)
//	hints.md       in order (hint1.md, hint2.md …, a folder hints)
//	answer.sh      one way to its goal (solution, solve)
//	wrong-1.sh …   answers that must not do (bad-…, a folder wrong)
//	cleanup.sh     takes away what is left of it (teardown, reset)
//
// Names count without their extensions and in any case. All other files of the challenge
// and of the pack's own folder are carried in with its scripts.
type role int

const (
	noRole role = iota
	isCheck
	isSetup
	isCleanup
	isText
	isHint
	isAnswer
	isWrong
)

var roles = []struct {
	role role
	name *regexp.Regexp // in lower case, without its extension
}{
	{isCheck, regexp.MustCompile(`^(check|verify|verification|test|grade|validate)$`)},
	{isSetup, regexp.MustCompile(`^(setup|set-up|init|prepare)$`)},
	{isCleanup, regexp.MustCompile(`^(cleanup|clean-up|teardown|reset)$`)},
	{isText, regexp.MustCompile(`^(readme|task|text|instructions?|description|story|challenge|assignment)$`)},
	{isHint, regexp.MustCompile(`^hints?[-_. ]?\d*$`)},
	{isAnswer, regexp.MustCompile(`^(answer|solution|solve)$`)},
	{isWrong, regexp.MustCompile(`^(wrong|bad)([-_.]?.*)?$`)},
}

var (
	scriptExtensions = []string{"", ".sh", ".bash", ".py", ".pl", ".rb", ".awk"}
	textExtensions   = []string{"", ".md", ".markdown", ".txt"}
	containers       = []string{"challenges", "labs", "exercises", "levels", "tasks"}
)

// roleOf is what a file of a challenge's folder is for, by its name.
func roleOf(name string) role {
	extension := strings.ToLower(path.Ext(name))
	base := strings.TrimSuffix(strings.ToLower(name), extension)
	for _, r := range roles {
		if !r.name.MatchString(base) {
			continue
		}
		switch r.role {
		case isText, isHint:
			if slices.Contains(textExtensions, extension) {
				return r.role
			}
		case isAnswer, isWrong:
			if slices.Contains(scriptExtensions, extension) || slices.Contains(textExtensions, extension) {
				return r.role
			}
		default:
			if slices.Contains(scriptExtensions, extension) {
				return r.role
			}
		}
	}
	return noRole
}

// tongue splits the language off a file's name: README.zh-TW.md is the README.md in that.
func tongue(name string) (original, tag string) {
	extension := path.Ext(name)
	base := strings.TrimSuffix(name, extension)
	at := strings.LastIndexByte(base, '.')
	if at < 0 || !regexp.MustCompile(`^[a-z]{2,3}(-[A-Z][A-Za-z]+)*$`).MatchString(base[at+1:]) {
		return name, ""
	}
	if _, err := language.Parse(base[at+1:]); err != nil {
		return name, ""
	}
	return base[:at] + extension, base[at+1:]
}

// entries lists a folder of the pack, without what is hidden, in the order in which people
// count: 2-… before 10-….
func (r *reader) entries(folder string) []fs.DirEntry {
	all, err := fs.ReadDir(r.files, r.name(folder))
	if err != nil {
		r.fault(Place{File: r.name(folder)}, "%s", plain(err))
	}
	all = slices.DeleteFunc(all, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), "~") })
	slices.SortStableFunc(all, func(a, b fs.DirEntry) int { return inOrder(a.Name(), b.Name()) })
	return all
}

var digits = regexp.MustCompile(`\d+`)

func inOrder(a, b string) int {
	if m, n := digits.FindStringIndex(a), digits.FindStringIndex(b); m != nil && n != nil && a[:m[0]] == b[:n[0]] {
		i, _ := strconv.Atoi(a[m[0]:m[1]])
		j, _ := strconv.Atoi(b[n[0]:n[1]])
		if i != j {
			return i - j
		}
	}
	return strings.Compare(a, b)
}

func (r *reader) plain() {
	folders := r.challengeFolders(".")
	for _, c := range containers {
		if len(folders) == 0 {
			folders = r.challengeFolders(c)
		}
	}
	if len(folders) == 0 && r.roleIn(".", isCheck) {
		folders = []string{"."}
	}
	shared := r.shared(folders)
	for _, folder := range folders {
		if c, ok := r.challenge(folder, shared); ok {
			r.pack.Challenges = append(r.pack.Challenges, c)
		}
	}
	if len(folders) > 0 && folders[0] != "." {
		r.pack.Intro = r.introduction()
	}
}

func (r *reader) roleIn(folder string, wanted role) bool {
	return slices.ContainsFunc(r.entries(folder), func(e fs.DirEntry) bool { return !e.IsDir() && roleOf(e.Name()) == wanted })
}

// challengeFolders returns the folders in a folder that are challenges.
func (r *reader) challengeFolders(in string) (folders []string) {
	if info, err := fs.Stat(r.files, r.name(in)); err != nil || !info.IsDir() {
		return nil
	}
	for _, e := range r.entries(in) {
		folder := path.Join(in, e.Name())
		switch {
		case !e.IsDir():
		case r.roleIn(folder, isCheck):
			folders = append(folders, folder)
		case r.roleIn(folder, isSetup) && (r.roleIn(folder, isAnswer) || r.roleIn(folder, isHint)):
			r.fault(Place{File: r.name(folder)}, "it has a set-up but no check: add a check.sh that ends with 0 when the challenge is solved")
		}
	}
	return folders
}

// shared are the files that all challenges have: those of the pack's own folder, and of
// folders in it that are no challenges. What is for people is left out.
func (r *reader) shared(challenges []string) (files []file) {
	if slices.Equal(challenges, []string{"."}) {
		return nil
	}
	for _, e := range r.entries(".") {
		name := e.Name()
		switch {
		case slices.ContainsFunc(challenges, func(c string) bool { return c == name || strings.HasPrefix(c, name+"/") }):
		case e.IsDir():
			files = append(files, r.carried(name)...)
		case forPeople(name):
		default:
			files = append(files, r.carried(name)...)
		}
	}
	return files
}

func forPeople(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".markdown", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf":
		return true
	}
	base := strings.ToLower(name)
	return strings.HasPrefix(base, "license") || strings.HasPrefix(base, "readme") || strings.HasPrefix(base, "licence") || base == "makefile"
}

// carried reads a file of the pack, or all files of a folder, as they are to be in a
// machine. What links lead to elsewhere is no file of the pack's.
func (r *reader) carried(name string) (files []file) {
	err := fs.WalkDir(r.files, r.name(name), func(at string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return nil
		}
		info, err := fs.Stat(r.files, at)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		if len(files) > maxFiles || info.Size() > maxCarried {
			r.fault(Place{File: at}, "it is too large to be carried in with each script: put it into the machine, with machine(…, files = {…})")
			return fs.SkipAll
		}
		data, err := fs.ReadFile(r.files, at)
		if err != nil {
			return err
		}
		relative := strings.TrimPrefix(strings.TrimPrefix(at, r.root), "/")
		if r.root == "." {
			relative = at
		}
		mode := fs.FileMode(0o600)
		if info.Mode()&0o111 != 0 || strings.HasPrefix(string(data), "#!") {
			mode = 0o700
		}
		files = append(files, file{relative, mode, data})
		return nil
	})
	var at *fs.PathError
	if errors.As(err, &at) {
		r.fault(Place{File: at.Path}, "%s", plain(err))
	}
	return files
}

// contents are the files of a challenge's folder by what they are for.
type contents struct {
	of     map[role][]string
	told   map[role]map[string][]string // likewise, of its translations, by their language
	lines  map[string]string            // the translations of what the check prints, by their language
	others []string                     // files and folders that its scripts use
}

func (r *reader) contents(folder string) contents {
	c := contents{of: map[role][]string{}, told: map[role]map[string][]string{}, lines: map[string]string{}}
	add := func(name string) {
		original, tag := tongue(path.Base(name))
		is := roleOf(original)
		switch {
		case tag != "" && strings.HasSuffix(original, ".toml") && roleOf(strings.TrimSuffix(original, ".toml")) == isCheck:
			c.lines[tag] = name
		case is == noRole:
			c.others = append(c.others, name)
		case tag == "" || is != isText && is != isHint:
			c.of[is] = append(c.of[is], name)
		default:
			if c.told[is] == nil {
				c.told[is] = map[string][]string{}
			}
			c.told[is][tag] = append(c.told[is][tag], name)
		}
	}
	for _, e := range r.entries(folder) {
		name := path.Join(folder, e.Name())
		if !e.IsDir() {
			add(name)
			continue
		}
		switch is := roleOf(e.Name()); is {
		case isHint, isWrong:
			for _, inner := range r.entries(name) {
				if !inner.IsDir() {
					c.of[is] = append(c.of[is], path.Join(name, inner.Name()))
				}
			}
		default:
			c.others = append(c.others, name)
		}
	}
	if texts := c.of[isText]; len(texts) > 1 { // a README beside a task.md tells of the files
		c.of[isText] = slices.DeleteFunc(texts, func(n string) bool {
			return !strings.HasPrefix(strings.ToLower(path.Base(n)), "readme") && len(texts) > 1
		})
	}
	return c
}

// only returns the one file that there may be for a role; empty if there is none.
func (r *reader) only(c contents, of role) string {
	files := c.of[of]
	if len(files) > 1 {
		r.fault(Place{File: r.name(files[1])}, "%s is for the same: leave one of them", path.Base(files[0]))
	}
	if len(files) == 0 {
		return ""
	}
	return files[0]
}

func (r *reader) challenge(folder string, shared []file) (c Challenge, ok bool) {
	before := len(r.faults)
	in := r.contents(folder)
	own := slices.Clone(shared)
	for _, name := range in.others {
		if !forPeople(name) {
			own = append(own, r.carried(name)...)
		}
	}
	c.Name = path.Base(r.name(folder))
	c.At = Place{File: r.name(folder)}
	if check := r.only(in, isCheck); check != "" {
		c.At = Place{File: r.name(check), Line: 1}
		c.Check = r.script(check, own)
	}
	if setup := r.only(in, isSetup); setup != "" {
		if s := r.script(setup, own); s != nil {
			c.Setup = []Script{*s}
		}
	}
	if cleanup := r.only(in, isCleanup); cleanup != "" {
		c.Cleanup = r.script(cleanup, own)
	}
	var page page
	if text := r.only(in, isText); text != "" {
		content, _ := r.read(text)
		page = readPage(content)
		c.At = Place{File: r.name(text), Line: 1}
	}
	c.Text, c.Goal, c.Hints = Text{Title: page.title, Narration: page.narration}, page.goal, page.hints
	if c.Title == "" {
		c.Title = spoken(c.Name)
	}
	if hints := r.hints(in.of[isHint]); len(hints) > 0 {
		c.Hints = hints
	}
	checkText := ""
	if c.Check != nil {
		checkText = c.Check.text() + sourceOf(own)
	}
	r.translate(&c, in, checkText)
	switch answer := r.only(in, isAnswer); {
	case answer != "":
		c.Answer = r.answer(answer, own)
	case len(page.answer) > 0:
		c.Answer = &Answer{Name: c.At.File}
		for _, line := range page.answer {
			c.Answer.Lines = append(c.Answer.Lines, Line{Text: line})
		}
	default:
		r.note(c.At, "it has no answer, so labrun can neither play it nor prove it: add an answer.sh")
	}
	for _, name := range in.of[isWrong] {
		w, ok := r.wrong(name, checkText)
		if !ok {
			continue
		}
		switch {
		case w.Why == "":
			r.note(Place{File: w.Name, Line: 1}, "it does not say why it must fail: begin it with a comment, # why: …")
		case !w.Printed:
			r.note(Place{File: w.Name, Line: 1}, "why it must fail, «%s», is nothing that the check prints, so the reason cannot be compared", w.Why)
		}
		c.Wrong = append(c.Wrong, w)
	}
	if len(r.faults) > before {
		return c, false
	}
	c.Digest = digest(append(own, r.carried(folder)...))
	return c, true
}

// sourceOf is the text of all files that a check may read.
func sourceOf(files []file) string {
	text := ""
	for _, f := range files {
		text += "\n" + string(f.data)
	}
	return text
}

// text is the script's own text.
func (s *Script) text() string { return string(s.files[len(s.files)-1].data) }

// hints reads the hints of some files, in order.
func (r *reader) hints(files []string) (hints []string) {
	for _, name := range files {
		text, _ := r.read(name)
		if len(files) > 1 {
			if text = strings.TrimSpace(withoutHeading(text)); text != "" {
				hints = append(hints, text)
			}
			continue
		}
		hints = splitHints(text)
	}
	return hints
}

// translate reads the translations that lie beside a challenge's files.
func (r *reader) translate(c *Challenge, in contents, check string) {
	word := func(tag, original, translated string) {
		if c.Words == nil {
			c.Words = map[string]map[string]string{}
		}
		if c.Words[tag] == nil {
			c.Words[tag] = map[string]string{}
		}
		if original != "" && translated != "" {
			c.Words[tag][original] = translated
		}
	}
	for tag, files := range in.told[isText] {
		text, _ := r.read(files[0])
		page := readPage(text)
		if c.Told == nil {
			c.Told = map[string]Text{}
		}
		c.Told[tag] = Text{Title: page.title, Narration: page.narration}
		word(tag, c.Goal, page.goal)
		if len(in.of[isHint]) == 0 {
			r.pair(word, tag, files[0], c.Hints, page.hints)
		}
	}
	for tag, files := range in.told[isHint] {
		r.pair(word, tag, files[0], c.Hints, r.hints(files))
	}
	for tag, name := range in.lines {
		text, ok := r.read(name)
		if !ok {
			continue
		}
		lines := map[string]string{}
		meta, err := toml.Decode(text, &lines)
		var broken toml.ParseError
		switch {
		case errors.As(err, &broken):
			r.fault(Place{r.name(name), broken.Position.Line}, "%s", broken.Message)
			continue
		case err != nil:
			r.fault(Place{File: r.name(name)}, "%s: it has lines such as \"what the check prints\" = \"its translation\"", err)
			continue
		}
		for _, key := range meta.Keys() {
			original := key[len(key)-1]
			if !prints(check, original) && !prints(check, strings.ReplaceAll(original, "%s", "x")) {
				r.note(Place{r.name(name), lineOf(text, original)}, "%q is nothing that the check prints", original)
			}
			word(tag, original, lines[original])
		}
	}
}

// pair notes the translations of hints, of which there are as many as of the original.
func (r *reader) pair(word func(tag, original, translated string), tag, name string, originals, translated []string) {
	if len(originals) != len(translated) {
		r.fault(Place{File: r.name(name)}, "it has %d hints, and the original %d", len(translated), len(originals))
		return
	}
	for i := range originals {
		word(tag, originals[i], translated[i])
	}
}

func lineOf(text, part string) int {
	return 1 + strings.Count(text[:max(0, strings.Index(text, part))], "\n")
}

// introduction is the pack's own README, which comes before the first challenge.
func (r *reader) introduction() (intro Text) {
	in := r.contents(".")
	name := r.only(in, isText)
	if name == "" {
		return Text{}
	}
	text, _ := r.read(name)
	page := readPage(text)
	intro = Text{Title: page.title, Narration: page.narration, Told: map[string]Text{}}
	for tag, files := range in.told[isText] {
		text, _ := r.read(files[0])
		page := readPage(text)
		intro.Told[tag] = Text{Title: page.title, Narration: page.narration}
	}
	return intro
}

// spoken makes words of a folder's name: 01-first_steps is «First steps».
func spoken(name string) string {
	words := strings.Join(strings.FieldsFunc(name, func(c rune) bool { return c == '-' || c == '_' || c == '.' || c == ' ' }), " ")
	if rest := strings.TrimLeft(words, "0123456789 "); rest != "" {
		words = rest
	}
	return strings.ToUpper(words[:1]) + words[1:]
}
