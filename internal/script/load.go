package script

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/phrase"
)

// Script is a script that has been loaded: what it declares, and its files.
type Script struct {
	File    string            // as it was named
	Name    string            // in its folder
	Session *builtins.Session // that it declared to
	Sources []Source          // all files that were executed, the script first
	Who     course.Student    // for whom it was drawn

	folder    fs.FS              // that it was loaded from; closed if onDisk
	onDisk    bool               // File is a file of the host, whose folder can be opened again
	options   Options            // that it was loaded with, if so
	modules   map[string]*module // by path in the folder
	languages []string           // that there are translations in
	telling   atomic.Pointer[telling]
}

// Source is a file of a script as it was loaded.
type Source struct {
	Shown string // what messages call it
	Text  []byte
}

// Options say how a script is loaded.
type Options struct {
	Images []string // the names that its machines may boot from

	// Derivable tells what is wrong with an image that is made of another one; nil: nobody knows.
	Derivable func(*image.Derivation) error

	// Profile is what is known of an image; nil: nothing is.
	Profile  func(name string) (image.Profile, bool)
	Language string // the reader's, as a BCP 47 tag such as zh-TW; empty: the original's

	// Who plays it, or will: what the script draws, it draws for them.
	Who course.Student

	// NoSteps accepts a mission without steps, whose author is finding out at a prompt
	// what to write.
	NoSteps bool

	path string // of the script's folder on this computer; empty: it has none
}

// BuiltIn reports whether the script came with labrun, and from no file of the host's.
func (s *Script) BuiltIn() bool { return !s.onDisk }

// Declared returns what the script declared, in the present language, with what was drawn
// in its texts.
func (s *Script) Declared() builtins.Declaration {
	d := s.telling.Load().by.apply(s.Session.Declared())
	if len(d.Variants) > 0 {
		d.Title = builtins.Fill(d.Title, d.Variants)
		d.Steps = slices.Clone(d.Steps)
		for i, step := range d.Steps {
			d.Steps[i].Title = builtins.Fill(step.Title, d.Variants)
			d.Steps[i].Narration = builtins.Fill(step.Narration, d.Variants)
		}
	}
	return d
}

// Drawn tells what the script has drawn for who plays from other draws, and not what that
// is; empty: it has drawn nothing.
func (s *Script) Drawn() string {
	drawn := s.Session.Declared().Variants
	if len(drawn) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, v := range drawn {
		fmt.Fprintf(sum, "%q %q\n", v.Name, v.Value)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// Names returns what is at the script's top level: its own names, and those that it has
// loaded, which the interpreter keeps apart.
func (s *Script) Names() starlark.StringDict {
	names := maps.Clone(s.modules[s.Name].globals)
	main := s.Sources[0]
	tree, err := (&syntax.FileOptions{}).Parse(main.Shown, main.Text, 0)
	if err != nil {
		return names // it has been executed, so there is none
	}
	for _, stmt := range tree.Stmts {
		load, ok := stmt.(*syntax.LoadStmt)
		if !ok {
			continue
		}
		if target, err := Resolve(s.Name, load.ModuleName()); err == nil {
			for k, to := range load.To {
				names[to.Name] = s.modules[target].globals[load.From[k].Name]
			}
		}
	}
	return names
}

// ReadFile reads a file of the script's folder, which its name is relative to.
func (s *Script) ReadFile(name string) ([]byte, error) {
	folder, done, err := s.openFolder()
	if err != nil {
		return nil, err
	}
	defer done()
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return nil, errOutside
	}
	return ReadFile(folder, name)
}

// openFolder opens the script's folder again, as it is now. The caller calls done.
func (s *Script) openFolder() (folder fs.FS, done func(), err error) {
	if !s.onDisk {
		return s.folder, func() {}, nil
	}
	root, _, err := OpenFolder(s.File)
	if err != nil {
		return nil, nil, err
	}
	return root.FS(), func() { root.Close() }, nil
}

// LoadFile loads the script at a path of the host, or that a link there leads to. Its error
// is an *Error, as that of Load.
func LoadFile(ctx context.Context, file string, o Options) (*Script, error) {
	root, file, err := OpenFolder(file)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if o.path, err = filepath.Abs(filepath.Dir(file)); err != nil {
		return nil, unreadable(file, err)
	}
	s, err := Load(ctx, root.FS(), filepath.Base(file), file, o)
	if s != nil {
		s.onDisk, s.options = true, o
	}
	return s, err
}

// Load loads the script called name in folder: it is run, and it can only declare. Folder
// also confines its load statements; shown is what messages call it. What is wrong with the
// script or with its translation is an *Error, and so is an interrupt by ctx.
func Load(ctx context.Context, folder fs.FS, name, shown string, o Options) (*Script, error) {
	folder = Overlay{folder}
	s := &Script{File: shown, folder: folder, Name: name, Who: o.Who, languages: translations(folder, name)}
	s.telling.Store(&telling{})
	if tag, ok := phrase.Match(o.Language, s.languages); ok {
		t, err := readTranslation(folder, name, shown, tag)
		if err != nil {
			return nil, err
		}
		s.telling.Store(&telling{by: t, used: []*Translation{t}})
	}
	s.Session = builtins.New(o.Images, s.Text, s.ReadFile, builtins.Folder{Files: folder, Open: s.openFolder, Path: o.path})
	s.Session.CheckImages(o.Derivable)
	s.Session.Know(o.Profile)
	s.Session.DrawFor(o.Who, strings.TrimSuffix(path.Base(name), ".star"))
	l := &loader{
		folder: folder, main: name, shown: shown, ctx: ctx,
		predeclared: bounded(s.Session.Predeclared()), modules: map[string]*module{},
	}
	if _, err := l.execute(name); err != nil {
		return nil, Explain(err)
	}
	if by := s.telling.Load().by; by != nil {
		by.adopt(s.Session.Declared())
		by.fill(s.Session.Declared().Variants)
	}
	s.Sources = l.sources
	s.modules = l.modules
	if err := s.complete(o); err != nil {
		return nil, err
	}
	return s, nil
}

// complete reports what a script lacks that is no error of any of its statements.
func (s *Script) complete(o Options) error {
	missing := ""
	switch d := s.Session.Declared(); {
	case d.Title == "":
		missing = "no mission is declared: begin with mission(title = …, api = 1)"
	case len(d.Steps) == 0 && !o.NoSteps:
		missing = "no step is declared: make a function a step with step(function), or a challenge with challenge(function)"
	default:
		return nil
	}
	return &Error{Position: inFile(s.File), Message: missing}
}

// loader executes a script and the files it loads, each once.
type loader struct {
	folder      fs.FS
	main, shown string
	ctx         context.Context
	predeclared starlark.StringDict
	modules     map[string]*module // by path in the folder
	sources     []Source
}

// module is the outcome of a file that was executed, or is being executed.
type module struct {
	globals starlark.StringDict // at its top level
	err     error
	done    bool
}

// execute returns the outcome of a file, which is executed if it was not yet. What several
// files load is declared once that way.
func (l *loader) execute(name string) (starlark.StringDict, error) {
	if known, ok := l.modules[name]; ok {
		if !known.done {
			return nil, errors.New("it is being loaded already: files cannot load each other in a circle")
		}
		return known.globals, known.err
	}
	entry := &module{}
	l.modules[name] = entry
	entry.globals, entry.err = l.run(name)
	entry.done = true
	return entry.globals, entry.err
}

// run reads and executes a file. The thread of the file that loads it waits meanwhile.
func (l *loader) run(name string) (starlark.StringDict, error) {
	shown := ShownAs(l.main, filepath.ToSlash(l.shown), name)
	content, err := ReadFile(l.folder, name)
	if err == nil {
		content, err = Clean(content)
	}
	var wrong *Error
	switch {
	case errors.As(err, &wrong):
		wrong.Position = inFile(shown)
		return nil, wrong
	case err != nil && name == l.main:
		return nil, unreadable(l.shown, err)
	case err != nil:
		return nil, err
	}
	l.sources = append(l.sources, Source{shown, content})
	thread := NewThread(l.ctx, shown, nil)
	defer thread.Release()
	thread.Load = func(_ *starlark.Thread, request string) (starlark.StringDict, error) {
		target, err := Resolve(name, request)
		if err != nil {
			return nil, err
		}
		thread.busy.Add(1) // the other file's own thread is guarded
		defer thread.busy.Add(-1)
		return l.execute(target)
	}
	return Evaluate(thread, func() (starlark.StringDict, error) {
		file, err := (&syntax.FileOptions{}).Parse(shown, content, 0)
		if err != nil {
			return nil, err
		}
		limitProducts(file)
		program, err := starlark.FileProgram(file, l.predeclared.Has)
		if err != nil {
			return nil, err
		}
		globals, err := program.Init(thread.Thread, l.predeclared)
		globals.Freeze()
		return globals, err
	})
}
