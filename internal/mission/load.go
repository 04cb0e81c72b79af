package mission

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

// Mission is a loaded script: its declarations, ready to be run.
type Mission struct {
	File string // as it was named

	session   *builtins.Session
	folder    fs.FS // that it was loaded from; closed if onDisk
	onDisk    bool
	name      string             // in the folder
	sources   []source           // all its files
	modules   map[string]*module // what they have at their top level, by path in the folder
	languages []string           // that there are translations in
	chosen    string             // one of them; empty: the original
	catalogue *catalogue         // of the chosen language; nil: the original
}

// Options say how a mission is loaded.
type Options struct {
	Images   []string // the names that its machines may boot from
	Language string   // the reader's, as a BCP 47 tag: «zh-TW»; empty: the original's
	Begun    bool     // it may have no steps yet: its author is finding out what to write
}

// Declared returns what the script declared, in the chosen language.
func (m *Mission) Declared() builtins.Declaration { return m.catalogue.apply(m.session.Declared()) }

// Language returns the language that the mission is told in.
func (m *Mission) Language() string { return cmp.Or(m.chosen, m.session.Declared().Language) }

// Languages returns the languages that the mission can be told in, the original's
// first.
func (m *Mission) Languages() []string {
	return append([]string{m.session.Declared().Language}, m.languages...)
}

// LoadFile loads the script at a path of the host, or that a link there leads to. An error in the script or its
// translation is an *Error.
func LoadFile(ctx context.Context, file string, o Options) (*Mission, error) {
	file = RealFile(file)
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, notFound(file, err)
	}
	defer root.Close()
	m, err := Load(ctx, root.FS(), filepath.Base(file), file, o)
	if m != nil {
		m.onDisk = true
	}
	return m, err
}

// Load loads the script called name in folder, which also confines its load
// statements; shown is what messages call it.
func Load(ctx context.Context, folder fs.FS, name, shown string, o Options) (*Mission, error) {
	folder = shelf{folder}
	m := &Mission{File: shown, folder: folder, name: name, languages: translations(folder, name)}
	if tag, ok := MatchLanguage(o.Language, m.languages); ok {
		var err error
		if m.catalogue, err = readCatalogue(folder, name, shown, tag); err != nil {
			return nil, err
		}
		m.chosen = tag
	}
	m.session = builtins.New(o.Images, m.catalogue.text)
	l := &loader{
		folder: folder, main: name, shown: shown, ctx: ctx,
		predeclared: bounded(m.session.Predeclared()), modules: map[string]*module{},
	}
	if _, err := l.execute(name); err != nil {
		return nil, Classify(ctx, err)
	}
	m.sources = l.sources
	m.modules = l.modules
	d := m.Declared()
	switch {
	case d.Title == "":
		return nil, &Error{Kind: Script, Position: shown, Message: "no mission is declared: begin with mission(title = …, api = 1)"}
	case len(d.Steps) == 0 && !o.Begun:
		return nil, &Error{Kind: Script, Position: shown, Message: "no step is declared: make a function a step with step(function)"}
	}
	return m, nil
}

// RealFile returns what a link to a script leads to, and any other file as it is: a
// mission's folder is the one that its script lies in, wherever links to that are.
func RealFile(file string) string {
	if info, err := os.Lstat(file); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if real, err := filepath.EvalSymlinks(file); err == nil {
			return real
		}
	}
	return file
}

func notFound(file string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{Kind: Usage, Position: file, Message: "there is no such mission"}
	}
	return &Error{Kind: Usage, Position: file, Message: plainPathError(err).Error()}
}

// loader executes a script and the files it loads, each once.
type loader struct {
	folder      fs.FS
	main, shown string
	ctx         context.Context
	predeclared starlark.StringDict
	modules     map[string]*module // by path in the folder
	sources     []source
}

type module struct {
	globals starlark.StringDict
	err     error
	done    bool
}

// largestScript bounds a script's size, in bytes.
const largestScript = 4 << 20

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

func (l *loader) run(name string) (starlark.StringDict, error) {
	shown := shownAs(l.main, filepath.ToSlash(l.shown), name)
	info, err := fs.Stat(l.folder, name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	} else if err == nil && info.Size() > largestScript {
		return nil, &Error{Kind: Script, Position: shown, Message: fmt.Sprintf("it has %d bytes: a script may have %d", info.Size(), largestScript)}
	}
	var content []byte
	if err == nil {
		content, err = fs.ReadFile(l.folder, name)
	}
	if err != nil {
		if name == l.main {
			return nil, notFound(l.shown, err)
		}
		return nil, plainPathError(err)
	}
	if content, err = text(content); err != nil {
		return nil, &Error{Kind: Script, Position: shown, Message: err.Error()}
	}
	l.sources = append(l.sources, source{shown, content})
	thread := newThread(l.ctx, shown, nil)
	defer thread.release()
	thread.Load = func(_ *starlark.Thread, request string) (starlark.StringDict, error) {
		target, err := within(name, request)
		if err != nil {
			return nil, err
		}
		thread.busy.Add(1)
		defer thread.busy.Add(-1)
		return l.execute(target)
	}
	return evaluate(thread, func() (starlark.StringDict, error) {
		file, err := (&syntax.FileOptions{}).Parse(shown, content, 0)
		if err != nil {
			return nil, err
		}
		bound(file)
		program, err := starlark.FileProgram(file, l.predeclared.Has)
		if err != nil {
			return nil, err
		}
		globals, err := program.Init(thread.Thread, l.predeclared)
		globals.Freeze()
		return globals, err
	})
}

// text returns a script's source without the byte order mark that some editors
// put before it. What is no text is refused here: the parser would blame a
// character that nobody sees.
func text(source []byte) ([]byte, error) {
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	if bytes.IndexByte(source, 0) >= 0 {
		return nil, errors.New("it is no text but binary data: a script is text in UTF-8")
	}
	for i, line := range bytes.Split(source, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, fmt.Errorf("line %d is not UTF-8: save the script in that encoding", i+1)
		}
	}
	return source, nil
}

// within turns the argument of load in the file from into a path of the
// mission's folder.
func within(from, request string) (string, error) {
	if strings.HasPrefix(request, libraryPrefix) {
		return libraryFile(request)
	}
	target := path.Join(path.Dir(from), request)
	if path.IsAbs(request) || !fs.ValidPath(target) {
		return "", errOutside
	}
	if !strings.HasPrefix(request, "./") && !strings.HasPrefix(request, "../") {
		return "", fmt.Errorf(`write it relative to this file: load("./%s", …)`, path.Clean(request))
	}
	if !strings.HasSuffix(target, ".star") {
		return "", errors.New("it is no script: only files called *.star can be loaded")
	}
	return target, nil
}

var errOutside = errors.New("it is outside the mission's folder: a mission may load files of its own folder only")

// plainPathError drops Go's operation names and keeps the reason.
func plainPathError(err error) error {
	var pathError *fs.PathError
	switch {
	case !errors.As(err, &pathError):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file in the mission's folder")
	case strings.Contains(pathError.Err.Error(), "escapes"): // os.Root met a link to elsewhere; it exports no such error
		return errOutside
	}
	return pathError.Err
}
