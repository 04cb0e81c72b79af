package pack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// A scenario of Killercoda is a folder with an index.json, which names a text, a script that
// verifies, and scripts that set up, for each of its steps (https://killercoda.com/creators).
type scenario struct {
	Title   string `json:"title"`
	Details struct {
		Intro  scenarioPage   `json:"intro"`
		Steps  []scenarioPage `json:"steps"`
		Finish scenarioPage   `json:"finish"`
		Assets map[string][]struct {
			File   string `json:"file"`
			Target string `json:"target"`
			Chmod  string `json:"chmod"`
		} `json:"assets"`
	} `json:"details"`
	Backend struct {
		Image string `json:"imageid"`
	} `json:"backend"`
}

type scenarioPage struct {
	Title      string `json:"title"`
	Text       string `json:"text"`
	Verify     string `json:"verify"`
	Foreground string `json:"foreground"`
	Background string `json:"background"`
	CourseData string `json:"courseData"` // runs in the background, and is waited for
}

func (r *reader) killercoda() {
	const name = "index.json"
	text, ok := r.read(name)
	if !ok {
		return
	}
	at := func(part string) Place { return Place{r.name(name), lineOf(text, part)} }
	var s scenario
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		line := 0
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			line = 1 + bytes.Count([]byte(text)[:min(int(syntax.Offset), len(text))], []byte("\n"))
		case errors.As(err, &kind):
			line = 1 + bytes.Count([]byte(text)[:min(int(kind.Offset), len(text))], []byte("\n"))
		}
		r.fault(Place{r.name(name), line}, "%s", strings.TrimPrefix(err.Error(), "json: "))
		return
	}
	if len(s.Details.Steps) == 0 && s.Details.Intro.Text == "" {
		r.fault(Place{File: r.name(name)}, "it has no steps: a scenario names them in details.steps")
		return
	}
	if image := s.Backend.Image; image != "" && !strings.HasPrefix(image, "ubuntu") {
		r.note(at(`"`+image+`"`), "it is made for Killercoda's image %s, which labrun has not: what its steps rely on has to be in the machine", image)
	}
	r.pack.Ordered = true
	assets := r.assets(s, at)
	r.pack.Intro = r.scenarioText(s.Details.Intro, s.Title, at)
	for i, step := range s.Details.Steps {
		c := Challenge{Name: fmt.Sprintf("step%d", i+1), At: at(fmt.Sprintf("%q", step.Text))}
		if step.Text != "" {
			c.At = Place{File: r.name(step.Text), Line: 1}
		}
		c.Text = r.scenarioText(step, fmt.Sprintf("Step %d", i+1), at)
		// What the intro sets up, and the files, come before the first step.
		scripts := []string{step.CourseData, step.Background}
		if i == 0 {
			intro := s.Details.Intro
			scripts = append([]string{intro.CourseData, intro.Background, intro.Foreground}, scripts...)
			if assets != nil {
				c.Setup = append(c.Setup, *assets)
			}
		}
		scripts = append(scripts, step.Foreground)
		for _, script := range scripts {
			if script == "" || !r.named(script, at) {
				continue
			}
			if read := r.script(script, nil); read != nil {
				read.MayFail = true // nobody asks for its status there
				c.Setup = append(c.Setup, *read)
			}
		}
		raw := ""
		if step.Text != "" {
			raw, _ = r.read(step.Text)
		}
		if step.Verify != "" && r.named(step.Verify, at) {
			if c.Check = r.script(step.Verify, nil); c.Check != nil {
				c.Check.Quiet = true // its page shows none of it
			}
			c.Answer = r.clicked(step.Text, raw)
			if solution := readPage(shown(raw)).answer; c.Answer == nil && len(solution) > 0 {
				c.Answer = &Answer{Name: r.name(step.Text)}
				for _, line := range solution {
					c.Answer.Lines = append(c.Answer.Lines, Line{Text: line, Number: lineOf(raw, line)})
				}
			}
		}
		if c.Check != nil && c.Answer == nil {
			r.note(c.At, "no command in it is marked {{exec}}, so labrun does not know the answer: it can neither play the step nor prove it")
		}
		c.Hints = scenarioHints(raw)
		c.Digest = digest(r.texts("."))
		r.pack.Challenges = append(r.pack.Challenges, c)
	}
	r.pack.Finish = r.scenarioText(s.Details.Finish, "The end", at)
}

// named reports whether there is a file that the scenario names.
func (r *reader) named(file string, at func(string) Place) bool {
	file = path.Clean(file)
	if r.has(file) {
		return true
	}
	r.fault(at(fmt.Sprintf("%q", file)), "it names %s, which is not there", r.name(file))
	return false
}

var (
	mark    = regexp.MustCompile("(?s)(```[^\\n`]*\\n.*?\\n[ \\t]*```|`[^`\\n]+`)\\s*\\{\\{\\s*(exec|execute|copy|open)?[^}]*\\}\\}")
	tunnel  = regexp.MustCompile(`\{\{\s*TRAFFIC_[A-Z0-9_]+\s*\}\}`)
	picture = regexp.MustCompile(`!\[[^\]]*\]\([^)]*\)|<img\b[^>]*>`)
	breaks  = regexp.MustCompile(`(?i)<br\s*/?>`)
)

// scenarioText reads a page without what only Killercoda's page can do.
func (r *reader) scenarioText(p scenarioPage, title string, at func(string) Place) Text {
	if p.Title != "" {
		title = p.Title
	}
	if p.Text == "" || !r.named(p.Text, at) {
		return Text{Title: title}
	}
	text, _ := r.read(p.Text)
	r.pageNeeds(p.Text, text)
	page := readPage(shown(text))
	if page.title != "" && p.Title == "" {
		title = page.title
	}
	return Text{Title: title, Narration: page.under(title)}
}

// pageNeeds notes what a text shows that a terminal cannot.
func (r *reader) pageNeeds(name, text string) {
	if m := picture.FindString(text); m != "" {
		r.note(Place{r.name(name), lineOf(text, m)}, "it shows a picture, which a lab's text cannot")
	}
	if m := tunnel.FindString(text); m != "" {
		r.note(Place{r.name(name), lineOf(text, m)}, "%s opens a port of the machine in a browser, which a lab cannot", m)
	}
}

// shown is a page's text without the marks of its commands.
func shown(text string) string {
	text = mark.ReplaceAllString(text, "$1")
	return breaks.ReplaceAllString(text, "")
}

// clicked is the answer that a step's text has: the commands that are marked to be run.
func (r *reader) clicked(name, text string) *Answer {
	a := &Answer{Name: r.name(name)}
	for _, m := range mark.FindAllStringSubmatchIndex(text, -1) {
		if m[4] < 0 || !strings.HasPrefix(text[m[4]:m[5]], "exec") {
			continue
		}
		code, number := text[m[2]:m[3]], 1+strings.Count(text[:m[2]], "\n")
		if block, ok := strings.CutPrefix(code, "```"); ok {
			_, code, _ = strings.Cut(block, "\n")
			code = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(code, " \t"), "```"), " \t\n")
			number++
		} else {
			code = strings.Trim(code, "`")
		}
		for i, line := range strings.Split(code, "\n") {
			if line = strings.TrimRight(line, " \t"); line != "" {
				a.Lines = append(a.Lines, Line{Text: line, Number: number + i})
			}
		}
	}
	if len(a.Lines) == 0 {
		return nil
	}
	return a
}

// scenarioHints are the parts of a page that are folded up.
func scenarioHints(text string) (hints []string) {
	for _, m := range details.FindAllStringSubmatch(text, -1) {
		hints = append(hints, shown(m[1]))
	}
	return trimmed(hints)
}

// assets is the script that puts a scenario's files where it wants them; nil: there are none.
func (r *reader) assets(s scenario, at func(string) Place) *Script {
	var files []file
	var commands strings.Builder
	commands.WriteString("set -e\n")
	for host, list := range s.Details.Assets {
		for _, a := range list {
			matched := 0
			for _, f := range r.carriedIfThere("assets") {
				inside := strings.TrimPrefix(f.name, "assets/")
				if !matches(a.File, inside) {
					continue
				}
				matched++
				files = append(files, f)
				target := strings.Replace(a.Target, "~", "/root", 1)
				fmt.Fprintf(&commands, "mkdir -p %[1]s; cp %[2]s %[1]s/\n", quote(target), quote(f.name))
				if mode := a.Chmod; mode != "" {
					fmt.Fprintf(&commands, "chmod %s %s\n", quote(mode), quote(path.Join(target, path.Base(f.name))))
				}
			}
			if matched == 0 {
				r.fault(at(fmt.Sprintf("%q", a.File)), "no file in %s is called %s (for %s)", r.name("assets"), a.File, host)
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	const name = ".assets.sh"
	return &Script{Name: r.name("index.json"), shell: "sh", in: ".", at: name, files: append(files, file{name, 0o700, []byte(commands.String())})}
}

func (r *reader) carriedIfThere(folder string) []file {
	if info, err := fs.Stat(r.files, r.name(folder)); err != nil || !info.IsDir() {
		return nil
	}
	return r.carried(folder)
}

// texts are the files in a folder on which the steps may depend, of a size that is read.
func (r *reader) texts(folder string) (files []file) {
	fs.WalkDir(r.files, r.name(folder), func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || forPeople(e.Name()) && path.Ext(e.Name()) != ".md" || len(files) > maxFiles {
			return nil // what cannot be read is told where it is used
		}
		if info, err := fs.Stat(r.files, at); err == nil && info.Mode().IsRegular() && info.Size() <= maxScript {
			data, _ := fs.ReadFile(r.files, at)
			files = append(files, file{at, 0, data})
		}
		return nil
	})
	return files
}

// matches reports whether a file is one of a pattern's, in which ** stands for any folders.
func matches(pattern, name string) bool {
	expression := regexp.QuoteMeta(pattern)
	expression = strings.NewReplacer(`\*\*/`, `(?:.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`).Replace(expression)
	return regexp.MustCompile(`^` + expression + `$`).MatchString(name)
}
