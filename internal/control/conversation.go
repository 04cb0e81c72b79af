package control

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/labrun/labrun/internal/console"
)

const (
	// Bytes that one typed line carries. A port of our own passes any line; a terminal
	// keeps 4095 characters of one, and the lines that it has not yet passed on.
	pieceOwn, pieceShared = 15_000, 1_500
	retries               = 5 // of a transfer whose digest differs
	// stalled is how long nothing may come of an answer that has begun.
	stalled = 30 * time.Second
	// learning is how long a guest that has announced its shell may take for what it is
	// taught. A command's limit has not begun then, and one that hangs would keep it for ever.
	learning = time.Minute
)

// A conversation is requests to a guest's shell and their answers. Whoever has it has
// the shell's turn.
type conversation struct {
	*Shell
	guest *console.Console // the port, or an aside
	piece int
	typed []string  // at a foreign guest's console
	torn  bool      // the guest owes an answer
	left  bool      // the shell is at its prompt
	until time.Time // when a command that runs is ended by its limit
}

func (c *conversation) send(ctx context.Context, text string) error {
	if c.foreign {
		c.typed = append(c.typed, text)
	}
	err := c.guest.SendRaw(ctx, []byte(text+"\n"))
	if err != nil {
		c.torn = true // the guest may have taken it, and be at work
	}
	return err
}

// expect waits for pattern; a control shell that announces itself anew has lost
// what it was taught and was asked.
func (c *conversation) expect(ctx context.Context, pattern string) ([]string, error) {
	m, err := c.guest.Expect(ctx, console.Pattern(regexp.MustCompile(pattern)), console.Text(Ready))
	switch {
	case err != nil:
		c.defined, c.torn = false, true
		return nil, unanswered(err)
	case m.Index == 1:
		c.defined = false
		return nil, ErrRestarted
	}
	return m.Groups, nil
}

// unanswered says in the caller's terms that a wait has failed: what was waited for, and
// what stands on the port, is between labrun and the guest.
func unanswered(err error) error {
	var wait *console.WaitError
	switch {
	case !errors.As(err, &wait):
		return err
	case errors.Is(wait.Cause, context.DeadlineExceeded):
		return fmt.Errorf("the guest has not answered: %w", wait.Cause)
	}
	return wait.Cause
}

// define teaches a guest the functions on a port of our own, once.
func (c *conversation) define(ctx context.Context) error {
	if strings.Contains(c.guest.Since(c.heard), Ready) && c.announced {
		c.defined = false // the guest was reset since the last request
	}
	c.heard = c.guest.Mark()
	if c.defined {
		return nil
	}
	if !c.announced {
		if _, err := c.guest.Expect(ctx, console.Text(Ready)); err != nil {
			return unanswered(err)
		}
		c.announced = true
		c.heard = c.guest.Mark()
	}
	for _, line := range append(lessons(c.userland), `printf '%s%s\n' @labrun- defined`) {
		if err := c.send(ctx, line); err != nil {
			return err
		}
	}
	ctx, cancel := c.Within(ctx, learning, late(learning))
	defer cancel()
	if _, err := c.guest.Expect(ctx, console.Text("@labrun-defined")); err != nil {
		return unanswered(err)
	}
	c.defined = true
	return nil
}

func (c *conversation) do(ctx context.Context, commands string) error {
	c.serial++
	if err := c.send(
		ctx, fmt.Sprintf(`{ %s; } >/dev/null 2>&1; printf '%%s%%s\n' @labrun-did- %d`, commands, c.serial),
	); err != nil {
		return err
	}
	_, err := c.expect(ctx, fmt.Sprintf(`@labrun-did-%d\n`, c.serial))
	return err
}

func (c *conversation) hear(ctx context.Context, commands string) (string, error) {
	c.serial++
	if err := c.send(
		ctx, fmt.Sprintf(`printf '%%s%%s ' @labrun-says- %d; { %s; } 2>/dev/null; echo`, c.serial, commands),
	); err != nil {
		return "", err
	}
	said, err := c.expect(ctx, fmt.Sprintf(`@labrun-says-%d ([^\n]*)\n`, c.serial))
	if err != nil {
		return "", err
	}
	return said[0], nil
}

// ran is a pattern of what labrun_run says first: status, times, and each output's digest and size.
func ran(serial int) string {
	return fmt.Sprintf(`@labrun-run-%d (\d+) ([\d.]+) ([\d.]+) (\S+) (\d+) (\S+) (\d+)\n`, serial)
}

func (c *conversation) run(ctx context.Context, command string, limit time.Duration) (Result, error) {
	var result Result
	whole := ctx
	ctx, cancel := c.Within(ctx, limit+grace, late(limit+grace))
	defer cancel()
	word, err := c.word(ctx, command)
	if err != nil {
		return result, err
	}
	c.serial++
	c.until = time.Now().Add(limit + grace)
	if err := c.send(
		ctx, fmt.Sprintf("labrun_run %d %d %s", c.serial, int(math.Ceil(limit.Seconds())), word),
	); err != nil {
		return result, err
	}
	head, err := c.expect(ctx, ran(c.serial))
	if err != nil {
		return result, err
	}
	result.Status, _ = strconv.Atoi(head[0])
	begin, _ := strconv.ParseFloat(head[1], 64)
	end, _ := strconv.ParseFloat(head[2], 64)
	result.Seconds = end - begin
	out, _ := strconv.Atoi(head[4])
	errs, _ := strconv.Atoi(head[6])
	body, err := c.receive(whole, fmt.Sprintf(`(?s)(.*?)\.\n(.*?)@labrun-end-%d\n`, c.serial), out+errs)
	if err != nil {
		return result, fmt.Errorf("of its output %w", err)
	}
	base := fmt.Sprintf("%s/%d", c.userland.folder, c.serial)
	for _, part := range []struct {
		sum, size, body, file string
		into                  *string
	}{
		{head[3], head[4], body[0], base + ".out", &result.Stdout},
		{head[5], head[6], body[1], base + ".err", &result.Stderr},
	} {
		data, err := decode(part.sum, part.size, part.body)
		if errors.Is(err, errDamaged) {
			data, err = c.get(whole, part.file)
		}
		if err != nil {
			return result, fmt.Errorf("its output: %w", err)
		}
		*part.into = string(data)
	}
	return result, c.send(whole, c.forget(base))
}

// swept is after how many commands the files of their outputs are removed.
const swept = 50

// forget is what empties the files of an output. That takes no program; removing them would,
// each time, so it is done now and then.
func (c *conversation) forget(base string) string {
	if c.runs++; c.runs%swept == 0 {
		return fmt.Sprintf("rm -f %[1]s/*.out %[1]s/*.err", c.userland.folder)
	}
	return fmt.Sprintf(": >%[1]s.out; : >%[1]s.err", base)
}

// word is a command as the shell is told it: one word.
func (c *conversation) word(ctx context.Context, command string) (string, error) {
	control := strings.ContainsFunc(command, func(r rune) bool { return unicode.IsControl(r) })
	switch {
	case !c.foreign, !control && len(quote(command)) <= c.piece:
		return quote(command), nil
	case len(command) > c.piece:
		file := c.userland.folder + "/command"
		return quote(". " + file), c.put(ctx, file, []byte(command))
	}
	// A terminal would act on control characters and newlines.
	return `"$(echo ` + base64.StdEncoding.EncodeToString([]byte(command)) + ` | base64 -d)"`, nil
}

// receive waits for the rest of an answer, of so many bytes, as long as there comes more
// of it.
func (c *conversation) receive(ctx context.Context, pattern string, size int) ([]string, error) {
	for {
		last := c.guest.LastByte()
		slice, cancel := c.Within(ctx, stalled, late(stalled))
		groups, err := c.expect(slice, pattern)
		more := err != nil && slice.Err() != nil && ctx.Err() == nil && c.guest.LastByte().After(last)
		cancel()
		if more {
			c.defined, c.torn = true, false
			continue
		}
		if errors.Is(err, context.DeadlineExceeded) {
			came := base64.StdEncoding.DecodedLen(len(c.guest.Unread()))
			return nil, fmt.Errorf("%d of %d bytes have come: %w", min(came, size), size, err)
		}
		return groups, err
	}
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
func (c *conversation) get(ctx context.Context, file string) ([]byte, error) {
	for try := 0; ; try++ {
		c.serial++
		if err := c.send(ctx, fmt.Sprintf("labrun_get %d %s", c.serial, quote(file))); err != nil {
			return nil, err
		}
		head, err := c.expect(ctx, fmt.Sprintf(`@labrun-(get|no)-%d ([^\n]*)\n`, c.serial))
		if err != nil {
			return nil, err
		}
		sum, size, _ := strings.Cut(head[1], " ")
		n, _ := strconv.Atoi(size)
		body, err := c.receive(ctx, fmt.Sprintf(`(?s)(.*?)@labrun-end-%d\n`, c.serial), n)
		switch {
		case err != nil:
			return nil, err
		case head[0] == "no":
			return nil, &GuestError{"read", file, c.Machine, withoutPath(head[1], file)}
		}
		data, err := decode(sum, size, body[0])
		if !errors.Is(err, errDamaged) || try == retries {
			return data, err
		}
	}
}

// put makes file hold data.
func (c *conversation) put(ctx context.Context, file string, data []byte) error {
	if err := c.send(ctx, "printf '' >"+quote(file)); err != nil {
		return err
	}
	for done := 0; done < len(data); done += c.piece {
		end := min(done+c.piece, len(data))
		text := base64.StdEncoding.EncodeToString(data[done:end])
		if err := c.send(ctx, "labrun_put "+quote(file)+" "+text); err != nil {
			return err
		}
		groups, err := c.expect(ctx, `@labrun-put- *(\d+)\n`)
		if err != nil {
			return fmt.Errorf("%d of %d bytes are there: %w", done, len(data), err)
		}
		if groups[0] != strconv.Itoa(end) {
			return fmt.Errorf("%s of %d bytes arrived; %s", groups[0], end, c.words())
		}
	}
	return nil
}

func (c *conversation) write(ctx context.Context, path string, data []byte, mode uint32) error {
	arrived := c.userland.folder + "/file"
	if err := c.put(ctx, arrived, data); err != nil {
		return err
	}
	temporary := quote(path + ".labrun")
	result, err := c.run(ctx, fmt.Sprintf(
		`echo "%x  %s" | sha256sum -c >/dev/null || exit 9; cp %s %s && chmod %o %s && mv %s %s || { rm -f %s; exit 1; }`,
		sha256.Sum256(data), arrived, arrived, temporary, mode, temporary, temporary, quote(path), temporary),
		time.Minute)
	switch {
	case err != nil:
		return err
	case result.Status == 9:
		return errDamaged
	case result.Status != 0:
		return &GuestError{"write", path, c.Machine, guestReason(result)}
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
