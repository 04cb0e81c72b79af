package workshop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// A BuildError is a kernel that did not build: the fault is in its sources, and so it is who
// works on them that has to know.
type BuildError struct {
	Command string
	Output  string // the last lines of what the compiler said
	Reason  string // how the command ended
}

func (e *BuildError) Error() string {
	text := fmt.Sprintf("your kernel did not build: `%s` %s", e.Command, e.Reason)
	if e.Output != "" {
		text += ":\n    " + strings.ReplaceAll(e.Output, "\n", "\n    ")
	}
	return text
}

const (
	// buildLimit is for a build that does not end: whole kernels are made within it.
	buildLimit = 10 * time.Minute
	// mostOutput bounds what is kept of what it says, from its end, in bytes; mostLines what
	// a student is shown: the first mistakes tell most, and those after them follow from them.
	mostOutput = 256 << 10
	mostLines  = 30
)

// Make makes the kernel. Its error is a *BuildError if the build failed.
func (w *Workshop) Make(ctx context.Context) error {
	if err := w.LayOut(); err != nil || w.Build == "" {
		return err
	}
	before, err := w.look()
	if err != nil {
		return err
	}
	failure := w.run(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	after, err := w.look()
	if err != nil {
		return err
	}
	w.madeOf(before, after)
	return failure
}

// run runs the build's command.
func (w *Workshop) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, buildLimit, fmt.Errorf("did not end within %v", buildLimit))
	defer cancel()
	said := &output{}
	cmd := exec.Command("/bin/sh", "-c", w.Build)
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.Dir, said, said
	cmd.WaitDelay = time.Second // a stray process may keep the output open
	if err := host.StartChild(cmd); err != nil {
		return fmt.Errorf("build the kernel: %w", err)
	}
	// It has a session, and so a process group, of its own: what it started ends with it.
	defer context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })()
	err := cmd.Wait()
	failed := &BuildError{Command: w.Build, Output: said.text()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		failed.Reason = context.Cause(ctx).Error()
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.As(err, &exit) && exit.Exited():
		failed.Reason = fmt.Sprintf("ended with status %d", exit.ExitCode())
	default:
		failed.Reason = "ended: " + err.Error()
	}
	return failed
}

// missing is how shells and make say that there is no such program. They are not
// permitted to look for one where a folder of PATH is another user's.
var missing = regexp.MustCompile(
	`: (command )?not found$|^/bin/sh: \d+: [^\s/]+: Permission denied$|^make: [^\s/]+: (No such file or directory|Permission denied)$`,
)

// output keeps what a command says, up to a limit.
type output struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept.Write(p)
	if extra := o.kept.Len() - mostOutput; extra > 0 {
		o.kept.Next(extra)
	}
	return len(p), nil
}

// text is what a student is shown: from the first mistake on, if the compiler names one.
func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(o.kept.String(), "?")), "\n")
	from := max(0, len(lines)-mostLines)
	for i, line := range lines {
		if strings.Contains(line, "error:") {
			from = i
			if i > 0 && strings.HasSuffix(lines[i-1], ":") { // which says in which function
				from--
			}
			break
		}
	}
	shown := lines[from:]
	if len(shown) > mostLines {
		shown = append(shown[:mostLines:mostLines], fmt.Sprintf("(%d lines more)", len(shown)-mostLines))
	}
	if slices.ContainsFunc(lines, missing.MatchString) {
		shown = append(slices.Clip(shown), "(A program is missing on this computer: `labrun doctor MISSION` tells which.)")
	}
	return strings.Join(shown, "\n")
}
