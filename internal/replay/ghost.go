package replay

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/lab"
)

// How long a ghost waits for what does not come. None of these is waited for where all goes as
// it did then; on a busy computer a machine may well stand still for a while.
const (
	look = 40 * time.Millisecond // between two looks at the consoles

	settled     = 250 * time.Millisecond // unchanged: a console that waits as it did then is at rest
	settledElse = 1500 * time.Millisecond
	quiet       = 12 * time.Second // unchanged: a console has no more to say, whatever it said then

	longestPause = 5 * time.Second // of the student's between two acts that the ghost makes, too, before a word

	patience  = time.Minute      // nothing moves: what was waited for does not come
	lostFaith = 10 * time.Second // the same, after the first time
	longest   = 20 * time.Minute // nothing is asked: labrun, too, may be stuck

	// The same where the machines have nothing to do, so that it is not the computer that is slow.
	restPatience  = 15 * time.Second
	restLostFaith = 5 * time.Second

	slower = 10 // times as long is waited where the computer has no time for a machine

	slowKey      = 250 * time.Millisecond // a program prints nothing for a key
	passwordLost = 6 * time.Second        // nothing is said to a password: the guest has dropped it
)

// mostMissed is after how many acts whose turn does not come, one after the other, the ghost
// goes.
const mostMissed = 4

// A Parting is where the run went another way than the student's.
type Parting struct {
	Run     int    // counted from 1
	Line    int    // of the run's events: what the student did there
	Step    int    // counted from 1; 0: before the first
	Console string // empty: none
	Why     string // one sentence
}

// ghost is the student of a run that is played again.
type ghost struct {
	score    *score
	dialogue *guide.Dialogue
	lab      *lab.Lab
	events   *event.Log
	copy     *copyist
	note     func(a act, why string)

	seats map[string]*seat
	acted time.Time // when something was done last

	mu       sync.Mutex
	progress progress
	moved    time.Time // when something was told last
}

// seat is where the ghost types.
type seat struct {
	*attach.Seat
	station lab.Station

	// Since when the console is unchanged, and what its machine had lost by then.
	work  effort
	since time.Time
	lost  time.Duration

	prompted *console.Console // it has shown a prompt

	mu   sync.Mutex
	boot int // of what is shown there

	// What was typed there last:
	console *console.Console
	printed int64
	at      time.Time
}

// meet has a ghost be the student of a run, until leave is called.
func (g *ghost) meet(ctx context.Context, d *guide.Dialogue, l *lab.Lab) (leave func()) {
	g.dialogue, g.lab, g.seats = d, l, map[string]*seat{}
	g.progress, g.moved = progress{score: g.score, at: -1}, time.Now()
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for r := range g.events.Follow(ctx) {
			g.mu.Lock()
			before := g.progress.events
			g.progress.follow(r.Event)
			if g.progress.events > before {
				g.moved = time.Now()
			}
			g.mu.Unlock()
			g.copy.hear(r.Event)
		}
	})
	tasks.Go(func() {
		defer func() {
			for _, s := range g.seats {
				s.Close()
			}
		}()
		if g.sit(ctx, &tasks) == nil {
			g.play(ctx)
		}
		d.Command(ctx, guide.Command{Word: "quit"}) // who plays to the end has no need of it
	})
	return func() {
		cancel()
		tasks.Wait()
	}
}

// sit takes a seat at each console.
func (g *ghost) sit(ctx context.Context, tasks *sync.WaitGroup) error {
	for _, station := range g.lab.Stations() {
		taken, err := attach.Sit(ctx, g.lab.Session(), station.Name(), attach.SeatOptions{})
		if err != nil {
			return err
		}
		s := &seat{Seat: taken, station: station}
		g.seats[station.Name()] = s
		tasks.Go(func() {
			for {
				said, err := s.Next()
				if err != nil {
					return
				}
				if said.Boot != 0 {
					s.mu.Lock()
					s.boot = said.Boot
					s.mu.Unlock()
				}
			}
		})
	}
	return nil
}

// play does what the student did, and returns when all is done that was done then, or nothing
// goes on as it did.
func (g *ghost) play(ctx context.Context) {
	missed := 0
	for _, a := range g.score.acts {
		switch g.await(ctx, a, missed > 0) {
		case doIt:
			missed = 0
			g.do(ctx, a)
			g.acted = time.Now()
		case leaveOut:
		case never:
			if missed++; missed >= mostMissed {
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
	end := act{cue: len(g.score.cues) - 1}
	g.await(ctx, end, missed > 0)
}

// What becomes of an act.
const (
	doIt     = iota
	leaveOut // it has lost its point: what it led to has come without it
	never    // its turn does not come
)

// await waits until an act's turn has come, and what it is done to waits for it.
func (g *ghost) await(ctx context.Context, a act, again bool) int {
	limit, restLimit := patience+2*a.pause, restPatience+2*a.pause
	if again {
		limit, restLimit = lostFaith, restLostFaith
	}
	began := time.Now()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		g.mu.Lock()
		now, late := g.progress.comes(a)
		still := g.moved
		g.mu.Unlock()
		asked := g.dialogue.Snapshot().Asked
		if now {
			switch {
			case a.word != nil && (a.asked == "" || asked != nil && (asks(*asked) == a.asked || a.word.Word == "redo")):
				// To begin a step again is about no instruction of its.
				if g.calm() && time.Since(g.acted) >= min(a.pause, longestPause) {
					return doIt
				}
			case a.word != nil && late && asked != nil && time.Since(still) > quiet:
				g.note(a, fmt.Sprintf("the student said %q, and what that was about was over", a.word.Word))
				return leaveOut
			case a.keys != nil:
				if what := g.waits(a, late, began); what >= 0 {
					return what
				}
			case a.word == nil && a.keys == nil && g.calm():
				return doIt
			}
		}
		for _, s := range g.seats {
			c, err := s.station.Console()
			if err == nil && c.LastByte().After(still) {
				still = c.LastByte()
			}
			if err == nil && s.starts(c) && s.work.busy.After(still) {
				still = s.work.busy // it says nothing for long, and is at work
			}
		}
		if began.After(still) {
			still = began
		}
		idle, rest := time.Since(still), g.rest(asked)
		if asked != nil && (idle > limit || min(idle, rest) > restLimit) || idle > longest {
			g.note(a, g.lacks(a, asked, now))
			return never
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return never
		}
	}
}

// effort is what a machine has done up to some moment.
type effort struct {
	at, busy         time.Time // of the last look; when it was more than a machine at rest does
	computed, waited time.Duration
	lost             time.Duration // in which the computer had no processor for it
}

// look takes in what a machine has done since the last look.
func (e *effort) look(m *lab.Machine) {
	now := time.Now()
	past := now.Sub(e.at)
	if past < time.Second {
		return
	}
	computed, waited, known := m.Work()
	ran, stood := computed-e.computed, waited-e.waited
	switch {
	case !known || e.at.IsZero() || ran < 0 || stood < 0:
		e.busy = now
	case ran+stood > past/16: // a machine at rest does a few per cent
		e.busy = now
		e.lost += time.Duration(float64(past) * float64(stood) / float64(ran+stood))
	}
	e.at, e.computed, e.waited = now, computed, waited
}

// rest is since when none of the machines that are on has anything to do; 0 where one is to be
// switched on, which is the computer's work.
func (g *ghost) rest(asked *event.Instructed) time.Duration {
	if asked != nil && asked.Verb == "boot" {
		return 0
	}
	least := longest
	for _, s := range g.seats {
		if _, err := s.station.Console(); err == nil {
			s.work.look(s.station.Machine())
			least = min(least, time.Since(s.work.busy))
		}
	}
	return least
}

// stood reports whether a console has not changed for a while of its machine's own time: on a busy
// computer that is longer than the clock's.
func (s *seat) stood(since time.Time, while time.Duration) bool {
	s.work.look(s.station.Machine())
	if !s.since.Equal(since) {
		s.since, s.lost = since, s.work.lost
	}
	unchanged := time.Since(since)
	return unchanged-(s.work.lost-s.lost) >= while || unchanged >= slower*while
}

// starts reports whether a machine that shows prompts has shown none since it was switched on.
func (s *seat) starts(c *console.Console) bool {
	if prompts(c.At()) {
		s.prompted = c
	}
	return s.prompted != c && s.station.Machine().Profile().Console.LoginPrompt != nil
}

// calm reports whether what was typed has had its effect, as far as the consoles tell: a word
// such as check or leave is about that.
func (g *ghost) calm() bool {
	for _, s := range g.seats {
		c, err := s.station.Console()
		if err == nil && s.console == c && min(time.Since(s.at), time.Since(c.LastByte())) < 2*settled {
			return false
		}
	}
	return true
}

// waits says whether a console waits for an act's keys as it did then; -1: not yet. Mostly it
// ends in the same prompt. Where a program was at work that shows none, it has to have printed
// as much, or to have nothing more to say.
func (g *ghost) waits(a act, late bool, began time.Time) int {
	s, ok := g.seats[a.keys.Console]
	if !ok {
		g.note(a, "the student typed at a console that there is not")
		return leaveOut
	}
	c, err := s.station.Console()
	switch {
	case a.keys.Off && err != nil:
		return doIt
	case a.keys.Off:
		if time.Since(began) > settledElse {
			return leaveOut // it is on
		}
		return -1
	case err != nil:
		return -1
	}
	at, printed := c.At(), c.Printed()
	s.mu.Lock()
	seen := s.boot
	s.mu.Unlock()
	if printed > 0 && seen != int(c.ID()) {
		return -1 // who sits there has not heard of this start yet
	}
	since, output := c.LastByte(), printed
	if s.console == c {
		if s.at.After(since) {
			since = s.at
		}
		output -= s.printed
	}
	unchanged := time.Since(since)
	// How much of the echo of what was typed before was there by then is chance.
	enough := output >= a.output*9/10-a.echo
	rest := min(settled, max(look, a.pause/2)) // nobody types faster than the student did
	same := loose(at) == loose(a.keys.At)
	switch {
	case same && at != "" && unchanged >= rest && (output > 0 || a.output == 0 || s.console != c):
		return doIt
	case same && at == "" && enough && unchanged >= rest:
		return doIt
	case alike(at, a.keys.At) && output > 0 && (enough && unchanged >= 2*settled || unchanged >= settledElse):
		return doIt // a prompt, but the folder, or the host's name, is another one
	case unchanged < settledElse && enough && a.keys.At != "" && !prompts(a.keys.At) && time.Since(began) >= max(a.pause, settledElse):
		return doIt // a screen that moves, as a game's, never is as it was
	case unchanged < settledElse && !(enough && time.Since(began) > quiet):
		return -1
	case asksLogin(a.keys.At) != asksLogin(at):
		return g.elsewhere(a, s, c, since)
	case late && same && at != "", enough && a.keys.At == "" && !late, time.Since(began) >= min(a.pause, time.Minute) && s.stood(since, quiet):
		return doIt
	case enough && s.stood(since, 2*settledElse):
		return doIt
	}
	return -1
}

// elsewhere is waits where a name or a password was typed and none is asked for, or the other
// way round: they are typed nowhere else, and nothing else there.
func (g *ghost) elsewhere(a act, s *seat, c *console.Console, since time.Time) int {
	while, at := quiet/3, c.At()
	if !prompts(at) {
		while = 2 * quiet // a machine that starts is silent for long, and may be at rest meanwhile
	}
	switch {
	case !s.stood(since, while), s.starts(c) && time.Since(s.work.busy) < quiet:
		return -1
	case a.early:
		return doIt // nobody asks for a password here: it was something else
	}
	g.note(a, fmt.Sprintf("the student typed at %q, and %s is at %q", a.keys.At, a.keys.Console, at))
	return leaveOut
}

// alike reports whether two last lines end as prompts of one shell do.
func alike(a, b string) bool {
	end := func(at string) string { return at[max(0, len(at)-2):] }
	return end(a) == end(b) && prompts(a) && !asksLogin(a)
}

// prompts reports whether a last line ends as a prompt does, be it a shell's or one for a name.
func prompts(at string) bool {
	return asksLogin(at) || strings.ContainsAny(at[max(0, len(at)-2):], "#$%>")
}

// lacks says why an act's turn has not come.
func (g *ghost) lacks(a act, asked *event.Instructed, now bool) string {
	what := "the student's run went on"
	switch {
	case a.word != nil:
		what = fmt.Sprintf("the student said %q", a.word.Word)
	case a.keys != nil:
		what = fmt.Sprintf("the student typed %.60q at %q", a.keys.Keys, a.keys.At)
	}
	switch {
	case now && a.keys != nil:
		return what + ", and the console does not come to that"
	case asked != nil && asked.Say != "":
		return what + ", and here it is not yet so far: " + asked.Say
	case a.cue >= 0:
		return what + ", and here it is not yet so far: " + g.score.cues[a.cue].key
	}
	return what + ", and here it is not yet so far"
}

// do does what the student did.
func (g *ghost) do(ctx context.Context, a act) {
	if a.word != nil {
		// What is refused was refused then, or shows in what comes of it.
		g.dialogue.Command(ctx, guide.Command{Word: a.word.Word, Text: a.word.Text})
		return
	}
	s := g.seats[a.keys.Console]
	keys := g.copy.keys(*a.keys, a.time)
	c, err := s.station.Console()
	s.console = nil
	if err == nil {
		s.console, s.printed = c, c.Printed()
	}
	edited := strings.ContainsFunc(strings.TrimSuffix(keys, "\r"), control)
	if err == nil && !asksPassword(a.keys.At) && len(keys) <= mostSingle && (edited || c.Waiting() == console.NoPrompt) {
		g.typeSingly(ctx, s, c, keys)
		return
	}
	for range 3 {
		s.at = time.Now()
		if s.Keys([]byte(keys)) != nil || err != nil || !asksPassword(a.keys.At) || !entered(keys) {
			return
		}
		for c.Printed() == s.printed && !s.stood(s.at, passwordLost) {
			select {
			case <-time.After(look):
			case <-ctx.Done():
				return
			}
		}
		if c.Printed() > s.printed {
			return
		}
	}
}

// key matches one key as terminals send them.
var key = regexp.MustCompile(`(?s)\x1b(?:\[[0-9;?]*[@-~]|O.)|.`)

// mostSingle is how many bytes somebody may type at a stretch; more were pasted.
const mostSingle = 200

// typeSingly types one key after the other, each when the one before it has shown its effect. An
// editor that reads several at once draws only what has come of all: then its screen would never
// be as the student saw it. And what a line is whose keys move and complete, its console shows
// when Enter comes, if it had the time for that.
func (g *ghost) typeSingly(ctx context.Context, s *seat, c *console.Console, keys string) {
	for _, one := range key.FindAllString(keys, -1) {
		before := c.Printed()
		s.at = time.Now()
		if s.Keys([]byte(one)) != nil {
			return
		}
		for drawn := false; !drawn && time.Since(s.at) < slowKey; {
			select {
			case <-time.After(look / 4):
			case <-ctx.Done():
				return
			}
			drawn = c.Printed() > before && time.Since(c.LastByte()) >= look/2
		}
	}
}
