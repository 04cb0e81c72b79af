package pack

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Pack is a folder of challenges that was read.
type Pack struct {
	Intro, Finish Text // what is told before the first challenge and after the last; may be empty
	Challenges    []Challenge

	// Ordered says that each challenge goes on from the one before it, as in a scenario of
	// Killercoda and a track of Instruqt; else they may be taken in any order.
	Ordered bool

	Notes []Fault // what the author should know: nothing keeps the pack from being played
}

// Text is a page that is told to the reader, in Markdown.
type Text struct {
	Title, Narration string
	Told             map[string]Text // in other languages, by their tags
}

// Challenge is one of a pack's challenges.
type Challenge struct {
	Text
	Name  string   // of its folder, or what stands for one: letters, digits, - and _
	At    Place    // its text, or its check
	Goal  string   // what is to be done, in Markdown; empty: the title says it
	Hints []string // in Markdown, in order

	Setup   []Script // run in this order before the challenge, and again when it is reset
	Check   *Script  // nil: there is nothing to check, its text is only read
	Answer  *Answer  // nil: there is none
	Wrong   []Wrong
	Cleanup *Script // run before the set-up, whatever becomes of it; nil: none

	// Translations of what is put before the reader besides the text, by language: of the
	// goal, the hints, and the lines that the check prints.
	Words map[string]map[string]string

	Digest string // of all its files and of those that it shares with others
}

// Script is a program of the pack's that runs in the machine, as root.
type Script struct {
	Name    string // of its file in the mission's folder
	MayFail bool   // whatever its status, what it has made is what there is to be
	Quiet   bool   // what it prints besides parts is for nobody

	shell string // it has no shebang: what runs it; empty: it says that itself, or is a program

	in    string // the folder it is started from, relative to the pack
	at    string // its own place, relative to the pack
	files []file // all that is carried in with it, itself included
}

// Answer is a way to a challenge's goal.
type Answer struct {
	Name  string
	Lines []Line  // to type; empty: the script is run
	Run   *Script // nil: lines are typed
}

// Line is one to type.
type Line struct {
	Text    string
	Console string // whose it is typed at; empty: the challenge's own
	Number  int    // in its file
}

// Wrong is an answer that must not do.
type Wrong struct {
	Answer
	Why string // it must fail; empty: the author does not say

	// Printed says that the check's script has that text, so that it can be asked for.
	Printed bool
}

// Place is a line of a file; line 0 is the file as a whole.
type Place struct {
	File string // in the mission's folder
	Line int
}

// Fault is something wrong with a pack, or worth knowing, and its place.
type Fault struct {
	Place
	Message string
}

// Error says why a pack cannot be used: everything that is wrong with it.
type Error struct{ Faults []Fault }

func (e *Error) Error() string {
	var lines []string
	for _, f := range e.Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func (f Fault) String() string { return f.Place.String() + ": " + f.Message }

// Bounds of a pack: a serial port is a thin pipe, and a slip in a path is not a day.
const (
	maxScript  = 1 << 20
	maxCarried = 512 << 10 // with one script
	maxFiles   = 5000
)

// Read reads the pack in a folder of a file system. What makes it unusable is an *Error.
func Read(files fs.FS, folder string) (*Pack, error) {
	r := &reader{files: files, root: folder, pack: &Pack{}}
	info, err := fs.Stat(files, folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Error{[]Fault{{Place{File: folder}, "there is no such folder"}}}
	case err != nil:
		return nil, &Error{[]Fault{{Place{File: folder}, plain(err)}}}
	case !info.IsDir():
		return nil, &Error{[]Fault{{Place{File: folder}, "it is a file: a pack is a folder of challenges"}}}
	}
	switch {
	case r.has("index.json"):
		r.killercoda()
	case r.has("track.yml"):
		r.instruqt()
	default:
		r.plain()
	}
	if len(r.faults) == 0 && len(r.pack.Challenges) == 0 {
		r.fault(Place{File: folder}, "there is no challenge in it: a challenge is a folder with a check.sh (or verify.sh), "+
			"a scenario of Killercoda has an index.json, a track of Instruqt a track.yml")
	}
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b Fault) int {
			return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
		})
		return nil, &Error{slices.Compact(r.faults)}
	}
	return r.pack, nil
}

// reader reads one pack.
type reader struct {
	files fs.FS
	root  string
	pack  *Pack

	faults []Fault
	noted  map[Fault]bool
}

func (r *reader) fault(at Place, format string, values ...any) {
	r.faults = append(r.faults, Fault{at, fmt.Sprintf(format, values...)})
}

// note says something once.
func (r *reader) note(at Place, format string, values ...any) {
	f := Fault{at, fmt.Sprintf(format, values...)}
	if r.noted == nil {
		r.noted = map[Fault]bool{}
	}
	if !r.noted[f] {
		r.noted[f] = true
		r.pack.Notes = append(r.pack.Notes, f)
	}
}

// name is what a file of the pack is called in the mission's folder.
func (r *reader) name(file string) string { return path.Join(r.root, file) }

func (r *reader) has(file string) bool {
	info, err := fs.Stat(r.files, r.name(file))
	return err == nil && info.Mode().IsRegular()
}

// read returns a text file of the pack with Unix line ends; false if that is a fault, which
// is told.
func (r *reader) read(file string) (text string, ok bool) {
	at := Place{File: r.name(file)}
	if !fs.ValidPath(at.File) {
		r.fault(at, "it leaves the mission's folder")
		return "", false
	}
	info, err := fs.Stat(r.files, at.File)
	switch {
	case err != nil:
		r.fault(at, "%s", plain(err))
		return "", false
	case !info.Mode().IsRegular():
		r.fault(at, "it is no file")
		return "", false
	case info.Size() > maxScript:
		r.fault(at, "it has %d bytes: a script or text of a pack may have %d", info.Size(), maxScript)
		return "", false
	}
	content, err := fs.ReadFile(r.files, at.File)
	if err != nil {
		r.fault(at, "%s", plain(err))
		return "", false
	}
	text = strings.TrimPrefix(string(content), "\ufeff")
	return strings.ReplaceAll(text, "\r\n", "\n"), true
}

// plain drops Go's names of operations from an error and keeps the reason.
func plain(err error) string {
	var at *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.As(err, &at):
		return at.Err.Error()
	}
	return err.Error()
}

// digest names the content of files.
func digest(files []file) string {
	sum := sha256.New()
	for _, f := range files {
		fmt.Fprintf(sum, "%s %o %d\n%s", f.name, f.mode, len(f.data), f.data)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}
