package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/markdown"
)

// longestWords bounds a message of the guide's page: an answer is a line.
const longestWords = 16 << 10

// mostSaid is how many words of one page may wait for the dialogue.
const mostSaid = 8

// guide carries the dialogue of a run between its door and a page.
func (s *Server) guide(w http.ResponseWriter, r *http.Request, v visitor, names []string) {
	watching, alone := s.say(r, "serve watching"), s.say(r, "serve alone")
	s.connect(w, r, v, names[0], func(l *link, run attach.Found) bridge {
		g := &guided{link: l, run: run, readonly: !v.student, teacher: v.teacher, watching: watching, alone: alone}
		return bridge{longest: longestWords, hear: g.hear, speak: func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			if err := g.introduce(s.missionOf(ctx, run)); err != nil {
				return err
			}
			g.tasks.Go(func() { g.report(ctx, s.pace.status) })
			return attach.Events(ctx, run.Folder, g.tell)
		}}
	})
}

// guided is one page that shows a run's dialogue.
type guided struct {
	*link
	run      attach.Found
	readonly bool
	teacher  bool   // who may type at consoles while they are invited
	watching string // what somebody is told who only watches
	alone    string // what they are told where labrun plays by itself

	goal bool // the last instruction had one
	mu   sync.Mutex
	said int // words that wait for the dialogue
}

// introduce says what the run is, and of which mission in the list. The language is told by the
// run's own events.
func (g *guided) introduce(mission string) error {
	type machine struct {
		Name   string `json:"name"`
		Screen bool   `json:"screen"`
		// This page can hold it.
		Browser  bool                   `json:"browser"`
		Consoles []attach.ConsoleStatus `json:"consoles,omitempty"` // besides its own
	}
	machines := []machine{}
	for _, m := range g.run.Machines {
		machines = append(machines, machine{m.Name, m.Screen, m.Browser && !g.readonly, m.Consoles})
	}
	return g.say(map[string]any{
		"event": "session", "session": g.run.Session(), "mission": mission,
		"machines": machines, "readonly": g.readonly, "teacher": g.teacher,
	})
}

// report says how the machines are, whenever that has changed.
func (g *guided) report(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var before []attach.MachineStatus
	for {
		if run, err := attach.At(ctx, g.run.Folder); err == nil && changed(before, run.Machines) {
			before = run.Machines
			if g.say(map[string]any{"event": "status", "machines": before}) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// changed reports whether machines differ in more than that time has passed.
func changed(before, now []attach.MachineStatus) bool {
	return !slices.EqualFunc(before, now, func(a, b attach.MachineStatus) bool {
		return a.Name == b.Name && a.On == b.On && a.Viewers == b.Viewers && a.Seconds <= b.Seconds
	})
}

// tell passes an event on.
func (g *guided) tell(line []byte) error {
	return g.conn.Write(g.ctx, websocket.MessageText, g.dress(line))
}

// dress adds HTML to an event's line where it has Markdown.
func (g *guided) dress(line []byte) []byte {
	var e struct {
		Event, Narration, Text, Goal string
		Markdown                     bool
	}
	if json.Unmarshal(line, &e) != nil {
		return line
	}
	text, field := "", ""
	switch {
	case e.Event == "step_started", e.Event == "translated":
		text, field = e.Narration, "narration_html"
	case e.Event == "instructed":
		g.goal = e.Goal != ""
		text, field = e.Goal, "goal_html"
	case e.Event == "told" && e.Markdown, e.Event == "said", e.Event == "hinted" && g.goal:
		text, field = e.Text, "text_html"
	}
	if text == "" {
		return line
	}
	html, err := json.Marshal(markdown.HTML(text))
	if err != nil {
		return line
	}
	return fmt.Appendf(bytes.TrimSuffix(line, []byte("}")), `,%q:%s}`, field, html)
}

// word is what a page says.
type word struct {
	ID   int    `json:"id"`
	Word string `json:"word"`
	Text string `json:"text"`
	For  int    `json:"for"`
}

// reply says whether a word was taken.
type reply struct {
	Event   string `json:"event"`
	ID      int    `json:"id"`
	Refused string `json:"refused,omitempty"`
}

// hear takes a word. It may wait for the dialogue, and the next ones do not wait for it.
func (g *guided) hear(ctx context.Context, _ websocket.MessageType, message []byte) error {
	var said word
	if err := json.Unmarshal(message, &said); err != nil {
		return err
	}
	if g.readonly {
		return g.say(reply{"reply", said.ID, g.watching})
	}
	g.atWork()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.said == mostSaid {
		return errors.New("too many words at once")
	}
	g.said++
	g.tasks.Go(func() { // speak may have ended already
		answer := reply{Event: "reply", ID: said.ID}
		if err := attach.CommandFor(ctx, g.run.Folder, said.For, said.Word, said.Text); err != nil {
			if answer.Refused = err.Error(); answer.Refused == attach.ErrNoStudent.Error() { // the door tells texts only
				answer.Refused = g.alone
			}
		}
		g.mu.Lock()
		g.said--
		g.mu.Unlock()
		g.say(answer) // who hung up does not need it
	})
	return nil
}
