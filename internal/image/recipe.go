package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/labrun/labrun/internal/host"
)

// unavailableStatus is a recipe's exit status for "this cannot be had here"
// (EX_TEMPFAIL of sysexits.h), which is no fault of the recipe.
const unavailableStatus = 75

// guard runs before a recipe, in its process group. A reader of descriptor 3
// ends the group when labrun closes it, or dies, even by SIGKILL: the parent
// death signal would reach the shell alone, not what the shell has started.
const guard = `umask 022
(trap '' HUP INT TERM; read -r _; kill -s TERM 0; sleep 5; kill -s KILL 0) <&3 >/dev/null 2>&1 &
exec 3<&-
exec sh "$1"`

// recipeOutputs are the files a recipe may leave, and their roles.
var recipeOutputs = map[string]string{
	"vmlinuz": "kernel", "initrd": "initrd", "disk.img": "disk", "packages": "packages",
}

// recipeFiles lists what can change the result of a recipe: its own folder,
// the folder common, and the files beside them.
func recipeFiles(recipes fs.FS, name string) ([]string, error) {
	if _, err := fs.Stat(recipes, path.Join(name, "build")); err != nil {
		return nil, fmt.Errorf("images/%s/build is missing", name)
	}
	var files []string
	err := fs.WalkDir(recipes, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && p != name && p != "common" && !strings.Contains(p, "/") {
				return fs.SkipDir
			}
			return nil
		}
		files = append(files, p)
		return nil
	})
	slices.Sort(files)
	return files, err
}

// hashRecipe writes all that makes up a recipe to h.
func hashRecipe(h io.Writer, recipes fs.FS, name string) error {
	files, err := recipeFiles(recipes, name)
	if err != nil {
		return err
	}
	for _, p := range files {
		data, err := fs.ReadFile(recipes, p)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %d\n", p, len(data))
		h.Write(data)
	}
	return nil
}

// inputs gets all inputs of a recipe, and returns their paths by name.
func (s *Store) inputs(ctx context.Context, image string, src source) (map[string]string, error) {
	paths := map[string]string{}
	for _, in := range src.Inputs {
		var err error
		switch {
		case in.GoMod != "":
			paths[in.Name], err = s.goModule(ctx, image, in)
		case in.Image != "":
			paths[in.Name], err = s.baseFolder(ctx, in.Image)
		default:
			paths[in.Name], err = s.download(ctx, image, in.download)
		}
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// baseFolder returns the folder of an image that another one is made of, by the recipe that is
// its best source: what a user has added in its place is not what the other recipe knows.
func (s *Store) baseFolder(ctx context.Context, name string) (string, error) {
	src, _ := s.lock.base(name)
	if _, err := s.try(ctx, s.lock.images[name], src, mayReuse, true); err != nil {
		return "", fmt.Errorf("image %s: %w", name, err)
	}
	return s.buildDir(src)
}

// runRecipe builds src and puts the result at dir. The caller holds dir's lock.
func (s *Store) runRecipe(ctx context.Context, image string, src source, dir string) (err error) {
	inputs, err := s.inputs(ctx, image, src)
	if err != nil {
		return err
	}
	if err := s.needSpace(src.Space << 20); err != nil {
		return err
	}
	key := filepath.Base(dir)
	work, err := s.workFolder(key, src.Recipe)
	if err != nil {
		return err
	}
	defer func() {
		if rmErr := host.RemoveTree(work); err == nil {
			err = rmErr
		}
	}()
	if err := s.runScript(ctx, image, src, key, work, inputs); err != nil {
		if s.freeOrZero() < 16<<20 && ctx.Err() == nil {
			return &spaceError{dir: s.dir, need: src.Space << 20, free: s.freeOrZero()}
		}
		return err
	}

	out := filepath.Join(work, "out")
	left, err := os.ReadDir(out)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, f := range left {
		role, ok := recipeOutputs[f.Name()]
		if !ok {
			return fmt.Errorf("recipe %s left the file %s, which is not one of vmlinuz, initrd, disk.img, packages",
				src.Recipe, f.Name())
		}
		names[role] = f.Name()
	}
	m := manifest{Source: src.String(), BIOS: src.Boot == "bios"}
	switch {
	case m.BIOS && (names["disk"] == "" || names["kernel"] != ""):
		return fmt.Errorf("recipe %s left no disk.img, or a vmlinuz beside it, which the BIOS does not boot; its log is %s",
			src.Recipe, s.logFile(key))
	case !m.BIOS && (names["kernel"] == "" || names["disk"] == "" && names["initrd"] == ""):
		return fmt.Errorf("recipe %s left no vmlinuz, or neither disk.img nor initrd; its log is %s",
			src.Recipe, s.logFile(key))
	}
	if names["disk"] != "" {
		m.Format = "raw"
	}
	if err := s.seal(ctx, image, out, dir, m, names); err != nil {
		return fmt.Errorf("keep result of recipe %s: %w", src.Recipe, err)
	}
	return nil
}

// workFolder makes the folder that a recipe works in, with a copy of what the
// recipe may use.
func (s *Store) workFolder(key, recipe string) (work string, err error) {
	if err := s.clearWork(key); err != nil {
		return "", err
	}
	work, err = os.MkdirTemp(filepath.Join(s.dir, "work"), key+".")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(work)
		}
	}()
	// Tools that map user ids, such as mmdebstrap, must be able to pass.
	if err := os.Chmod(work, 0o755); err != nil {
		return "", err
	}
	for _, sub := range []string{"out", "tmp", "cwd"} {
		if err := os.Mkdir(filepath.Join(work, sub), 0o755); err != nil {
			return "", err
		}
	}
	if err := copyRecipe(s.recipes, recipe, filepath.Join(work, "recipes")); err != nil {
		return "", fmt.Errorf("copy recipe %s: %w", recipe, err)
	}
	return work, nil
}

// clearWork removes what a labrun that was killed left of the build called key.
func (s *Store) clearWork(key string) error {
	stale, err := filepath.Glob(filepath.Join(s.dir, "work", key+".*"))
	if err != nil {
		return err
	}
	for _, dir := range stale {
		if err := host.RemoveTree(dir); err != nil {
			return err
		}
	}
	return nil
}

// copyRecipe copies what the recipe may use to dir.
func copyRecipe(recipes fs.FS, name, dir string) error {
	files, err := recipeFiles(recipes, name)
	if err != nil {
		return err
	}
	for _, p := range files {
		data, err := fs.ReadFile(recipes, p)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// runScript runs a recipe in work and waits for all of its processes.
func (s *Store) runScript(
	ctx context.Context, image string, src source, key, work string, inputs map[string]string,
) error {
	recipe := src.Recipe
	logPath := s.logFile(key)
	logFile, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer logFile.Close()
	alive, hold, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hold.Close()

	s.say(Progress{Image: image, Phase: PhaseBuild, Note: "building by recipe " + recipe})
	log := &buildLog{file: logFile}
	stdout := &lineWriter{line: func(line string) {
		if note, ok := strings.CutPrefix(line, "» "); ok {
			s.say(Progress{Image: image, Phase: PhaseBuild, Note: note})
		}
		log.add(line, false)
	}}
	stderr := &lineWriter{line: func(line string) { log.add(line, true) }}

	cmd := exec.CommandContext(ctx, "sh", "-c", guard, "labrun-recipe", filepath.Join(work, "recipes", recipe, "build"))
	cmd.Dir = filepath.Join(work, "cwd")
	cmd.Env = recipeEnv(work, src.Debian, inputs)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.ExtraFiles = []*os.File{alive}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// First politely: a recipe's tools have mounts to undo.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = s.killGrace
	err = cmd.Start()
	alive.Close()
	if err != nil {
		return fmt.Errorf("recipe %s: %w", recipe, err)
	}
	err = cmd.Wait()
	// The guard keeps the group's number from being used again, so this ends
	// the guard and what the recipe left behind, and nothing else.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	stdout.flush()
	stderr.flush()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // the latter: a stray process kept the output open
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == unavailableStatus && log.lastError != "":
		return errors.New(log.lastError)
	}
	reason := log.lastError
	if reason == "" {
		reason = "it said nothing on standard error"
	}
	return fmt.Errorf("recipe %s failed: %s (%v)\n    %s\n    the whole log is %s",
		recipe, reason, err, strings.Join(log.tail, "\n    "), logPath)
}

func (s *Store) logFile(key string) string { return filepath.Join(s.dir, "logs", key+".log") }

// recipeEnv is the environment of a recipe: nothing of the user's that is not
// needed to find tools and reach the network.
func recipeEnv(work, debian string, inputs map[string]string) []string {
	env := []string{
		"LC_ALL=C",
		// mke2fs and others are not on an ordinary user's path.
		"PATH=" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin",
		"OUT=" + filepath.Join(work, "out"),
		"DEBIAN=" + debian,
		"RECIPES=" + filepath.Join(work, "recipes"),
		"TMPDIR=" + filepath.Join(work, "tmp"),
	}
	for name, path := range inputs {
		env = append(env, "INPUT_"+strings.ToUpper(name)+"="+path)
	}
	kept := []string{"HOME", "USER", "LOGNAME", "APT_CONFIG", "LABRUN_DEBIAN",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
		"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains(kept, strings.ToUpper(name)) || strings.HasPrefix(name, "GO") {
			env = append(env, kv)
		}
	}
	return env
}

// buildLog keeps a recipe's output in a file, and its last lines.
type buildLog struct {
	mu        sync.Mutex // guards all; stdout and stderr arrive side by side
	file      io.Writer
	tail      []string
	lastError string
}

const tailLines = 12

func (l *buildLog) add(line string, isError bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.file, line)
	if line = strings.TrimSpace(line); line == "" {
		return
	}
	if isError {
		l.lastError = line
	}
	l.tail = append(l.tail, line)
	if len(l.tail) > tailLines {
		l.tail = l.tail[1:]
	}
}

// lineWriter calls line for each line written to it, without its end. Carriage
// returns, with which tools draw progress, end lines too.
type lineWriter struct {
	line func(string)
	rest []byte
}

const longestLine = 4096

func (w *lineWriter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' || b == '\r' {
			w.flush()
		} else if len(w.rest) < longestLine {
			w.rest = append(w.rest, b)
		}
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.line(string(w.rest))
		w.rest = w.rest[:0]
	}
}
