package pack

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A track of Instruqt is a folder with a track.yml and a folder for each challenge, which
// has an assignment.md and scripts that are named after what they do and for which host:
// setup-HOST, check-HOST, solve-HOST, cleanup-HOST. A check tells what is wrong with
// fail-message (https://docs.instruqt.com).
type track struct {
	Title       string `yaml:"title"`
	Description string `yaml:"description"`
}

type assignment struct {
	Title string `yaml:"title"`
	Type  string `yaml:"type"`
	Notes []struct {
		Type     string `yaml:"type"`
		Contents string `yaml:"contents"`
	} `yaml:"notes"`
	Tabs []struct {
		Title string `yaml:"title"`
		Type  string `yaml:"type"`
	} `yaml:"tabs"`
	Answers  []string `yaml:"answers"`
	Solution []int    `yaml:"solution"`
}

type trackHost struct {
	Name  string `yaml:"name"`
	Image string `yaml:"image"`
}

type trackConfig struct {
	Machines   []trackHost `yaml:"virtualmachines"`
	Containers []trackHost `yaml:"containers"`
}

func (r *reader) instruqt() {
	var t track
	text, ok := r.yaml("track.yml", &t)
	if !ok {
		return
	}
	r.pack.Ordered = true
	r.pack.Intro = Text{Title: t.Title, Narration: strings.TrimSpace(breaks.ReplaceAllString(t.Description, ""))}
	r.pageNeeds("track.yml", text)
	var config trackConfig
	if r.has("config.yml") {
		r.yaml("config.yml", &config)
	}
	r.trackHosts(config)
	var folders []string
	for _, e := range r.entries(".") {
		if e.IsDir() && r.has(path.Join(e.Name(), "assignment.md")) {
			folders = append(folders, e.Name())
		}
	}
	for i, folder := range folders {
		r.assignment(folder, i == 0)
	}
}

// trackHosts tells what a track's machines are that a lab's are not.
func (r *reader) trackHosts(config trackConfig) {
	hosts := slices.Concat(config.Machines, config.Containers)
	at := Place{File: r.name("config.yml")}
	if len(hosts) > 1 {
		var names []string
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		r.fault(at, "the track has the hosts %s: labrun plays tracks of one machine", strings.Join(names, ", "))
	}
	for _, h := range hosts {
		r.note(at, "%s is made of the image %s, which labrun has not: what the track relies on has to be in the machine", h.Name, h.Image)
	}
}

var onHost = regexp.MustCompile(`^(setup|check|solve|cleanup)-([\w.-]+)$`)

// hostScripts returns the scripts in a folder by what they do. They are all for one host.
func (r *reader) hostScripts(folder string) map[string]string {
	scripts := map[string]string{}
	if info, err := fs.Stat(r.files, r.name(folder)); err != nil || !info.IsDir() {
		return scripts
	}
	for _, e := range r.entries(folder) {
		m := onHost.FindStringSubmatch(e.Name())
		if m == nil || e.IsDir() {
			continue
		}
		if first := scripts[m[1]]; first != "" {
			r.fault(Place{File: r.name(path.Join(folder, e.Name()))}, "%s is for another host: labrun plays tracks of one machine", path.Base(first))
			continue
		}
		scripts[m[1]] = path.Join(folder, e.Name())
	}
	return scripts
}

func (r *reader) assignment(folder string, first bool) {
	name := path.Join(folder, "assignment.md")
	text, ok := r.read(name)
	if !ok {
		return
	}
	head, body, line := frontMatter(text)
	var a assignment
	if !r.decode(name, head, line, &a) {
		return
	}
	r.pageNeeds(name, body)
	for _, tab := range a.Tabs {
		if tab.Type != "terminal" && tab.Type != "" {
			r.note(Place{r.name(name), lineOf(text, "type: "+tab.Type)}, "its tab %s is a %s, which a lab has not: there is a console only", tab.Title, tab.Type)
		}
	}
	c := Challenge{Name: path.Base(folder), At: Place{r.name(name), 1}}
	page := readPage(headings(breaks.ReplaceAllString(body, "")))
	c.Text = Text{Title: a.Title, Narration: page.under(a.Title)}
	if c.Title == "" {
		c.Title = spoken(c.Name)
	}
	for _, n := range a.Notes {
		if n.Type == "text" && strings.TrimSpace(n.Contents) != "" {
			c.Narration = strings.TrimSpace(n.Contents) + "\n\n" + c.Narration
		}
	}
	c.Narration = strings.TrimSpace(c.Narration)
	c.Hints = page.hints
	if a.Type == "quiz" {
		r.note(c.At, "it is a quiz, which is told without asking: labrun's ask(…) can ask it, in the script")
		for _, answer := range a.Answers {
			c.Narration += "\n\n- " + answer
		}
	}
	if first {
		if setup := r.hostScripts("track_scripts")["setup"]; setup != "" {
			if s := r.script(setup, nil); s != nil {
				c.Setup = append(c.Setup, *s)
			}
		}
	}
	scripts := r.hostScripts(folder)
	if scripts["setup"] != "" {
		if s := r.script(scripts["setup"], nil); s != nil {
			c.Setup = append(c.Setup, *s)
		}
	}
	if scripts["check"] != "" {
		c.Check = r.script(scripts["check"], nil)
	}
	switch {
	case scripts["solve"] != "":
		if s := r.script(scripts["solve"], nil); s != nil {
			c.Answer = &Answer{Name: s.Name, Run: s}
		}
	case c.Check != nil:
		r.note(c.At, "it has no solve script, so labrun can neither play it nor prove it")
	}
	if scripts["cleanup"] != "" {
		c.Cleanup = r.script(scripts["cleanup"], nil)
	}
	c.Digest = digest(append(r.texts(folder), r.texts("track_scripts")...))
	r.pack.Challenges = append(r.pack.Challenges, c)
}

// frontMatter parts a text with YAML at its beginning; line is where that begins.
func frontMatter(text string) (head, body string, line int) {
	rest, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return "", text, 0
	}
	head, body, _ = strings.Cut("\n"+rest, "\n---")
	_, body, _ = strings.Cut(body, "\n")
	return strings.TrimPrefix(head, "\n"), body, 1
}

// headings makes of headings that are underlined those with marks in front, which are what
// Instruqt folds up.
var underlined = regexp.MustCompile(`(?m)^(\S.*)\n(=+|-{3,})[ \t]*$`)

func headings(text string) string { return underlined.ReplaceAllString(text, "## $1") }

// yaml reads a YAML file of the pack.
func (r *reader) yaml(name string, into any) (string, bool) {
	text, ok := r.read(name)
	return text, ok && r.decode(name, text, 0, into)
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// decode reads YAML that begins below a line of a file.
func (r *reader) decode(name, text string, line int, into any) bool {
	err := yaml.Unmarshal([]byte(text), into)
	if err == nil {
		return true
	}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	var kinds *yaml.TypeError
	if errors.As(err, &kinds) {
		message = kinds.Errors[0]
	}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		n, _ := strconv.Atoi(m[1])
		line, message = line+n, strings.Replace(message, m[0], "", 1)
	}
	r.fault(Place{r.name(name), line}, "%s", message)
	return false
}
