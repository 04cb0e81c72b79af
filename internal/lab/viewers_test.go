package lab

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/labtest"
)

// onlooker is a viewer of a real machine; it counts what it sees.
type onlooker struct {
	mu   sync.Mutex
	text strings.Builder
	slow chan struct{} // not nil: nothing is read until it is closed
}

func (o *onlooker) Write(p []byte) (int, error) {
	if o.slow != nil {
		<-o.slow
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *onlooker) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// TestViewersOfARealMachine: ten at once, of whom one stops reading and one is
// killed, while the guest prints as fast as it can.
func TestViewersOfARealMachine(t *testing.T) {
	labtest.Parallel(t)
	ctx, l, router := routerAlone(t)
	l.options.Interactive = true
	var viewing sync.WaitGroup
	defer viewing.Wait()
	in, typing := io.Pipe()
	defer typing.Close()
	silent, hush := io.Pipe()
	defer hush.Close()
	viewers := make([]*onlooker, 10)
	cancels := make([]context.CancelFunc, len(viewers))
	for i := range viewers {
		viewers[i] = &onlooker{}
		keys := io.Reader(silent)
		switch i {
		case 0:
			keys = in
		case 1:
			viewers[i].slow = make(chan struct{})
		}
		var its context.Context
		its, cancels[i] = context.WithCancel(ctx)
		defer cancels[i]()
		viewing.Go(func() {
			if err := attach.View(its, l.Session(), "router7", attach.Terminal{In: keys, Out: viewers[i]}); err != nil {
				t.Error(err)
			}
		})
	}
	defer close(viewers[1].slow)
	sees := func(i int, text string) {
		t.Helper()
		for deadline := time.Now().Add(patience); !strings.Contains(viewers[i].String(), text); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("viewer %d never sees %q, only %q", i, text, viewers[i].String()[max(0, len(viewers[i].String())-500):])
			}
		}
	}
	for i := range viewers {
		if i != 1 {
			sees(i, "Linux version") // what was said before
		}
	}
	if n := l.Viewers("router7"); n != len(viewers) {
		t.Errorf("%d viewers", n)
	}
	io.WriteString(typing, "seq 50000 | sed 's/$/ is a number/'; echo the $((40+2))nd end\r")
	sees(3, "500 is a number")
	cancels[2]() // killed in the middle of it
	for i := range viewers {
		if i > 2 || i == 0 {
			sees(i, "the 42nd end")
		}
	}
	c, err := router.Console()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Finished(ctx); err != nil {
		t.Fatal(err)
	}

	// The guest learns its terminal's size, and forgets it when the viewer goes.
	size := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			r, err := router.Run(ctx, "stty -F /dev/ttyS0 size", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(r.Stdout) == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the guest's terminal is %q, want %s", r.Stdout, want)
			}
		}
	}
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	if err := pty.Setsize(master, &pty.Winsize{Rows: 33, Cols: 101}); err != nil {
		t.Fatal(err)
	}
	its, leave := context.WithCancel(ctx)
	left := make(chan error)
	silent, end := io.Pipe()
	defer end.Close()
	go func() {
		left <- attach.View(its, l.Session(), "router7", attach.Terminal{In: silent, Out: io.Discard, TTY: tty})
	}()
	size("33 101")
	leave()
	if err := <-left; err != nil {
		t.Error(err)
	}
	size("24 80")
}
