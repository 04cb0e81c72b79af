// Package control owns commands and files that labrun sends to a guest behind
// the student's back: a root shell on a second serial port, so that no check
// ever types into a student's terminal.
//
// A guest without such a port (an image that is not ours) is spoken to on its
// ordinary console, at a shell prompt, by the same few shell functions. Markers
// are printed in two halves, so that the echo of a command cannot be taken for
// its answer, and every transfer carries a digest, so that a kernel message in
// the middle of it is noticed and the transfer repeated.
package control

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
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

const (
	piece   = 64 << 10 // bytes that one answer carries
	line    = 3000     // characters typed in one line; a terminal's line buffer holds 4096
	retries = 5        // of a transfer whose digest differs
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

	mu      sync.Mutex
	defined bool
	serial  int
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

// functions is what the guest's shell is taught: POSIX, and the common part of
// BusyBox and GNU tools. Each definition is one line.
//
//	labrun_put FILE BASE64        append to FILE, answer its size
//	labrun_get ID FILE SKIP COUNT send pieces of FILE, in units of piece
//	labrun_run ID SECONDS         run DIR/cmd, answer status, times and output
var functions = []string{
	`labrun_put() { printf %s "$2" | base64 -d >>"$1"; printf '%s%s\n' @labrun-put- "$(wc -c <"$1")"; }`,
	`labrun_get() { dd if="$2" bs=` + strconv.Itoa(piece) + ` skip=$3 count=$4 2>/dev/null >/run/labrun/piece; ` +
		`printf '%s%s %s %s\n' @labrun-data- $1 $(sha256sum </run/labrun/piece); base64 /run/labrun/piece; printf '%s%s\n' @labrun-end- $1; }`,
	`labrun_run() { d=/run/labrun; rm -f $d/out $d/err; read -r a _ </proc/uptime; ` +
		`(cd; exec timeout -k 2 $2 sh $d/cmd >$d/out 2>$d/err </dev/null); s=$?; read -r b _ </proc/uptime; ` +
		`cat $d/out $d/err >$d/all; printf '%s%s %s %s %s %s %s\n' @labrun-run- $1 $s $a $b $(wc -c <$d/out) $(wc -c <$d/err); labrun_get $1 $d/all 0 1; }`,
	`mkdir -p /run/labrun; chmod 700 /run/labrun; printf '%s%s\n' @labrun- defined`,
}

// define teaches the guest the functions, once.
func (s *Shell) define(ctx context.Context) error {
	if s.defined {
		return nil
	}
	if !s.foreign {
		if _, err := s.console.Expect(ctx, console.Text(Ready)); err != nil {
			return err
		}
	}
	for _, f := range functions {
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

// errRestarted is what a request gets whose shell ended under it.
var errRestarted = errors.New("the guest's control shell was restarted")

// expect waits for pattern; a control shell that announces itself anew has lost
// what it was taught and was asked.
func (s *Shell) expect(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	m, err := s.console.Expect(ctx, console.Pattern(pattern), console.Text(Ready))
	if err != nil {
		s.defined = false
		return nil, err
	}
	if m.Index == 1 {
		s.defined = false
		return nil, errRestarted
	}
	return m.Groups, nil
}

// Run runs a command with sh, from the home folder, with no input, for at most
// limit. A command that could be run gives a Result, whatever its status.
func (s *Shell) Run(ctx context.Context, command string, limit time.Duration) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seconds := int(math.Ceil(limit.Seconds()))
	ctx, cancel := context.WithTimeout(ctx, limit+grace)
	defer cancel()
	result, err := s.run(ctx, command, seconds)
	if errors.Is(err, errRestarted) {
		return result, fmt.Errorf("run on %s: `%s`: %w", s.machine, command, err)
	}
	if err != nil {
		return result, err
	}
	// timeout(1) leaves with 124, or 137 if it had to kill.
	if (result.Status == 124 || result.Status == 137) && result.Seconds >= float64(seconds)-0.5 {
		return result, &TimeoutError{Machine: s.machine, Command: command, Limit: limit}
	}
	return result, nil
}

func (s *Shell) run(ctx context.Context, command string, seconds int) (Result, error) {
	var result Result
	if err := s.define(ctx); err != nil {
		return result, err
	}
	const file = "/run/labrun/cmd"
	s.serial++
	request := fmt.Sprintf("labrun_run %d %d", s.serial, seconds)
	if text := base64.StdEncoding.EncodeToString([]byte(command)); len(text) <= line {
		// The usual case in one round trip.
		request = ": >" + file + "\nlabrun_put " + file + " " + text + "\n" + request
	} else if err := s.put(ctx, file, []byte(command)); err != nil {
		return result, err
	}
	if err := s.send(ctx, request); err != nil {
		return result, err
	}
	groups, err := s.expect(ctx, runAnswer(s.serial))
	if err != nil {
		return result, err
	}
	numbers := make([]float64, len(groups))
	for i, g := range groups {
		if numbers[i], err = strconv.ParseFloat(g, 64); err != nil {
			return result, fmt.Errorf("run on %s: the answer %q cannot be read", s.machine, groups)
		}
	}
	result.Status, result.Seconds = int(numbers[0]), numbers[2]-numbers[1]
	stdout, stderr := int(numbers[3]), int(numbers[4])
	if stdout+stderr > MaxFile {
		return result, fmt.Errorf("run on %s: `%s` printed %d bytes: at most %d can be had; send the output to a file and look at a part of it",
			s.machine, command, stdout+stderr, MaxFile)
	}
	all, err := s.receive(ctx, "/run/labrun/all", stdout+stderr, true)
	if err != nil {
		return result, err
	}
	result.Stdout, result.Stderr = string(all[:stdout]), string(all[stdout:])
	return result, nil
}

func runAnswer(id int) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`@labrun-run-%d (\d+) ([\d.]+) ([\d.]+) (\d+) (\d+)\n`, id))
}

// receive fetches size bytes of a file in pieces. With underway, the guest is
// already sending the first.
func (s *Shell) receive(ctx context.Context, file string, size int, underway bool) ([]byte, error) {
	data := make([]byte, 0, size)
	for n := 0; n == 0 || len(data) < size; n++ {
		var got []byte
		var err error
		for try := 0; ; try++ {
			if !underway {
				s.serial++
				if err := s.send(ctx, fmt.Sprintf("labrun_get %d %s %d 1", s.serial, quote(file), n)); err != nil {
					return nil, err
				}
			}
			underway = false
			if got, err = s.piece(ctx); err == nil {
				break
			}
			var damaged *damagedError
			if !errors.As(err, &damaged) || try == retries {
				return nil, err
			}
		}
		if len(got) == 0 && len(data) < size {
			return nil, fmt.Errorf("read %s from %s: it became shorter while it was read (%d of %d bytes)", file, s.machine, len(data), size)
		}
		data = append(data, got...)
	}
	return data, nil
}

// damagedError says that a piece arrived with the wrong digest.
type damagedError struct{ machine string }

func (e *damagedError) Error() string {
	return "transfer from " + e.machine + ": the digest differs, again and again: something else prints on the console"
}

func (s *Shell) piece(ctx context.Context) ([]byte, error) {
	answer := regexp.MustCompile(fmt.Sprintf(`(?s)@labrun-data-%d (\w+)[^\n]*\n(.*)@labrun-end-%d\n`, s.serial, s.serial))
	groups, err := s.expect(ctx, answer)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(groups[1], "\n", ""))
	sum := sha256.Sum256(data)
	if err != nil || hex.EncodeToString(sum[:]) != groups[0] {
		return nil, &damagedError{s.machine}
	}
	return data, nil
}

// put makes file hold data.
func (s *Shell) put(ctx context.Context, file string, data []byte) error {
	if err := s.send(ctx, ": >"+quote(file)); err != nil {
		return err
	}
	const step = line / 4 * 3
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
	result, err := s.Run(ctx, "wc -c <"+quote(path), time.Minute)
	if err != nil {
		return nil, err
	}
	size, err := strconv.Atoi(strings.TrimSpace(result.Stdout))
	if result.Status != 0 || err != nil {
		return nil, &GuestError{"read", path, s.machine, guestReason(result)}
	}
	if size > MaxFile {
		return nil, fmt.Errorf("read %s from %s: it has %d bytes: at most %d can be read", path, s.machine, size, MaxFile)
	}
	if size == 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.receive(ctx, path, size, false)
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
	sum := sha256.Sum256(data)
	temporary := quote(path + ".labrun")
	result, err := s.Run(ctx, fmt.Sprintf(
		`echo "%x  %s" | sha256sum -c >/dev/null || exit 9; cp %s %s && chmod %o %s && mv %s %s || { rm -f %s; exit 1; }`,
		sum, arrived, arrived, temporary, mode, temporary, temporary, quote(path), temporary), time.Minute)
	switch {
	case err != nil:
		return err
	case result.Status == 9:
		return fmt.Errorf("write %s on %s: %w", path, s.machine, &damagedError{s.machine})
	case result.Status != 0:
		return &GuestError{"write", path, s.machine, guestReason(result)}
	}
	return nil
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
