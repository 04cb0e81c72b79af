package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// How much a Tree holds: it is in memory while a mission is loaded, and crosses a disk that
// is made for it.
const (
	MostFiles = 10_000   // files, folders and links
	MostBytes = 32 << 20 // of their contents together
)

// Tree is files and folders for a guest: read once, so that what was looked at is what is
// installed. It is not safe for concurrent use while it is added to.
type Tree struct {
	Roots []string // where in the guest they are put, in the order of Add

	script  strings.Builder // the commands before the archive is unpacked
	archive bytes.Buffer
	tar     *tar.Writer
	count   int
	bytes   int64
}

var ownerName = regexp.MustCompile(`^[a-z_][a-z0-9_-]*(:[a-z_][a-z0-9_-]*)?$|^\d{1,5}(:\d{1,5})?$`)

// Add reads the file or folder called name, a slash-separated path in folder, and puts it at
// an absolute path of the guest. Its mode stays, its time does not, and it belongs to root, or to
// owner, USER or USER:GROUP. A symbolic link has to lead to something within what is added,
// by a relative path. The error says what is wrong with which file.
func (t *Tree) Add(folder fs.FS, name, guest, owner string) error {
	switch {
	case !path.IsAbs(guest) || path.Clean(guest) != guest && path.Clean(guest)+"/" != guest:
		return fmt.Errorf("%q is no absolute path of the guest, such as /opt/lab", guest)
	case strings.HasPrefix(guest+"/", "/proc/"), strings.HasPrefix(guest+"/", "/sys/"), strings.HasPrefix(guest+"/", "/dev/"),
		strings.HasPrefix(guest+"/", "/run/"):
		return fmt.Errorf("what is put at %s is not kept: the guest makes that folder when it boots", guest)
	case owner != "" && !ownerName.MatchString(owner):
		return fmt.Errorf("owner %q: want a user, or user:group", owner)
	case !fs.ValidPath(name):
		return fmt.Errorf("%s leads out of the mission's folder", name)
	}
	guest = path.Clean(guest)
	if slices.Contains(t.Roots, guest) {
		return fmt.Errorf("%s is given twice", guest)
	}
	info, err := fs.Stat(folder, name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, plainCause(err))
	}
	if !info.IsDir() && guest == "/" {
		return fmt.Errorf("%s is a file: say what it is called in the guest, not only /", name)
	}
	if t.tar == nil {
		t.tar = tar.NewWriter(&t.archive)
	}
	by := parseOwner(owner)
	by.check(&t.script)
	top, err := topOf(folder, name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, plainCause(err))
	}
	err = fs.WalkDir(folder, top, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = t.add(folder, top, p, path.Join(guest, strings.TrimPrefix(p, top)), by, d)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(name, strings.TrimPrefix(p, top)), plainCause(err))
		}
		return nil
	})
	if err == nil {
		err = t.tar.Flush() // Archive only reads, for two may want it at once
	}
	if err != nil {
		return err
	}
	t.Roots = append(t.Roots, guest)
	return nil
}

// treeOwner is whom files belong to. A user that the guest knows by a name may have any number there.
type treeOwner struct {
	user, group string // as they were said; empty: root
	uid, gid    int
}

func parseOwner(owner string) (o treeOwner) {
	o.user, o.group, _ = strings.Cut(owner, ":")
	o.uid, _ = strconv.Atoi(o.user)
	o.gid, _ = strconv.Atoi(o.group)
	return o
}

// check has the guest look for who is named: tar would take root instead.
func (o treeOwner) check(script *strings.Builder) {
	for _, who := range []struct{ name, file, kind string }{{o.user, "passwd", "user"}, {o.group, "group", "group"}} {
		if _, err := strconv.Atoi(who.name); who.name != "" && err != nil {
			fmt.Fprintf(script, "grep -q '^%s:' /etc/%s || { echo 'there is no %s %s'; exit 1; }\n", who.name, who.file, who.kind, who.name)
		}
	}
}

// chown is the command that gives a folder to them; empty if it is root's.
func (o treeOwner) chown(path string) string {
	if o.user == "" {
		return ""
	}
	return fmt.Sprintf(" && chown %s %s", strings.TrimSuffix(o.user+":"+o.group, ":"), path)
}

// topOf follows links from name to a file or folder that is none; the folder keeps it from
// leading out.
func topOf(folder fs.FS, name string) (string, error) {
	for range 10 {
		info, err := fs.Lstat(folder, name)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return name, err
		}
		target, err := fs.ReadLink(folder, name)
		if err != nil {
			return "", err
		}
		if name = path.Join(path.Dir(name), target); path.IsAbs(target) || !fs.ValidPath(name) {
			return "", errLeadsOut
		}
	}
	return "", errors.New("its links lead in a circle")
}

var errLeadsOut = errors.New("it leads out of the mission's folder")

// add adds one file, folder or link.
func (t *Tree) add(folder fs.FS, top, name, guest string, owner treeOwner, d fs.DirEntry) error {
	if t.count++; t.count > MostFiles {
		return fmt.Errorf("these are more than %d files: pack them into an archive, and let setup unpack it", MostFiles)
	}
	if strings.ContainsFunc(guest, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("its name has a control character")
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	header := &tar.Header{
		Name: strings.TrimPrefix(guest, "/"), Mode: int64(permissions(info)), Format: tar.FormatGNU,
		Uname: owner.user, Gname: owner.group, Uid: owner.uid, Gid: owner.gid,
	}
	switch {
	case info.IsDir():
		// It is no member of the archive, because tar would change a folder that is there already: /tmp its mode,
		// /opt its owner.
		q := quoted(guest)
		fmt.Fprintf(&t.script, "[ -d %s ] || { mkdir -p %s%s && chmod %04o %s; }\n", q, q, owner.chown(q), permissions(info), q)
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := fs.ReadLink(folder, name)
		if err != nil {
			return err
		}
		if leads := path.Join(path.Dir(name), target); path.IsAbs(target) || leads != top && !strings.HasPrefix(leads, prefixOf(top)) {
			return fmt.Errorf("it is a link to %s, which is not in the same folder of the mission's: let setup make such links", target)
		}
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, target, 0o777
		return t.tar.WriteHeader(header)
	case !info.Mode().IsRegular():
		return errors.New("it is neither a file nor a folder")
	}
	data, err := fs.ReadFile(folder, name)
	if err != nil {
		return err
	}
	if t.bytes += int64(len(data)); t.bytes > MostBytes {
		return fmt.Errorf("with this the files have more than %d MiB together", MostBytes>>20)
	}
	if info.Mode().Perm() == embedded && bytes.HasPrefix(data, []byte("#!")) {
		header.Mode = 0o755
	}
	header.Typeflag, header.Size = tar.TypeReg, int64(len(data))
	if err := t.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err = t.tar.Write(data)
	return err
}

// prefixOf is what the paths of all that is in a folder begin with.
func prefixOf(folder string) string {
	if folder == "." {
		return ""
	}
	return folder + "/"
}

// embedded is the mode of every file in a program, where it is not kept.
const embedded = 0o444

// permissions are the bits of a mode as the guest has them. Files in a program get usual ones.
func permissions(info fs.FileInfo) fs.FileMode {
	mode := info.Mode().Perm()
	switch {
	case mode == embedded:
		mode = 0o644
	case info.IsDir() && mode == 0o555:
		mode = 0o755
	}
	for bit, unix := range map[fs.FileMode]fs.FileMode{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if info.Mode()&bit != 0 {
			mode |= unix
		}
	}
	return mode
}

// Archive returns a tar archive of all files, to be unpacked by what Script returns.
func (t *Tree) Archive() []byte {
	end := make([]byte, 1024) // two blocks of zeros end an archive
	return append(bytes.Clone(t.archive.Bytes()), end...)
}

// Script returns the shell commands that put the tree into the guest they run in, of the
// archive at a path there. Whatever is in the way is replaced, but folders stay as they are.
func (t *Tree) Script(archive string) string {
	return "set -e\numask 022\n" + t.script.String() + "tar -x -m -p -f " + quoted(archive) + " -C /\n"
}

// quoted is a path as a shell reads it.
func quoted(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }

// hash writes all that makes up the tree.
func (t *Tree) hash(h io.Writer) {
	if t == nil {
		return
	}
	archive := t.Archive()
	fmt.Fprintln(h, len(archive), t.Script("files"))
	h.Write(archive)
}

// plainCause leaves out Go's name of an operation on a file.
func plainCause(err error) error {
	var failed *fs.PathError
	switch {
	case !errors.As(err, &failed):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file or folder in the mission's folder")
	case strings.Contains(failed.Err.Error(), "escapes"):
		return errLeadsOut // os.Root met a link to elsewhere; it exports no such error
	}
	return failed.Err
}
