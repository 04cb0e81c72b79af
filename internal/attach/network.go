package attach

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/lan"
)

// Drawing is how the machines of a lab are wired.
type Drawing struct {
	Networks []string       `json:"networks"`
	Machines []DrawnMachine `json:"machines"`
}

// DrawnMachine is a machine with its network cards.
type DrawnMachine struct {
	Name  string      `json:"name"`
	On    bool        `json:"on"`
	Cards []DrawnCard `json:"cards"`
}

// DrawnCard is a network card, with the cable to its network.
type DrawnCard struct {
	Name      string   `json:"name"` // as its guest calls it, where that is known
	MAC       string   `json:"mac"`
	Network   string   `json:"network"`   // empty for the uplink
	Uplink    bool     `json:"uplink"`    // it leads out of the lab
	Plugged   bool     `json:"plugged"`   // its cable is in
	Addresses []string `json:"addresses"` // IPv4, as far as the switch has heard of them, the latest first
}

// drawn and passed are the lines that Network has told.
type drawn struct {
	Kind string `json:"kind"` // drawing
	Drawing
}

type passed struct {
	Kind    string   `json:"kind"` // packets
	Network string   `json:"network"`
	Packets []packet `json:"packets"`
	More    uint64   `json:"more"` // how many came before these that are not told
}

type packet struct {
	Number   uint64    `json:"n"` // in the capture, from 1
	Time     time.Time `json:"time"`
	Card     string    `json:"card"` // by which the lab's network had it: MACHINE/CARD
	From     string    `json:"from"`
	To       string    `json:"to"`
	Protocol string    `json:"protocol"`
	Info     string    `json:"info"`
	Bytes    int       `json:"bytes"`
}

// drawEvery is the least time between two drawings: much may change at once.
const drawEvery = 200 * time.Millisecond

// network tells how the lab is wired, whenever that changes, and what crosses its
// networks, until the machines are gone.
func (s *Server) network(conn *net.UnixConn) {
	ctx, release := s.there(conn)
	defer release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.viewing, cancel)()
	t := &teller{conn: conn, ended: s.viewing, last: sync.OnceValue(func() time.Time {
		return time.Now().Add(lastPatience)
	})}
	defer context.AfterFunc(s.viewing, t.hurry)()
	drawing, _ := s.lab.Drawing()
	var telling sync.WaitGroup
	for _, name := range drawing.Networks {
		telling.Go(func() {
			defer cancel()
			s.lab.Packets(ctx, name, func(packets []lan.Packet, skipped uint64) error {
				return t.line(told(name, packets, skipped))
			})
		})
	}
	telling.Go(func() {
		defer cancel()
		s.draw(ctx, t)
	})
	telling.Wait()
	t.over()
}

// draw tells how the lab is wired, and again when that has changed.
func (s *Server) draw(ctx context.Context, t *teller) {
	var last []byte
	pause := time.NewTicker(drawEvery)
	defer pause.Stop()
	for {
		drawing, changed := s.lab.Drawing()
		line, err := json.Marshal(drawn{"drawing", drawing})
		if err == nil && !bytes.Equal(line, last) {
			if last = line; t.line(json.RawMessage(line)) != nil {
				return
			}
		}
		if !waits(ctx, changed) || !waits(ctx, pause.C) {
			return
		}
	}
}

// waits waits for c, and reports whether that came before the end of ctx.
func waits[T any](ctx context.Context, c <-chan T) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

func told(network string, packets []lan.Packet, skipped uint64) passed {
	p := passed{Kind: "packets", Network: network, Packets: make([]packet, 0, len(packets)), More: skipped}
	for _, of := range packets {
		p.Packets = append(p.Packets, packet{
			Number: of.Number, Time: of.Time, Card: of.Port, From: of.From(), To: of.To(),
			Protocol: of.Protocol, Info: of.Summary(), Bytes: of.Size,
		})
	}
	return p
}

// capture sends what was captured of a network until now.
func (s *Server) capture(conn *net.UnixConn, network string) {
	drawing, _ := s.lab.Drawing()
	if !slices.Contains(drawing.Networks, network) {
		text := fmt.Sprintf("there is no network called %q: there are %s",
			cut(network, longestTitle), strings.Join(drawing.Networks, ", "))
		writeJSON(conn, frameAnswer, answer{Error: "refused", Text: cut(text, longestText)})
		return
	}
	file, err := s.lab.Capture(network)
	if err != nil {
		writeJSON(conn, frameAnswer, answer{Error: "refused", Text: cut(err.Error(), longestText)})
		return
	}
	defer file.Close()
	if writeJSON(conn, frameAnswer, answer{}) != nil {
		return
	}
	t := &teller{conn: conn, ended: s.ctx, last: time.Now}
	for part := make([]byte, longestFrame); ; {
		n, err := io.ReadFull(file, part)
		if n > 0 && t.send(frameOutput, part[:n]) != nil {
			return
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			t.over()
			return
		default: // the client hears no end
			return
		}
	}
}

// Network has told how the lab of the run whose session folder is given is wired, first and
// whenever that changes, and what crosses its networks as it comes, after the newest of
// what came before: JSON objects, to be read before tell returns. {"kind":"drawing", …} has
// the fields of Drawing; {"kind":"packets","network":…} has "packets", each with its
// number n in the capture, time, card, from, to, protocol, info and bytes, and in "more" how
// many crossed before these and are not told. It returns when the machines are gone, or
// with tell's error. Whoever is slow misses packets and holds nobody up.
func Network(ctx context.Context, folder string, tell func(line []byte) error) error {
	return hear(ctx, folder, request{Op: "network"}, func(conn net.Conn) error { return follow(conn, longestLine, tell) })
}

// Capture writes what has crossed a network of the run whose session folder is given until
// now, as a pcapng file. A *RefusedError says that there is no such network, or nothing yet.
func Capture(ctx context.Context, folder, network string, to io.Writer) error {
	return hear(ctx, folder, request{Op: "capture", Network: network}, func(conn net.Conn) error {
		return frames(conn, frameOutput, func(part []byte) error {
			_, err := to.Write(part)
			return err
		})
	})
}
