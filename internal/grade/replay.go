package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/host"
)

const (
	grace       = 10 * time.Second // that a replay has to end its machines in and to tell how far it came
	longest     = 8 << 20          // bytes of a verdict
	remembered  = 4 << 10          // bytes of what a replay says, the last ones
	lastLine    = 300              // characters of it in a reason
	longestText = 2000             // characters of a reason
)

// errLimit is why a replay is ended that takes too long.
var errLimit = errors.New("its time is over")

// Judge plays submission i again and keeps what came of it. There is always a result,
// whatever happens to the process, unless ctx ends or nothing can be kept, which is the
// error.
func (p *Plan) Judge(ctx context.Context, i int) (*Result, error) {
	started := time.Now()
	r := &Result{Submission: p.Submissions[i]}
	r.Verdict, r.Said = p.replay(ctx, r.File)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r.Ended, r.Took = time.Now().UTC().Truncate(time.Second), time.Since(started).Seconds()
	r.At, _ = os.Hostname()
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Results, 0o755); err != nil {
		return nil, err
	}
	return r, host.WriteFile(p.resultFile(r.Submission), append(data, '\n'), 0o644)
}

// replay has a process play a file again, within the plan's limits. Whatever that started
// ends with it.
func (p *Plan) replay(ctx context.Context, file string) (v handin.Verdict, said string) {
	limited, cancel := context.WithTimeoutCause(ctx, p.Limit, errLimit)
	defer cancel()
	line := append(p.limits(), append(slices.Clip(p.Replay), file)...)
	cmd := exec.CommandContext(limited, line[0], line[1:]...)
	out, words := &bounded{most: longest}, &tail{}
	cmd.Stdout, cmd.Stderr = out, words
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	if err := host.StartChild(cmd); err != nil {
		return failed(handin.Host, "its process does not start: "+err.Error()), ""
	}
	err := cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it had a session of its own
	said = words.String()
	overdue := errors.Is(context.Cause(limited), errLimit)
	wrong := json.Unmarshal(out.kept, &v)
	if wrong == nil {
		wrong = check(&v)
	}
	switch {
	case overdue && wrong == nil && v.Judgement == handin.Differs:
		return v, "" // it was about to be played once more
	case overdue:
		// How far it has come is kept, if it was still able to tell.
		if wrong != nil || v.Judgement != handin.Failed {
			v = handin.Verdict{}
		}
		late := failed(handin.TimedOut, fmt.Sprintf("it was not played to its end within %s", p.Limit))
		v.Format, v.Judgement, v.Cause, v.Reason = late.Format, late.Judgement, late.Cause, late.Reason
		return v, said
	case out.full:
		return failed(handin.Host, fmt.Sprintf("its process printed more than %d MiB", longest>>20)), said
	case wrong == nil && v.Judgement == handin.Failed:
		return v, said
	case wrong == nil:
		return v, ""
	case err != nil:
		return failed(handin.Host, withLast(fmt.Sprintf("its process ended without a verdict (%v)", err), said)), said
	}
	return failed(handin.Host, withLast(fmt.Sprintf("its process printed no verdict (%v)", wrong), said)), said
}

// limits are the beginning of a command line whose process, with all that it starts, has the
// plan's memory and no more: not shared memory nor address space, but what each has for
// itself. The limit has to hold before the process begins, which util-linux's prlimit does.
func (p *Plan) limits() []string {
	if p.Memory == 0 || runtime.GOOS != "linux" {
		return nil
	}
	return []string{"prlimit", fmt.Sprintf("--data=%d", p.Memory<<20), "--"}
}

func failed(cause handin.Cause, reason string) handin.Verdict {
	return handin.Verdict{Format: handin.VerdictFormat, Judgement: handin.Failed, Cause: cause, Reason: reason}
}

// withLast puts the last line that a process has said behind a reason.
func withLast(reason, said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		reason += ": " + cut(last, lastLine)
	}
	return reason
}

// cut shortens a text to a number of characters.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// bounded keeps what is written to it up to a number of bytes, and then takes no more: who
// writes on without end gets an error.
type bounded struct {
	kept []byte // no bytes.Buffer, whose ReadFrom would read on without end
	most int
	full bool
}

// Write implements io.Writer.
func (b *bounded) Write(data []byte) (int, error) {
	if len(b.kept)+len(data) > b.most {
		b.full = true
		return 0, errors.New("too much")
	}
	b.kept = append(b.kept, data...)
	return len(data), nil
}

// tail keeps the last bytes of what is written to it.
type tail struct{ kept []byte }

// Write implements io.Writer.
func (t *tail) Write(data []byte) (int, error) {
	t.kept = append(t.kept, data...)
	if len(t.kept) > 2*remembered {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-remembered:]...)
	}
	return len(data), nil
}

// String returns what is kept, as text.
func (t *tail) String() string {
	return strings.ToValidUTF8(string(t.kept[max(0, len(t.kept)-remembered):]), "\uFFFD")
}

// check tells what is wrong with a verdict that a process has printed, or that was kept.
func check(v *handin.Verdict) error {
	switch {
	case v.Format != handin.VerdictFormat:
		return fmt.Errorf("a verdict of format %d, and not %d", v.Format, handin.VerdictFormat)
	case !slices.Contains(judgements, v.Judgement):
		return fmt.Errorf("the verdict %q is not known", v.Judgement)
	}
	v.Reason = cut(v.Reason, longestText)
	return nil
}

// judgements are all that there are, in the order in which they are counted to people.
var judgements = []handin.Judgement{handin.Confirmed, handin.Differs, handin.Refused, handin.Failed}
