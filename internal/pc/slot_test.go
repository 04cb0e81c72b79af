package pc

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// fakePage is a page that the test plays.
type fakePage struct {
	heard chan string   // what the machine sends
	says  chan string   // what the page says
	gone  chan struct{} // closed when it is closed
}

func newFakePage() *fakePage {
	return &fakePage{make(chan string, 100), make(chan string, 100), make(chan struct{})}
}

func (p *fakePage) Send(message []byte) error {
	select {
	case <-p.gone:
		return io.ErrClosedPipe
	default:
		p.heard <- string(message)
		return nil
	}
}

func (p *fakePage) Next() ([]byte, error) {
	select {
	case message := <-p.says:
		return []byte(message), nil
	case <-p.gone:
		return nil, io.EOF
	}
}

// on has a page hold a machine that is switched on.
func on(t *testing.T) (*Slot, *fakePage, *Machine) {
	t.Helper()
	var slot Slot
	page := newFakePage()
	held := make(chan struct{})
	go func() {
		defer close(held)
		slot.Hold(t.Context(), page)
	}()
	for !slot.Held() {
		time.Sleep(time.Millisecond)
	}
	asked := make(chan string, 1)
	go func() { // as a page does, it says that the machine runs when it was asked for it
		asked <- <-page.heard
		page.says <- "ua prompt"
	}()
	m, err := slot.SwitchOn(t.Context(), "x.state", "52:55:00:aa:00:14")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		select {
		case <-page.gone:
		default:
			close(page.gone)
		}
		<-held
	})
	if got := <-asked; got != `p{"mac":"52:55:00:aa:00:14","state":"x.state"}` {
		t.Errorf("the page heard %q", got)
	}
	return &slot, page, m
}

func read(t *testing.T, from io.Reader, n int) string {
	t.Helper()
	data := make([]byte, n)
	if _, err := io.ReadFull(from, data); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What a machine's ports say and are told goes through the page, frames with QEMU's framing.
func TestPortsOfAMachineInAPage(t *testing.T) {
	_, page, m := on(t)
	page.says <- "0, and more"
	if got := read(t, m.Console(), len("a prompt, and more")); got != "a prompt, and more" {
		t.Errorf("the console says %q", got)
	}
	if got := read(t, m.Control(), len(ready)); got != ready {
		t.Errorf("the control channel says %q", got)
	}
	page.says <- "eframe"
	if got := read(t, m.NIC(0), 4+5); got != "\x00\x00\x00\x05frame" {
		t.Errorf("the card sends %q", got)
	}
	io.WriteString(m.Console(), "ls\r")
	if got := <-page.heard; got != "0ls\r" {
		t.Errorf("the page heard %q", got)
	}
	m.NIC(0).Write([]byte("\x00\x00\x00\x03abc"))
	if got := <-page.heard; got != "eabc" {
		t.Errorf("the page's card got %q", got)
	}
	m.SetCarrier(false)
	m.NIC(0).Write([]byte("\x00\x00\x00\x04lost"))
	select {
	case got := <-page.heard:
		t.Errorf("with its cable out, the page heard %q", got)
	case <-time.After(50 * time.Millisecond):
	}
}

// A machine is off when its page is closed, its guest powers off, or its emulator fails, and says which.
func TestEndsOfAMachineInAPage(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(*fakePage, *Machine)
		want Reason
		says string
	}{
		"closed":      {func(p *fakePage, _ *Machine) { close(p.gone) }, Gone, "was closed"},
		"powered off": {func(p *fakePage, _ *Machine) { p.says <- "d" }, PoweredOff, "switched off"},
		"failed":      {func(p *fakePage, _ *Machine) { p.says <- "dout of memory" }, Crashed, "out of memory"},
		"stopped":     {func(_ *fakePage, m *Machine) { m.Kill() }, Stopped, "switched off"},
	} {
		t.Run(name, func(t *testing.T) {
			_, page, m := on(t)
			read(t, m.Console(), len("a prompt"))
			end.do(page, m)
			<-m.Done()
			if exit, _ := m.Exit(); exit.Reason != end.want || !strings.Contains(exit.Error(), end.says) {
				t.Errorf("%v: %v", exit.Reason, exit)
			}
			if rest, err := io.ReadAll(m.Console()); err != nil || len(rest) > 0 {
				t.Errorf("the console says %q, %v", rest, err)
			}
		})
	}
}

// Without a page a machine cannot be switched on; a page that fails says why.
func TestNoPage(t *testing.T) {
	var slot Slot
	if _, err := slot.SwitchOn(t.Context(), "x.state", ""); !errors.Is(err, ErrNoPage) {
		t.Error(err)
	}
	page := newFakePage()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	held := make(chan struct{})
	go func() {
		defer close(held)
		slot.Hold(ctx, page)
	}()
	for !slot.Held() {
		time.Sleep(time.Millisecond)
	}
	go func() {
		<-page.heard
		page.says <- "dno BIOS"
	}()
	if _, err := slot.SwitchOn(ctx, "x.state", ""); err == nil || !strings.Contains(err.Error(), "no BIOS") {
		t.Error(err)
	}
	close(page.gone)
	<-held
}
