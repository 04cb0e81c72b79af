package pack

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/labrun/labrun/internal/guestos"
)

// file is one that is carried into a machine, by its name relative to the pack.
type file struct {
	name string
	mode fs.FileMode
	data []byte
}

var shebang = regexp.MustCompile(`^#!\s*(\S+)(?:\s+(?:-\S+\s+)*(\S+))?`)

// interpreter is the program's name that runs a script, by its shebang; empty: it has none.
func interpreter(text string) string {
	m := shebang.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	if path.Base(m[1]) == "env" {
		return path.Base(m[2])
	}
	return path.Base(m[1])
}

// script reads one of a challenge's scripts. It is started from its own folder, with the
// files that its challenge and the pack have for all.
func (r *reader) script(name string, carried []file) *Script {
	text, ok := r.read(name)
	if !ok {
		return nil
	}
	s := &Script{Name: r.name(name), in: path.Dir(name), at: name}
	if interpreter(text) == "" && !strings.HasPrefix(text, "\x7fELF") {
		s.shell = "bash"
	}
	if tree := r.parse(name, text); tree != nil {
		r.needs(name, tree)
		s.in = r.startsIn(name, tree, carried)
	}
	s.files = append(slices.Clone(carried), file{name, 0o700, []byte(text)})
	size := 0
	for _, f := range s.files {
		size += len(f.data)
	}
	if size > maxCarried {
		r.fault(Place{File: s.Name}, "%d KiB have to be carried in with it: at most %d can be: put what is large into the machine, "+
			`with machine(…, files = {"/opt/lab": "./files"})`, size>>10, maxCarried>>10)
	}
	return s
}

// parse returns a shell script as a tree; nil if it is none. What is wrong with it is told.
func (r *reader) parse(name, text string) *syntax.File {
	language := syntax.LangBash
	switch interpreter(text) {
	case "", "bash":
	case "sh", "dash", "ash":
		language = syntax.LangPOSIX
	default:
		return nil
	}
	tree, err := syntax.NewParser(syntax.Variant(language), syntax.KeepComments(true)).Parse(strings.NewReader(text), "")
	var wrong syntax.ParseError
	var otherShell syntax.LangError
	switch {
	case errors.As(err, &wrong):
		r.fault(Place{r.name(name), int(wrong.Pos.Line())}, "the shell cannot read it: %s", wrong.Text)
		return nil
	case errors.As(err, &otherShell): // it may never come there, or the machine's sh may know it
		r.note(Place{r.name(name), int(otherShell.Pos.Line())}, "sh may not know that, bash does: begin the script with #!/bin/bash")
		return nil
	case err != nil:
		return nil
	}
	return tree
}

// calls calls f with each simple command of a script whose name is plain, and its words; a
// word that is not plain is empty.
func calls(tree syntax.Node, f func(line int, words []string)) {
	syntax.Walk(tree, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 0 {
			var words []string
			for _, a := range call.Args {
				words = append(words, literal(a))
			}
			for len(words) > 1 && (words[0] == "sudo" || words[0] == "exec" || words[0] == "nohup") {
				words = words[1:]
			}
			if words[0] != "" {
				f(int(call.Pos().Line()), words)
			}
		}
		return true
	})
}

// literal is a word without expansions, its quotation marks removed; empty if it has any.
func literal(w *syntax.Word) string {
	text := ""
	for _, part := range w.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			text += p.Value
		case *syntax.SglQuoted:
			text += p.Value
		case *syntax.DblQuoted:
			for _, inner := range p.Parts {
				lit, ok := inner.(*syntax.Lit)
				if !ok {
					return ""
				}
				text += lit.Value
			}
		default:
			return ""
		}
	}
	return text
}

// What commands need that a lab has not.
var (
	installers = []string{"apt-get", "apt", "dnf", "yum", "apk", "snap", "pip", "pip3", "npm", "gem", "zypper", "pacman"}
	fetchers   = []string{"wget", "curl", "git"}
	clusters   = []string{"docker", "podman", "kubectl", "minikube", "helm", "kind", "crictl", "nerdctl"}
	platforms  = map[string]string{"agent": "Instruqt", "set-workdir": "Instruqt", "set-status": "Instruqt", "gcloud": "Google's cloud", "aws": "Amazon's cloud", "az": "Microsoft's cloud"}
)

// needs notes what a script relies on that a lab does not have.
func (r *reader) needs(name string, tree *syntax.File) {
	own := map[string]bool{} // functions of the script's
	syntax.Walk(tree, func(n syntax.Node) bool {
		if f, ok := n.(*syntax.FuncDecl); ok && f.Name != nil {
			own[f.Name.Value] = true
		}
		return true
	})
	calls(tree, func(line int, words []string) {
		at, command := Place{r.name(name), line}, path.Base(words[0])
		installs := slices.ContainsFunc(words[1:], func(w string) bool { return w == "install" || w == "add" || w == "-S" || w == "update" })
		switch {
		case own[command]:
		case slices.Contains(installers, command) && installs:
			r.note(at, "%s needs the internet, which a lab has not: give the machine what it installs, machine(…, packages = [\"…\"])", command)
		case slices.Contains(fetchers, command) && remote(words):
			r.note(at, "%s fetches from the internet, which a lab has not: put the file into the machine, machine(…, files = {…})", command)
		case slices.Contains(clusters, command):
			r.note(at, "it runs %s, which labrun's images have not", command)
		case platforms[command] != "":
			r.note(at, "%s is a command of %s's own machines: labrun's have it not", command, platforms[command])
		}
	})
}

// remote reports whether a command names something that is not on the machine itself.
func remote(words []string) bool {
	for _, w := range words {
		if host, ok := strings.CutPrefix(strings.TrimPrefix(w, "git@"), "https://"); ok {
			return host != ""
		}
		host, ok := strings.CutPrefix(w, "http://")
		if ok && !strings.HasPrefix(host, "localhost") && !strings.HasPrefix(host, "127.") {
			return true
		}
	}
	return false
}

// startsIn returns the folder that a script has to be started from: its own, unless it
// reads files as only from the pack's own folder they can be found.
func (r *reader) startsIn(name string, tree *syntax.File, carried []file) string {
	folder := path.Dir(name)
	there := func(in, sourced string) bool {
		return slices.ContainsFunc(carried, func(f file) bool { return f.name == path.Join(in, sourced) })
	}
	from := folder
	calls(tree, func(line int, words []string) {
		if (words[0] != "." && words[0] != "source") || len(words) < 2 || words[1] == "" || strings.HasPrefix(words[1], "/") || strings.HasPrefix(words[1], "~") {
			return
		}
		switch {
		case there(folder, words[1]):
		case there(".", words[1]):
			from = "."
		default:
			r.fault(Place{r.name(name), line}, "it reads %s, which is not in the pack, neither in %s nor in %s", words[1],
				r.name(folder), r.root)
		}
	})
	return from
}

// Errand is a script on its way into a machine.
type Errand struct {
	Archive []byte // a tar archive that is to be there before, at the path box.tar, root's alone; nil: the command has it
	Command string // for the machine's sh, as root
	Again   string // the same for a machine that may have the script's files still: it prints Gone if not; empty: nothing stays
}

// Gone is what [Errand.Again] prints, and nothing else, where the files are not there.
const Gone = "labrun: the script is not there\n"

// inCommand is how big an archive, in bytes, goes along in the command: one exchange with the
// machine instead of three, and half of the programs that run there for a script.
const inCommand = 16 << 10

// Carry returns what a machine needs to run the script in the folder box, which is not there
// yet: the command unpacks it, runs the script, and ends as the script does. What the script
// prints, errors included, is its output, in order. Nothing of it is left behind, unless it
// stays: then the box is kept as long as scripts change nothing in it. Variables are those of
// the script's environment, as NAME=VALUE.
func (s *Script) Carry(box string, stays bool, variables ...string) Errand {
	run := "./" + relative(s.in, s.at)
	if s.shell != "" {
		run = fmt.Sprintf("$(command -v %s || echo sh) %s", s.shell, run)
	}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		run = name + "=" + quote(value) + " " + run
	}
	archive := s.archive(path.Base(box))
	unpack := fmt.Sprintf("$l tar -xf %[1]s.tar; $l rm -f %[1]s.tar", box)
	if len(archive) <= inCommand {
		unpack = "echo " + base64.StdEncoding.EncodeToString(archive) + " | $l base64 -d | $l tar -xf -"
		archive = nil
	}
	// labrun's own programs, where the image has them: they start faster.
	ours := fmt.Sprintf("l=%s; [ -x $l ] || l=\n", guestos.Box)
	unpack = fmt.Sprintf("cd %s && umask 077 && %s\n", path.Dir(box), unpack)
	play := fmt.Sprintf(`cd %[1]s/%[2]s && umask 022
PATH=%[1]s/.bin:$PATH LANG=C.UTF-8 USER=root LOGNAME=root %[3]s 2>&1
s=$?; [ ! -s %[1]s/.failed ] || { $l cat %[1]s/.failed; : >%[1]s/.failed; [ $s != 0 ] || s=1; }
`, box, quote(s.in), run)
	end := fmt.Sprintf("cd /; $l rm -rf %s; exit $s", box)
	if !stays {
		return Errand{Archive: archive, Command: ours + unpack + play + end}
	}
	// What is newer than the mark was changed by a script, or in a folder, added or removed.
	mark := fmt.Sprintf(": >%s/.mark\n", box)
	end = fmt.Sprintf("cd %[1]s && for f in %[2]s; do [ ! \"$f\" -nt .mark ] || { cd /; $l rm -rf %[1]s; break; }; done; exit $s", box, s.carried())
	return Errand{
		Archive: archive, Command: ours + unpack + mark + play + end,
		Again: ours + fmt.Sprintf("[ -f %s/.mark ] || { printf %s; exit 1; }\n", box, quote(strings.ReplaceAll(Gone, "\n", `\n`))) + play + end,
	}
}

// Digest names the script with all that is carried in with it: 16 hexadecimal digits.
func (s *Script) Digest() string {
	return fmt.Sprintf("%x", sha256.Sum256(append(s.archive("."), s.at...)))[:16]
}

// carried are the names of the files and folders in the box, as words of a shell.
func (s *Script) carried() string {
	var names []string
	for _, f := range s.files {
		for name := f.name; !slices.Contains(names, quote(name)); name = path.Dir(name) {
			names = append(names, quote(name))
		}
	}
	return strings.Join(names, " ")
}

// archive is a tar archive of a folder with the script, its files, and the command with which
// Instruqt's scripts say what has failed.
func (s *Script) archive(folder string) []byte {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	w.WriteHeader(&tar.Header{Name: folder + "/", Mode: 0o700, Typeflag: tar.TypeDir})
	for _, f := range append(slices.Clip(s.files),
		file{".bin/fail-message", 0o700, fmt.Appendf(nil, "#!/bin/sh\necho \"✗ $*\" >>\"${0%%/*}/../.failed\"\n")},
		file{".failed", 0o600, nil},
	) {
		w.WriteHeader(&tar.Header{Name: path.Join(folder, f.name), Mode: int64(f.mode.Perm()), Size: int64(len(f.data)), Typeflag: tar.TypeReg})
		w.Write(f.data) // a buffer takes everything
	}
	w.Close()
	return archive.Bytes()
}

// relative is the path from a folder of the pack to a file in it or beside it.
func relative(folder, file string) string {
	if folder == "." {
		return quote(file)
	}
	return quote(strings.TrimPrefix(file, folder+"/"))
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
