package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// fake is a control shell whose answers a test gives: to each request for a command, its
// number.
func fake(t *testing.T, answer func(port net.Conn, id int)) *Shell {
	ours, theirs := net.Pipe()
	port := console.New(ours, console.Options{Name: "box's control channel", History: History})
	listens := make(chan struct{})
	go func() {
		defer close(listens)
		fmt.Fprintln(theirs, Ready)
		lines := bufio.NewReader(theirs)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			var id int
			switch {
			case strings.Contains(line, "@labrun- defined"):
				fmt.Fprintln(theirs, "@labrun-defined")
			default:
				if n, _ := fmt.Sscanf(line, "labrun_run %d", &id); n == 1 {
					answer(theirs, id)
				}
			}
		}
	}()
	t.Cleanup(func() {
		port.Close()
		<-listens
	})
	return New(port, Options{Machine: "box"})
}

// TestWordsOfFailures: what is said of an answer that does not come is about the command.
func TestWordsOfFailures(t *testing.T) {
	const half = 3000
	for name, c := range map[string]struct {
		answer func(port net.Conn, id int)
		want   string
		late   bool
	}{
		"no answer": {func(net.Conn, int) {},
			"run on box: `seq 9`: the guest has not answered: not within 1m15s", true},
		"half an answer": {func(port net.Conn, id int) {
			fmt.Fprintf(port, "@labrun-run-%d 0 1.0 2.0 - 6000 - 0\n%s\n", id, strings.Repeat("eHh4", half/3))
		}, "run on box: `seq 9`: of its output 3000 of 6000 bytes have come: the guest has not answered: not within 30s", true},
		"too much": {func(port net.Conn, id int) {
			fmt.Fprintf(port, "@labrun-run-%d 0 1.0 2.0 - 9000000 - 0\n.\n@labrun-end-%d\n", id, id)
		}, "run on box: `seq 9`: its output: it has 9000000 bytes: at most 8388608 can be had", false},
		"restarted": {func(port net.Conn, id int) {
			fmt.Fprintln(port, Ready)
		}, "run on box: `seq 9`: the guest's control shell was restarted", false},
		"gone": {func(port net.Conn, id int) { port.Close() },
			"console closed", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := fake(t, c.answer).Run(t.Context(), "seq 9", time.Minute)
				if err == nil || !strings.HasSuffix(err.Error(), c.want) || errors.Is(err, context.DeadlineExceeded) != c.late {
					t.Errorf("got %v\nwant %s", err, c.want)
				}
			})
		})
	}
}

// TestSlowAnswer: an output may take as long as there comes more of it.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = 40
		s := fake(t, func(port net.Conn, id int) {
			fmt.Fprintf(port, "@labrun-run-%d 0 1.0 2.0 - %d - 0\n", id, 3*lines)
			for range lines {
				time.Sleep(stalled / 2)
				fmt.Fprintln(port, "eHh4")
			}
			fmt.Fprintf(port, ".\n@labrun-end-%d\n", id)
		})
		r, err := s.Run(t.Context(), "seq 9", time.Second)
		if err != nil || r.Stdout != strings.Repeat("xxx", lines) {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

// TestLessonsFitATerminal: a terminal keeps 4095 bytes of what is typed and not yet read.
func TestLessonsFitATerminal(t *testing.T) {
	t.Parallel()
	size := 0
	for _, line := range append(append([]string{"set +Ceu", ours.set() + strings.Repeat("x", 200), fullSum}, functions...), foreignFunctions...) {
		size += len(line) + 1
	}
	if size > 4000 {
		t.Errorf("the functions take %d bytes", size)
	}
	for _, line := range ask {
		if len(line) > 4000 {
			t.Errorf("the question takes %d bytes", len(line))
		}
	}
}
