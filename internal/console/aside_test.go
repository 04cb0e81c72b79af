package console

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// aside begins an aside at a prompt that the guest prints, after a line was entered.
func aside(t *testing.T) (*guest, *Aside) {
	g := newGuest(t, machine)
	g.print("/ # ")
	g.send("uname\n")
	g.print("uname\r\nLinux\r\n/ # ")
	if err := g.c.AtRest(g.ctx()); err != nil {
		t.Fatal(err)
	}
	a := g.c.StepAside(1<<20, "mark")
	if a == nil {
		t.Fatal("no aside begins")
	}
	return g, a
}

// hears returns once the aside has heard what the guest prints.
func (g *guest) hears(a *Aside, text string) {
	g.t.Helper()
	if _, err := g.port.Write([]byte(text)); err != nil {
		g.t.Fatal(err)
	}
	if _, err := a.Expect(g.ctx(), Text(strings.ReplaceAll(text, "\r\n", "\n"))); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) shown() string {
	g.t.Helper()
	all, _, err := g.c.Follow(g.ctx(), 0)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(all)
}

// TestAside: the console is afterwards as it was.
func TestAside(t *testing.T) {
	t.Parallel()
	g, a := aside(t)
	before, output, line := g.shown(), g.c.Output(), g.c.LastLine()
	ended := make(chan error, 1)
	go func() { ended <- a.SendRaw(g.ctx(), []byte("unseen\n")) }()
	if got := g.read(7); got != "unseen\n" {
		t.Errorf("the guest read %q", got)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	g.hears(a, "unseen\r\nan answer\r\n/ # ")
	if g.c.StepAside(1<<20, "mark") != nil {
		t.Error("a second aside begins")
	}
	a.End("")
	if got := g.shown(); got != before {
		t.Errorf("the console shows %q, and before %q", got, before)
	}
	if got := g.c.Output(); got != output || got != "Linux\n" {
		t.Errorf("the output is %q, and was %q", got, output)
	}
	if got := g.c.LastLine(); got != line {
		t.Errorf("the last line is %+v, and was %+v", got, line)
	}
	if err := g.c.AtRest(g.ctx()); err != nil {
		t.Error(err)
	}
	if _, err := a.Expect(g.ctx(), Text("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("a wait on an aside that has ended: %v", err)
	}
	g.print("what comes now\r\n")
	if got := g.shown(); got != before+"what comes now\r\n" {
		t.Errorf("the console shows %q", got)
	}
}

// TestAsideHoldsBackKeys: a person's keys and labrun's lines wait until it is over.
func TestAsideHoldsBackKeys(t *testing.T) {
	t.Parallel()
	g, a := aside(t)
	typed := make(chan error, 1)
	go func() { typed <- g.c.Relay(g.ctx(), []byte("ls\r")) }()
	short, cancel := context.WithTimeout(g.ctx(), 100*time.Millisecond)
	defer cancel()
	if err := g.c.Send(short, "id\n"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("what does not wait: %v", err)
	}
	a.End("")
	if got := g.read(3); got != "ls\r" {
		t.Errorf("the guest read %q", got)
	}
	if err := <-typed; err != nil {
		t.Error(err)
	}
}

// TestAsidePassesNoiseOn: log lines go to the console, whole, as they come; what has the
// mark does not, and a line that has not ended goes on there.
func TestAsidePassesNoiseOn(t *testing.T) {
	t.Parallel()
	g, a := aside(t)
	before := g.shown()
	const log, kernel = "2026/11/27 05:14:32 dns.go: probe\r\n", "[   17.056459] breakglass used\r\n"
	g.hears(a, "an ans"+log)
	g.hears(a, "wer\r\n"+kernel)
	g.hears(a, "2026/11/27 05:14:33 a mark in it\r\n")
	g.hears(a, log[:7]+kernel+log[7:])
	if got, want := g.shown(), before+log+kernel+kernel+log; got != want {
		t.Errorf("the console shows %q, want %q", got, want)
	}
	if got := a.Quiet(); got != "an answer\n" {
		t.Errorf("the aside heard %q", got)
	}
	g.hears(a, "/ # 2026/11/27 05:14:34 half")
	a.End("a job's line\r\n")
	if _, err := g.port.Write([]byte(" a line\r\n")); err != nil {
		t.Fatal(err)
	}
	g.expect(Text("half a line\n"))
	if got, want := g.shown(), before+log+kernel+kernel+log+"a job's line\r\n/ # 2026/11/27 05:14:34 half a line\r\n"; got != want {
		t.Errorf("the console shows %q, want %q", got, want)
	}
	if err := g.c.AtRest(g.ctx()); err != nil {
		t.Error(err)
	}
}

// TestAsideOfADeadMachine: an aside ends with the console's own reason.
func TestAsideOfADeadMachine(t *testing.T) {
	t.Parallel()
	g, a := aside(t)
	reason := errors.New("it powered off")
	g.c.Fail(reason)
	if _, err := a.Expect(g.ctx(), Text("x")); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	a.End("")
	if g.c.StepAside(1<<20, "mark") != nil {
		t.Error("an aside begins on a dead console")
	}
}

// TestNoAside: none begins where somebody is at work.
func TestNoAside(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]func(g *guest){
		"a line half typed": func(g *guest) {
			done := make(chan error, 1)
			go func() { done <- g.c.Relay(g.ctx(), []byte("ip a")) }()
			g.read(4)
			<-done
		},
		"a command that runs": func(g *guest) { g.send("sleep 9\n"); g.print("sleep 9\r\n") },
		"a password prompt":   func(g *guest) { g.send("su\n"); g.print("su\r\nPassword: ") },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, machine)
			g.print("/ # ")
			if err := g.c.AtRest(g.ctx()); err != nil {
				t.Fatal(err)
			}
			busy(g)
			if g.c.StepAside(1<<20, "mark") != nil {
				t.Error("an aside begins")
			}
		})
	}
}
