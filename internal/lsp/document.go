package lsp

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"github.com/labrun/labrun/internal/analysis"
)

// document is a script that an editor has open.
type document struct {
	uri     string
	path    string // empty: it is no file (yet)
	version int
	lines   text

	changed bool // since it was last looked at
	load    bool // load it, too, when it is looked at next
}

// text is a document's lines, without their ends, and without a byte order mark.
type text struct {
	whole string
	lines []string
	bom   bool
}

func newText(whole string) text {
	content, bom := strings.CutPrefix(whole, "\ufeff")
	return text{
		whole: content, bom: bom,
		lines: strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(content), "\n"),
	}
}

// place turns a position of the protocol into one of labrun's: lines from 1,
// columns from 1 in characters. What is outside of the text is moved into it.
func (t text) place(p position) analysis.Place {
	if p.Line < 0 {
		return analysis.Place{Line: 1, Column: 1}
	}
	line := min(p.Line, len(t.lines)-1)
	units, column := p.Character, 1
	if line < p.Line {
		units = len(t.lines[line]) + 1
	}
	if line == 0 && t.bom {
		units--
	}
	for _, r := range t.lines[line] {
		if units -= utf16.RuneLen(r); units < 0 {
			break
		}
		column++
	}
	return analysis.Place{Line: line + 1, Column: column}
}

func (t text) position(p analysis.Place) position {
	line := min(max(p.Line, 1), len(t.lines)) - 1
	units, column := 0, 1
	for _, r := range t.lines[line] {
		if column >= p.Column {
			break
		}
		units += utf16.RuneLen(r)
		column++
	}
	if line == 0 && t.bom {
		units++
	}
	return position{line, units}
}

func (t text) textRange(s analysis.Span) textRange {
	return textRange{t.position(s.From), t.position(s.To)}
}

// pathOf returns the file that a URI names; empty if it names none.
func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || !filepath.IsAbs(u.Path) {
		return ""
	}
	return filepath.Clean(u.Path)
}

func uriOf(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// folder is what a script may load from: a folder of the host, with the texts that
// are open in the editor in the place of those that are saved.
type folder struct {
	fs.FS
	path string
	open map[string]string // by absolute path
}

// ReadFile implements fs.ReadFileFS.
func (f folder) ReadFile(name string) ([]byte, error) {
	if text, ok := f.open[filepath.Join(f.path, name)]; ok {
		return []byte(text), nil
	}
	return fs.ReadFile(f.FS, name)
}

// nowhere is the folder of a script that is not saved.
type nowhere struct{}

func (nowhere) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// drafted is a draft with the folder that it is in.
type drafted struct {
	*analysis.Draft
	text   text
	folder folder
	root   *os.Root // nil: none is open
}

func (d drafted) close() {
	if d.root != nil {
		d.root.Close()
	}
}

// draft opens a document for looking at it. A mission's folder is where it is; a
// file that others load may belong to a mission in any folder of the workspace.
// The caller closes it. The server is locked.
func (s *server) draft(doc *document) drafted {
	if doc.path == "" {
		return drafted{
			Draft: analysis.NewDraft(
				nowhere{}, "untitled.star", "untitled.star", doc.lines.whole, s.images(""),
			), text: doc.lines,
		}
	}
	d := s.draftIn(doc, filepath.Dir(doc.path))
	if d.IsMission() {
		return d
	}
	for _, workspace := range s.workspaces {
		if name, err := filepath.Rel(workspace, doc.path); err == nil && filepath.IsLocal(name) && workspace != d.folder.path {
			d.close()
			return s.draftIn(doc, workspace)
		}
	}
	return d
}

// images are those of missions in a folder. A lock that cannot be read is told of by `labrun
// check`; here its images are unknown, as they are to a run.
func (s *server) images(folder string) analysis.Images {
	images, err := s.options.Images(folder)
	if err != nil {
		fmt.Fprintln(s.options.Log, err)
		images, _ = s.options.Images("")
	}
	return images
}

func (s *server) draftIn(doc *document, dir string) drafted {
	d := drafted{text: doc.lines, folder: folder{FS: nowhere{}, path: dir, open: map[string]string{}}}
	if root, err := os.OpenRoot(dir); err == nil {
		d.root, d.folder.FS = root, root.FS()
	}
	for _, other := range s.documents {
		if other.path != "" {
			d.folder.open[other.path] = other.lines.whole
		}
	}
	name, err := filepath.Rel(dir, doc.path)
	if err != nil {
		name = filepath.Base(doc.path)
	}
	name = filepath.ToSlash(name)
	d.Draft = analysis.NewDraft(d.folder, name, name, doc.lines.whole, s.images(dir))
	return d
}
