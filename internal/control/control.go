// Package control owns commands and files that labrun sends to a guest behind
// the student's back: a root shell on a second serial port, so that no check
// ever types into a student's terminal.
//
// A guest without such a port (an image that is not ours) is spoken to on its
// ordinary console, at a shell prompt, by the same few shell functions. Markers
// are printed in two halves, so that the echo of a command cannot be taken for
// its answer, and every transfer carries a digest, so that a kernel message in
// the middle of it is noticed and the transfer repeated. On a port of its own a
// transfer carries its length.
package control

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// Ready is the line that our images print on the control port when its shell
// listens.
const Ready = "labrun control ready"

// MaxFile is the largest file that ReadFile and WriteFile move, in bytes: a
// serial port is a thin pipe.
const MaxFile = 8 << 20

// History is how much text a console must keep in memory to carry the largest
// file, base64-encoded.
const History = MaxFile/3*4 + MaxFile/16

const (
	// Bytes that one typed line carries. A port of our own passes any line; the
	// line editor of BusyBox takes 1024 characters.
	pieceOwn, pieceShared = 15_000, 600
	longestCommand        = 32 << 10 // bytes
	retries               = 5        // of a transfer whose digest differs
	// grace is what a guest may need beyond a command's own limit to say so.
	grace = 15 * time.Second
)

// Result is the outcome of a command.
type Result struct {
	Status         int // as a shell reports it: 128 + signal if it was killed
	Stdout, Stderr string
	Seconds        float64 // by the guest's clock
}

// TimeoutError says that a command ran into its limit; the guest has ended it.
type TimeoutError struct {
	Machine, Command string
	Limit            time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("run on %s: `%s` did not end within %v", e.Machine, e.Command, e.Limit)
}

// Unwrap makes a TimeoutError a context.DeadlineExceeded for callers that sort
// errors by that.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// GuestError is the guest's own refusal to read or write a file.
type GuestError struct{ Action, Path, Machine, Reason string }

func (e *GuestError) Error() string {
	return fmt.Sprintf("%s %s on %s: %s", e.Action, e.Path, e.Machine, e.Reason)
}

// Shell runs commands one at a time. It is safe for concurrent use.
type Shell struct {
	console *console.Console
	machine string
	foreign bool // a shared console at a shell prompt instead of a port of our own

	mu        sync.Mutex
	announced bool         // Ready was seen
	heard     console.Mark // what is before this was looked through for another Ready
	defined   bool
	serial    int
}

// New returns a shell on a control port that announces itself with Ready.
func New(machine string, port *console.Console) *Shell {
	return &Shell{console: port, machine: machine}
}

// NewForeign returns a shell on a guest's ordinary console. It can be used only
// while a shell prompt waits there.
func NewForeign(machine string, c *console.Console) *Shell {
	return &Shell{console: c, machine: machine, foreign: true}
}

// Resume returns a shell on the control port of a machine that was saved after
// Do had returned, by a labrun that taught the guest the same (see Lessons).
func Resume(machine string, port *console.Console) *Shell {
	return &Shell{console: port, machine: machine, announced: true, defined: true}
}

// Lessons returns what the guest's shell is taught.
func Lessons() string { return noSum + "\n" + strings.Join(functions, "\n") }

// Hold waits until no command is under way and keeps others from beginning until
// release is called.
func (s *Shell) Hold() (release func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

// Restarting says that the guest is about to be reset: the next request waits until
// its shell announces itself, since what is sent before would arrive in pieces.
func (s *Shell) Restarting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.announced, s.defined = false, false
}

// functions is what the guest's shell is taught, in what POSIX, BusyBox and GNU
// tools have in common. Each program that runs costs an emulated guest tens of
// milliseconds, so there are few.
//
//	labrun_run ID SECONDS COMMAND  run it; answer status, times and output
//	labrun_get ID FILE             answer a file
//	labrun_put FILE BASE64         append to a file; answer its size
//	labrun_send SIZE FILE          the body of an answer
//	labrun_sum FILE…               a digest a line, or what stands for none
var functions = []string{
	`labrun_send() { [ $1 = 0 ] || [ $1 -gt ` + strconv.Itoa(MaxFile) + ` ] || base64 "$2"; }`,
	`labrun_run() { f=/run/labrun/$1; read -r a _ </proc/uptime; (cd; exec timeout -k 2 $2 sh -c "$3" >$f.out 2>$f.err </dev/null); s=$?; ` +
		`read -r b _ </proc/uptime; set -- $1 $(wc -c $f.out $f.err) $(labrun_sum $f.out $f.err); ` +
		`printf '%s%s %s %s %s %s %s %s %s\n' @labrun-run- $1 $s $a $b $8 $2 ${10} $4; ` +
		`labrun_send $2 $f.out; echo .; labrun_send $4 $f.err; printf '%s%s\n' @labrun-end- $1; }`,
	`labrun_get() { if c=$({ wc -c <"$2" && labrun_sum "$2"; } 2>&1); then set -- $1 "$2" $c; printf '%s%s %s %s\n' @labrun-get- $1 $4 $3; ` +
		`labrun_send $3 "$2"; else printf '%s%s %s\n' @labrun-no- $1 "$c"; fi; printf '%s%s\n' @labrun-end- $1; }`,
	`labrun_put() { printf %s "$2" | base64 -d >>"$1"; printf '%s%s\n' @labrun-put- "$(wc -c <"$1")"; }`,
	`mkdir -p /run/labrun; chmod 700 /run/labrun; printf '%s%s\n' @labrun- defined`,
}

// A port of our own carries what was written to it, so lengths do; on a shared
// console kernel messages get in between. sha256sum is the slowest of these
// programs where it loads a library of cryptography, as in Debian.
const (
	noSum   = `labrun_sum() { for f; do echo - -; done; }`
	fullSum = `labrun_sum() { for f; do sha256sum <"$f"; done; }`
)

// define teaches the guest the functions, once.
func (s *Shell) define(ctx context.Context) error {
	if !s.foreign && strings.Contains(s.console.Since(s.heard), Ready) && s.announced {
		s.defined = false // the guest was reset since the last request
	}
	s.heard = s.console.Mark()
	if s.defined {
		return nil
	}
	if !s.foreign && !s.announced {
		if _, err := s.console.Expect(ctx, console.Text(Ready)); err != nil {
			return err
		}
		s.announced = true
		s.heard = s.console.Mark()
	}
	sum := noSum
	if s.foreign {
		sum = fullSum
	}
	for _, f := range slices.Concat([]string{sum}, functions) {
		if err := s.send(ctx, f); err != nil {
			return err
		}
	}
	if _, err := s.console.Expect(ctx, console.Text("@labrun-defined")); err != nil {
		return err
	}
	s.defined = true
	return nil
}

func (s *Shell) send(ctx context.Context, text string) error {
	return s.console.SendRaw(ctx, []byte(text+"\n"))
}

// ErrRestarted is what a request gets whose shell ended under it, as it does when
// the guest is reset.
var ErrRestarted = errors.New("the guest's control shell was restarted")

// suspicious is how long a guest may owe an answer before its control channel is
// worth a look.
const suspicious = 10 * time.Second

// expect waits for pattern; a control shell that announces itself anew has lost
// what it was taught and was asked.
func (s *Shell) expect(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	m, err := s.console.Expect(ctx, console.Pattern(pattern), console.Text(Ready))
	if err != nil {
		s.defined = false
		var late *console.WaitError
		if errors.As(err, &late) && errors.Is(err, context.DeadlineExceeded) && late.Waited < suspicious {
			return nil, fmt.Errorf("%s has no answer yet: %w", s.machine, late.Cause)
		}
		return nil, err
	}
	if m.Index == 1 {
		s.defined = false
		return nil, ErrRestarted
	}
	return m.Groups, nil
}

// Run runs a command with sh, from the home folder, with no input, for at most
// limit. A command that could be run gives a Result, whatever its status.
func (s *Shell) Run(ctx context.Context, command string, limit time.Duration) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(command) > longestCommand {
		return Result{}, fmt.Errorf("run on %s: the command has %d bytes, %d are possible: write it to a file and run that", s.machine, len(command), longestCommand)
	}
	if strings.ContainsRune(command, 0) {
		return Result{}, fmt.Errorf("run on %s: the command has a NUL byte", s.machine)
	}
	seconds := int(math.Ceil(limit.Seconds()))
	ctx, cancel := context.WithTimeout(ctx, limit+grace)
	defer cancel()
	result, err := s.run(ctx, command, seconds)
	if errors.Is(err, ErrRestarted) {
		return result, fmt.Errorf("run on %s: `%s`: %w", s.machine, command, err)
	}
	if err != nil {
		return result, err
	}
	// timeout(1) leaves with 124, or 137 if it had to kill; BusyBox's with 143.
	ended := result.Status == 124 || result.Status == 137 || result.Status == 143
	if ended && result.Seconds >= float64(seconds)-0.5 {
		return result, &TimeoutError{Machine: s.machine, Command: command, Limit: limit}
	}
	return result, nil
}

func (s *Shell) run(ctx context.Context, command string, seconds int) (Result, error) {
	var result Result
	if err := s.define(ctx); err != nil {
		return result, err
	}
	s.serial++
	word := quote(command)
	if s.foreign {
		// A line editor would act on tabs and newlines, and cut long lines.
		if len(command) > pieceShared {
			if err := s.put(ctx, "/run/labrun/command", []byte(command)); err != nil {
				return result, err
			}
			command = "sh /run/labrun/command"
		}
		word = `"$(echo ` + base64.StdEncoding.EncodeToString([]byte(command)) + ` | base64 -d)"`
	}
	if err := s.send(ctx, fmt.Sprintf("labrun_run %d %d %s", s.serial, seconds, word)); err != nil {
		return result, err
	}
	answer := fmt.Sprintf(`(?s)@labrun-run-%d (\d+) ([\d.]+) ([\d.]+) (\S+) (\d+) (\S+) (\d+)\n(.*?)\.\n(.*?)@labrun-end-%d\n`, s.serial, s.serial)
	groups, err := s.expect(ctx, regexp.MustCompile(answer))
	if err != nil {
		return result, err
	}
	result.Status, _ = strconv.Atoi(groups[0])
	begin, _ := strconv.ParseFloat(groups[1], 64)
	end, _ := strconv.ParseFloat(groups[2], 64)
	result.Seconds = end - begin
	base := fmt.Sprintf("/run/labrun/%d", s.serial)
	for _, part := range []struct {
		sum, size, body, file string
		into                  *string
	}{
		{groups[3], groups[4], groups[7], base + ".out", &result.Stdout},
		{groups[5], groups[6], groups[8], base + ".err", &result.Stderr},
	} {
		data, err := decode(part.sum, part.size, part.body)
		if errors.Is(err, errDamaged) {
			data, err = s.get(ctx, part.file)
		}
		if err != nil {
			return result, fmt.Errorf("run on %s: output of `%s`: %w", s.machine, command, err)
		}
		*part.into = string(data)
	}
	return result, s.send(ctx, "rm -f "+base+".*")
}

// Do runs a line of shell commands in the control shell itself, without a limit
// of time and without their output, so it costs the guest no more programs than
// the commands do. When it returns, the guest has read all that was sent to it.
// The line must leave the shell as it is. It is not for foreign guests.
func (s *Shell) Do(ctx context.Context, commands string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.define(ctx); err != nil {
		return err
	}
	s.serial++
	if err := s.send(ctx, fmt.Sprintf(`{ %s; } >/dev/null 2>&1; printf '%%s%%s\n' @labrun-did- %d`, commands, s.serial)); err != nil {
		return err
	}
	_, err := s.expect(ctx, regexp.MustCompile(fmt.Sprintf(`@labrun-did-%d\n`, s.serial)))
	return err
}

// errDamaged says that a transfer arrived with another length or digest than it
// was sent with.
var errDamaged = errors.New("it was damaged on the way, again and again: something else prints on the console")

// decode checks the body of an answer against the size and digest that precede it.
func decode(sum, size, body string) ([]byte, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return nil, errDamaged
	}
	if n > MaxFile {
		return nil, fmt.Errorf("it has %d bytes: at most %d can be had", n, MaxFile)
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\n", ""))
	if err != nil || len(data) != n || sum != "-" && fmt.Sprintf("%x", sha256.Sum256(data)) != sum {
		return nil, errDamaged
	}
	return data, nil
}

// get fetches a file, again if it arrives damaged.
func (s *Shell) get(ctx context.Context, file string) ([]byte, error) {
	for try := 0; ; try++ {
		s.serial++
		if err := s.send(ctx, fmt.Sprintf("labrun_get %d %s", s.serial, quote(file))); err != nil {
			return nil, err
		}
		answer := fmt.Sprintf(`(?s)@labrun-(get|no)-%d ([^\n]*)\n(.*?)@labrun-end-%d\n`, s.serial, s.serial)
		groups, err := s.expect(ctx, regexp.MustCompile(answer))
		if err != nil {
			return nil, err
		}
		if groups[0] == "no" {
			return nil, &GuestError{"read", file, s.machine, withoutPath(groups[1], file)}
		}
		sum, size, _ := strings.Cut(groups[1], " ")
		data, err := decode(sum, size, groups[2])
		if !errors.Is(err, errDamaged) || try == retries {
			return data, err
		}
	}
}

// put makes file hold data.
func (s *Shell) put(ctx context.Context, file string, data []byte) error {
	if err := s.send(ctx, ": >"+quote(file)); err != nil {
		return err
	}
	step := pieceOwn
	if s.foreign {
		step = pieceShared
	}
	for done := 0; done < len(data); done += step {
		end := min(done+step, len(data))
		text := base64.StdEncoding.EncodeToString(data[done:end])
		if err := s.send(ctx, "labrun_put "+quote(file)+" "+text); err != nil {
			return err
		}
		groups, err := s.expect(ctx, putAnswer)
		if err != nil {
			return err
		}
		if groups[0] != strconv.Itoa(end) {
			return fmt.Errorf("write %s on %s: %s of %d bytes arrived", file, s.machine, groups[0], end)
		}
	}
	return nil
}

var putAnswer = regexp.MustCompile(`@labrun-put- *(\d+)\n`)

// ReadFile returns the content of a file of the guest, MaxFile bytes at most.
func (s *Shell) ReadFile(ctx context.Context, path string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.define(ctx); err != nil {
		return nil, err
	}
	data, err := s.get(ctx, path)
	var refused *GuestError
	if err != nil && !errors.As(err, &refused) {
		return nil, fmt.Errorf("read %s from %s: %w", path, s.machine, err)
	}
	return data, err
}

// WriteFile makes a file of the guest hold data, with the given permissions. The
// file appears whole or not at all.
func (s *Shell) WriteFile(ctx context.Context, path string, data []byte, mode uint32) error {
	if len(data) > MaxFile {
		return fmt.Errorf("write %s on %s: %d bytes: at most %d can be written", path, s.machine, len(data), MaxFile)
	}
	const arrived = "/run/labrun/file"
	s.mu.Lock()
	err := s.define(ctx)
	if err == nil {
		err = s.put(ctx, arrived, data)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	temporary := quote(path + ".labrun")
	result, err := s.Run(ctx, fmt.Sprintf(
		`echo "%x  %s" | sha256sum -c >/dev/null || exit 9; cp %s %s && chmod %o %s && mv %s %s || { rm -f %s; exit 1; }`,
		sha256.Sum256(data), arrived, arrived, temporary, mode, temporary, temporary, quote(path), temporary), time.Minute)
	switch {
	case err != nil:
		return err
	case result.Status == 9:
		return fmt.Errorf("write %s on %s: %w", path, s.machine, errDamaged)
	case result.Status != 0:
		return &GuestError{"write", path, s.machine, guestReason(result)}
	}
	return nil
}

// withoutPath is a shell's complaint of a file, without what names the file and the
// shell.
func withoutPath(complaint, file string) string {
	if _, reason, ok := strings.Cut(complaint, file+": "); ok {
		return reason
	}
	return complaint
}

// guestReason is the guest's own complaint, on one line.
func guestReason(r Result) string {
	if text := strings.TrimSpace(r.Stderr); text != "" {
		lines := strings.Split(text, "\n")
		return lines[len(lines)-1]
	}
	return fmt.Sprintf("exit status %d", r.Status)
}

// quote protects a word from the shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
