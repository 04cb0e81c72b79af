package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/mod/sumdb/dirhash"
)

// goModule returns the folder of a Go module, downloaded by the go command as
// this machine has it configured. The checksum database is not asked: the sum
// in images.lock is as good, and the folder itself is checked against it.
func (s *Store) goModule(ctx context.Context, image string, in input) (string, error) {
	mod := in.GoMod + "@" + in.Version
	s.say(Progress{Image: image, Phase: PhaseDownload, Note: mod})
	fail := func(err error) (string, error) { return "", fmt.Errorf("download %s: %w", mod, err) }
	unlock, err := s.acquire(ctx, image, "gomod")
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if err := s.clearWork("gomod"); err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp(filepath.Join(s.dir, "work"), "gomod.")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	// A module of our own, lest the command finds one in a folder above and
	// writes to its go.sum.
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module download\n"), 0o644); err != nil {
		return fail(err)
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", mod)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GO111MODULE=on", "GOWORK=off", "GOFLAGS=", "GOSUMDB=off", "GOTOOLCHAIN=local")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fail(errors.New("the go command is missing; install Go (package golang-go)"))
	}
	var got struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &got); err != nil || jsonErr != nil || got.Dir == "" {
		return fail(errors.New(lastLine(got.Error + "\n" + stderr.String())))
	}
	sum, err := dirhash.HashDir(got.Dir, mod, dirhash.Hash1)
	if err != nil {
		return "", fmt.Errorf("check %s: %w", mod, err)
	}
	if sum != in.Sum {
		return "", fmt.Errorf("check %s: its sum is %s, not %s as images.lock says; "+
			"`go clean -modcache` removes a damaged copy", mod, sum, in.Sum)
	}
	return got.Dir, nil
}
