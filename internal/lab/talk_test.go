package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// A wait that is made of many short ones tells how long it took as a whole.
func TestLateWaitTellsItsTime(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := console.New(near, console.Options{Name: "router7"})
	defer c.Close()
	const limit = 3 * pokeLook
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err := pressing(ctx, c, true, func(ctx context.Context) (console.Match, error) {
		return c.Expect(ctx, console.Prompt())
	})
	var late *console.WaitError
	if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) || late.Waited < limit-10*time.Millisecond {
		t.Error(err)
	}
}

// Router7's init hears nothing for ten seconds, answers each Enter with a complaint until the shell is there, and then
// its daemons go on printing over the prompt.
func TestEnterIsPressedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := console.New(near, console.Options{
			Name:    "router7",
			Prompts: console.Prompts{Shell: regexp.MustCompile(`^[^\r\n]*# $`)},
			Noise:   []*regexp.Regexp{regexp.MustCompile(`\d\d:\d\d `)},
		})
		defer c.Close()
		began := time.Now()
		var early, complaints int
		go func() {
			fmt.Fprint(far, "Run init\r\n")
			for key := make([]byte, 1); ; {
				if _, err := far.Read(key); err != nil {
					return
				}
				switch up := time.Since(began); {
				case up < 10*time.Second:
					early++
				case up < 20*time.Second:
					complaints++
					fmt.Fprint(far, "\r\n12:00 could not start shell\r\n")
				default:
					fmt.Fprint(far, "\r\n/ # ")
				}
			}
		}()
		go func() {
			for range 5 {
				time.Sleep(4 * time.Second)
				fmt.Fprint(far, "12:00 a daemon is up\r\n")
			}
		}()
		wait := func(ctx context.Context) (console.Match, error) {
			return c.Expect(ctx, console.Prompt(console.ShellPrompt))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := pressing(ctx, c, true, wait); err != nil {
			t.Fatal(err)
		}
		if early > 4 || complaints > 5 {
			t.Errorf("%d times before init, %d times before the shell", early, complaints)
		}

		// A line of noise that another tears hides the prompt; all that is printed then is noise.
		fmt.Fprint(far, "12:\r\n")
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-time.After(5 * time.Second):
					fmt.Fprint(far, "12:00 probe results\r\n")
				case <-stop:
					return
				}
			}
		}()
		if _, err := pressing(ctx, c, false, wait); err != nil {
			t.Error(err)
		}
	})
}
