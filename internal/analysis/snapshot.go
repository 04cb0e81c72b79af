package analysis

import (
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/script"
)

// Images are those that machines may boot from, by name: how many bytes of a line each one's
// shell keeps, 0 if all.
type Images map[string]int

// Names returns the names, sorted.
func (i Images) Names() []string { return slices.Sorted(maps.Keys(i)) }

// snapshot is the files of a mission's folder as they are now, each read and parsed once. It
// is for one goroutine, and for one question: what is asked later may find other files.
type snapshot struct {
	folder   fs.FS
	main     string // the script's name in the folder
	shown    string // what messages call it
	images   Images
	builtins map[string]builtins.Entry
	files    map[string]*sourceFile // by name in the folder
}

func newSnapshot(folder fs.FS, name, shown string, images Images) *snapshot {
	snap := &snapshot{
		folder: script.Overlay{FS: folder}, main: name, shown: shown, images: images,
		builtins: map[string]builtins.Entry{}, files: map[string]*sourceFile{},
	}
	for _, e := range builtins.Table() {
		snap.builtins[e.Name] = e
	}
	return snap
}

// open returns a file of the folder, or what is wrong with it.
func (snap *snapshot) open(name string) (*sourceFile, error) {
	if known, ok := snap.files[name]; ok {
		return known, nil
	}
	data, err := script.ReadFile(snap.folder, name)
	if err != nil {
		return nil, err
	}
	return snap.add(name, script.ShownAs(snap.main, filepath.ToSlash(snap.shown), name), data), nil
}

// add parses a file and keeps it.
func (snap *snapshot) add(name, shown string, data []byte) *sourceFile {
	snap.files[name] = snap.parse(name, shown, data)
	return snap.files[name]
}

// target returns the file that a load statement names.
func (snap *snapshot) target(s *sourceFile, load *syntax.LoadStmt) (*sourceFile, error) {
	name, err := script.Resolve(s.name, load.ModuleName())
	if err != nil {
		return nil, err
	}
	return snap.open(name)
}

// maxHops bounds how often a name is followed to another one that it was given as its
// value: files may load each other in a circle, and variables be each other's values.
const maxHops = 16

// follow goes from a loaded name to the variable in the file that has it. It is nil if that
// is not found.
func (snap *snapshot) follow(v *variable) *variable {
	for range maxHops {
		if v == nil || v.load == nil {
			return v
		}
		other, err := snap.target(v.home, v.load)
		if err != nil {
			return nil
		}
		v = other.globals[v.remoteName.Name]
	}
	return nil
}

// function returns the definition of the function that an expression in a file names, and
// the file that has it; nil if it names none, or one that is not the same each time.
func (snap *snapshot) function(s *sourceFile, x syntax.Expr) (*sourceFile, *syntax.DefStmt) {
	for range maxHops {
		id, ok := unparen(x).(*syntax.Ident)
		if !ok {
			return nil, nil
		}
		v := snap.follow(s.variableOf(id))
		switch {
		case v == nil:
			return nil, nil
		case v.def != nil:
			return v.home, v.def
		case v.value == nil:
			return nil, nil
		}
		s, x = v.home, v.value
	}
	return nil, nil
}

// builtin returns the builtin that an expression names.
func (snap *snapshot) builtin(x syntax.Expr) (builtins.Entry, bool) {
	id, ok := unparen(x).(*syntax.Ident)
	if !ok || !isBuiltin(id) {
		return builtins.Entry{}, false
	}
	e, ok := snap.builtins[id.Name]
	return e, ok
}

// statementCall returns the call and the builtin of a statement that is nothing but the call
// of a builtin, as declarations are.
func (snap *snapshot) statementCall(stmt syntax.Stmt) (*syntax.CallExpr, builtins.Entry, bool) {
	x, ok := stmt.(*syntax.ExprStmt)
	if !ok {
		return nil, builtins.Entry{}, false
	}
	call, ok := x.X.(*syntax.CallExpr)
	if !ok {
		return nil, builtins.Entry{}, false
	}
	e, ok := snap.builtin(call.Fn)
	return call, e, ok
}
