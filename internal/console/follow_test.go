package console

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("\x1b[1mone\r\n")
	chunk, next, err := g.c.Follow(g.ctx(), 0)
	if string(chunk) != "\x1b[1mone\r\n" || next != int64(len(chunk)) || err != nil {
		t.Fatalf("got %q, %d, %v", chunk, next, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if chunk, at, err := g.c.Follow(ctx, next); !errors.Is(err, context.DeadlineExceeded) || len(chunk) > 0 || at != next {
		t.Errorf("nothing new: %q, %d, %v", chunk, at, err)
	}
	waiting := make(chan string)
	go func() {
		chunk, _, _ := g.c.Follow(g.ctx(), next)
		waiting <- string(chunk)
	}()
	g.print("two")
	if got := <-waiting; got != "two" {
		t.Errorf("the follower got %q", got)
	}
	dead := errors.New("powered off")
	g.c.Fail(dead)
	g.print("last words") // it is still drained
	g.port.Close()
	if chunk, next, err = g.c.Follow(g.ctx(), next+3); string(chunk) != "last words" || err != nil {
		t.Errorf("after the death: %q, %v", chunk, err)
	}
	if _, _, err := g.c.Follow(g.ctx(), next); !errors.Is(err, dead) {
		t.Errorf("at the end: %v", err)
	}
}

// A follower that comes late gets the end of what was printed, and can tell how
// much it missed.
func TestFollowFromFarBehind(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	line := strings.Repeat("x", 1023) + "\n"
	for range 4 * scrollBack / 1024 {
		g.print(line)
	}
	g.print("end")
	chunk, next, err := g.c.Follow(g.ctx(), 5)
	if err != nil || !bytes.HasSuffix(chunk, []byte("x\nend")) {
		t.Fatalf("got %d bytes, %v", len(chunk), err)
	}
	if next != 4*scrollBack+3 || len(chunk) < scrollBack || len(chunk) > 3*scrollBack {
		t.Errorf("next %d, %d bytes", next, len(chunk))
	}
}

func TestManyFollowers(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	var following sync.WaitGroup
	texts := make([]string, 10)
	for i := range texts {
		following.Go(func() {
			for next := int64(0); len(texts[i]) < 26*100; {
				chunk, at, err := g.c.Follow(g.ctx(), next)
				if err != nil {
					t.Error(err)
					return
				}
				texts[i], next = texts[i]+string(chunk), at
			}
		})
	}
	want := ""
	for letter := 'a'; letter <= 'z'; letter++ {
		part := strings.Repeat(string(letter), 100)
		want += part
		g.print(part)
	}
	following.Wait()
	for i, text := range texts {
		if text != want {
			t.Errorf("follower %d got %q", i, text)
		}
	}
}
