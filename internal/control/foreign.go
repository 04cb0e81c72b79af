package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
)

const (
	// restLimit is how long a foreign guest's console may be busy, or hold a line that
	// somebody has begun.
	restLimit = 2 * time.Minute
	// greetLimit is how long its shell may take to be ready for requests, and leaveLimit
	// to be back at its prompt.
	greetLimit = time.Minute
	leaveLimit = 10 * time.Second
	// signalLimit is how long Ctrl-C may take to end what it ends at all.
	signalLimit = 3 * time.Second
)

// entry is the one line of labrun's that a guest's shell reads at its prompt, and so the
// only one that its history may keep: that of bash leaves out what begins with a blank
// where it is told to, that of BusyBox nothing. All other lines are read by the loop, in
// a subshell, so that what they define ends with it and the student's last status is kept.
const (
	entry = ` (labrun=$?; echo @labr''un; while read -r l; do eval "$l"; done)`
	loops = "@labrun\n" // what it prints
	mark  = "labr"      // is in whatever is typed at a shell, and said by the functions
)

// stepAside calls f with a conversation at the shell that waits on a foreign guest's
// console, out of sight of those who look at it.
func (s *Shell) stepAside(ctx context.Context, f func(*conversation) error) error {
	aside, err := s.atRest(ctx)
	if err != nil {
		return err
	}
	defer s.release()
	c := &conversation{Shell: s, guest: aside.Console, piece: pieceShared}
	err = c.greet(ctx)
	if err == nil {
		err = f(c)
	}
	c.leave(ctx, aside.Prompt)
	aside.End(c.others(aside.Quiet()))
	return err
}

// atRest waits until the console is at rest and nobody else has the shell; then the
// caller has it.
func (s *Shell) atRest(ctx context.Context) (*console.Aside, error) {
	ctx, cancel := s.Within(ctx, restLimit, late(restLimit))
	defer cancel()
	for {
		if err := s.Rest(ctx); err != nil {
			var wait *console.WaitError
			switch {
			case !errors.Is(err, context.DeadlineExceeded) && errors.As(err, &wait):
				return nil, wait.Cause
			case s.console.Waiting() == console.LoginPrompt:
				return nil, fmt.Errorf(
					"labrun has no control channel to it, and nobody is logged in at its console: log in first: %w", context.Cause(ctx),
				)
			case errors.As(err, &wait):
				err = context.Cause(ctx)
			}
			return nil, fmt.Errorf(
				"labrun has no control channel to it, and no shell prompt with nothing typed at it was on its console: %w", err,
			)
		}
		if err := s.take(ctx); err != nil {
			return nil, err
		}
		if aside := s.console.StepAside(History, mark); aside != nil {
			return aside, nil
		}
		s.release() // somebody has begun to type
		timer := time.NewTimer(10 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// greet has the shell read requests, and finds out once what the guest has.
func (c *conversation) greet(ctx context.Context) error {
	ctx, cancel := c.Within(ctx, greetLimit, late(greetLimit))
	defer cancel()
	c.torn = true
	if err := c.send(ctx, entry); err != nil {
		return err
	}
	m, err := c.guest.Expect(ctx, console.Text(loops), console.Prompt(console.ShellPrompt))
	if err != nil {
		return unanswered(err)
	}
	if m.Index == 1 {
		c.left = true
		return fmt.Errorf("what waits at its console is no shell that labrun can use: %s", c.words())
	}
	for _, line := range slices.Concat(
		[]string{"set +Ceu", c.userland.set(), fullSum}, functions, foreignFunctions, []string{"labrun_here"},
	) {
		if err := c.send(ctx, line); err != nil {
			return err
		}
	}
	here, err := c.expect(ctx, `@labrun-here (\S+)([^\n]*)\n`)
	if err != nil {
		return err
	}
	if cards := strings.Fields(here[1]); c.another(cards) {
		return fmt.Errorf(
			"its console is at the shell of another machine, whose network cards are %s: leave that first",
			strings.Join(cards, ", "),
		)
	}
	c.torn = false
	if here[0] != "-" {
		return nil
	}
	return c.ask(ctx)
}

// another reports whether network cards are another machine's: there are some, and none
// of this one's. What has only a loopback interface may be any.
func (c *conversation) another(cards []string) bool {
	cards = slices.DeleteFunc(slices.Clone(cards), func(card string) bool { return strings.Trim(card, "0:") == "" })
	return len(c.Cards) > 0 && len(cards) > 0 &&
		!slices.ContainsFunc(cards, func(card string) bool { return slices.Contains(c.Cards, card) })
}

// ask finds out what the guest has.
func (c *conversation) ask(ctx context.Context) error {
	for _, line := range append(ask, "labrun_ask .labrun-"+rand.Text()[:8]) {
		if err := c.send(ctx, line); err != nil {
			return err
		}
	}
	has, err := c.expect(ctx, `@labrun-has-([^|\n]*)\|([^|\n]*)\|([^|\n]*)\|([^|\n]*)\n`)
	if err != nil {
		return err
	}
	lacks := strings.Fields(has[3])
	switch {
	case len(lacks) > 0:
		return fmt.Errorf("its guest has no %s, which labrun needs to ask it", strings.Join(lacks, ", no "))
	case has[0] == "":
		return errors.New(
			"its guest has no shell that its timeout can start: sh, the one in use, and /proc/$$/exe were tried",
		)
	case has[2] == "":
		return errors.New(
			"its guest has no folder that its user can write to: /run, /tmp, /var/tmp, /dev/shm and the home folder were tried",
		)
	}
	c.userland = userland{shell: has[0], limit: has[1], folder: has[2]}
	return nil
}

// leave brings the shell back to its prompt.
func (c *conversation) leave(ctx context.Context, prompt string) {
	if c.left {
		return
	}
	again := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(prompt) + `\z`)
	back := func(limit time.Duration, keys string) bool {
		ctx, cancel := c.Within(context.WithoutCancel(ctx), limit, late(limit))
		defer cancel()
		if c.guest.SendRaw(ctx, []byte(keys)) != nil {
			return false
		}
		_, err := c.guest.Expect(ctx, console.Pattern(again), console.Prompt(console.ShellPrompt))
		return err == nil
	}
	const end = "labrun_end\n" // which a shell outside of the loop does not know
	if c.torn && back(signalLimit, "\x03") {
		return // a signal has ended the loop
	}
	// Bash ignores a signal that its child does not get, as GNU's timeout sees to; then
	// the shell comes back with the command's own limit, and is not the student's before.
	back(max(leaveLimit, time.Until(c.until)), end)
}

// words are what the guest has said during the conversation that is no answer, on one
// line.
func (c *conversation) words() string {
	var said []string
	for _, line := range strings.Split(c.others(c.guest.Tail(tailKept)), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "it says nothing of it"
	}
	return "it says: " + strings.Join(said[max(0, len(said)-wordsKept):], "; ")
}

const tailKept, wordsKept = 200, 3 // lines

var answerBegins, answerEnds = regexp.MustCompile(`@labrun-(run|get)-\d`), regexp.MustCompile(`@labrun-end-\d`)

// others are the whole lines of what was heard in an aside that are neither labrun's nor
// answers to it: a background job of the student's has printed them. What is in doubt is
// labrun's.
func (c *conversation) others(heard string) string {
	typed := strings.Join(c.typed, "\n")
	// What comes before the loop is the echo of its own line, as a line editor shows it.
	if _, after, ok := strings.Cut(heard, loops); ok {
		heard = after
	}
	var kept strings.Builder
	answer := false
	for line := range strings.Lines(heard) {
		if !strings.HasSuffix(line, "\n") {
			break // the prompt
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case answerBegins.MatchString(line):
			answer = true
		case answerEnds.MatchString(line):
			answer = false
		case answer, strings.Contains(line, mark), strings.TrimSpace(line) == "", strings.TrimSpace(line) == "^C",
			strings.Contains(typed, strings.TrimSpace(line)):
		default:
			kept.WriteString(line + "\r\n")
		}
	}
	return kept.String()
}
