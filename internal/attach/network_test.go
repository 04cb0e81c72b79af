package attach

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/lan"
)

// wire is the network of the bench's lab, whose packets come from the test.
type wire struct {
	mu      sync.Mutex
	drawing Drawing
	redrawn chan struct{}
	packets chan []lan.Packet // nil: there are none
	file    string            // what was captured
}

func (w *wire) draw(d Drawing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drawing = d
	if w.redrawn != nil {
		close(w.redrawn)
		w.redrawn = nil
	}
}

func (w *wire) Drawing() (Drawing, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.redrawn == nil {
		w.redrawn = make(chan struct{})
	}
	return w.drawing, w.redrawn
}

func (w *wire) Packets(ctx context.Context, _ string, tell func([]lan.Packet, uint64) error) error {
	for {
		select {
		case packets := <-w.packets:
			if err := tell(packets, 7); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (w *wire) Capture(string) (io.ReadCloser, error) {
	if w.file == "" {
		return nil, errors.New("nothing has crossed it yet")
	}
	return io.NopCloser(strings.NewReader(w.file)), nil
}

func wired(on bool) Drawing {
	return Drawing{Networks: []string{"lan"}, Machines: []DrawnMachine{{Name: "debian", On: on, Cards: []DrawnCard{
		{Name: "eth0", MAC: "52:55:00:00:00:01", Network: "lan", Plugged: true, Addresses: []string{"10.0.0.7"}},
	}}}}
}

// Who looks at the network is told how it is wired, what changes of that, and what
// crosses it, until the machines are gone.
func TestNetwork(t *testing.T) {
	b := newBench(t)
	b.wire.draw(wired(false))
	b.packets = make(chan []lan.Packet)
	lines, ended := make(chan string, 10), make(chan error, 1)
	go func() {
		ended <- Network(t.Context(), b.folder, func(line []byte) error {
			lines <- string(line)
			return nil
		})
	}()
	wants := func(want string) {
		t.Helper()
		if got := <-lines; got != want {
			t.Errorf("told  %s\nwant %s", got, want)
		}
	}
	const drawing = `{"kind":"drawing","networks":["lan"],"machines":[{"name":"debian","on":%v,"cards":[` +
		`{"name":"eth0","mac":"52:55:00:00:00:01","network":"lan","uplink":false,"plugged":true,"addresses":["10.0.0.7"]}]}]}`
	wants(fmt.Sprintf(drawing, false))
	b.wire.draw(wired(false)) // is nothing new
	b.wire.draw(wired(true))
	wants(fmt.Sprintf(drawing, true))
	b.packets <- []lan.Packet{{
		Number: 8, Time: time.Unix(1, 0).UTC(), Port: "debian/eth0", SourceMAC: "a", TargetMAC: "b", Protocol: "arp",
		Source: "10.0.0.7", Target: "10.0.0.1", Operation: "request", Size: 42,
	}}
	wants(`{"kind":"packets","network":"lan","packets":[{"n":8,"time":"1970-01-01T00:00:01Z","card":"debian/eth0",` +
		`"from":"10.0.0.7","to":"10.0.0.1","protocol":"arp","info":"who has 10.0.0.1?","bytes":42}],"more":7}`)
	b.server.Dismiss()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := Network(t.Context(), b.folder, func([]byte) error { return nil }); err != nil {
		t.Errorf("who comes later gets %v", err)
	}
}

// Looking ends with its context, and with an error of who looks.
func TestNetworkCanBeLeft(t *testing.T) {
	b := newBench(t)
	b.wire.draw(wired(true))
	enough := errors.New("enough")
	if err := Network(t.Context(), b.folder, func([]byte) error { return enough }); err != enough {
		t.Errorf("it ended with %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := Network(ctx, b.folder, func([]byte) error { cancel(enough); return nil }); err != enough {
		t.Errorf("it ended with %v", err)
	}
	b.server.Close() // which waits for those who look
}

// Somebody who does not read is sent away, and the end of the machines does not wait for them.
func TestNetworkOfASlowReader(t *testing.T) {
	oldPatience, oldLast := patience, lastPatience
	t.Cleanup(func() { patience, lastPatience = oldPatience, oldLast })
	patience, lastPatience = time.Hour, time.Millisecond
	b := newBench(t)
	b.wire.draw(wired(true))
	b.packets = make(chan []lan.Packet)
	conn, _, err := ask(t.Context(), b.folder, request{Op: "network"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	many := []lan.Packet{{Source: strings.Repeat("x", 16<<20)}} // more than any socket's buffer
	b.packets <- many
	b.server.Close()
	if err := follow(conn, longestLine, func([]byte) error { return nil }); !errors.Is(err, errBroken) {
		t.Errorf("the slow reader is told: %v", err)
	}
}

func TestCapture(t *testing.T) {
	b := newBench(t)
	b.wire.draw(wired(true))
	var got bytes.Buffer
	var refused *RefusedError
	err := Capture(t.Context(), b.folder, "wan", &got)
	if !errors.As(err, &refused) || refused.Reason != `there is no network called "wan": there are lan` {
		t.Errorf("of an unknown network: %v", err)
	}
	if err := Capture(t.Context(), b.folder, "lan", &got); !errors.As(err, &refused) || got.Len() > 0 {
		t.Errorf("before anything crossed it: %v", err)
	}
	b.file = strings.Repeat("captured", 2*longestFrame/8+1)
	if err := Capture(t.Context(), b.folder, "lan", &got); err != nil || got.String() != b.file {
		t.Errorf("%d bytes of %d, %v", got.Len(), len(b.file), err)
	}
	full := errors.New("no space left on device")
	if err := Capture(t.Context(), b.folder, "lan", failing{full}); err != full {
		t.Errorf("what cannot be written ends with %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// What a packet says is a guest's: it cannot make another line, nor anything else of one.
func TestPacketsAreData(t *testing.T) {
	line, err := json.Marshal(told("lan", []lan.Packet{{Protocol: "dns", Name: "a\n\x1b<b>\xff"}}, 0))
	if err != nil || bytes.ContainsAny(line, "\n\x1b<\xff") {
		t.Errorf("%q, %v", line, err)
	}
}
