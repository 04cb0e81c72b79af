package screen_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"github.com/labrun/labrun/internal/screen"
	"github.com/labrun/labrun/internal/screen/screentest"
)

// A terminal is an emulator that a stream is replayed in.
type terminal struct {
	*vt.Emulator
	sent []byte // of the last step
}

func newTerminal(columns, rows int) *terminal {
	e := vt.NewEmulator(columns, rows)
	return &terminal{Emulator: e}
}

func (e *terminal) send(b []byte) {
	e.sent = b
	e.Write(bytes.ReplaceAll(b, []byte("\x1bE"), []byte("\r\n"))) // the emulator does not know ESC E, which VT100s do
}

// differs tells where the terminal does not show a text in its lines from top on; empty if it does.
func (e *terminal) differs(t *screen.Text, top int) string {
	for i, want := range t.Cells {
		x, y := i%t.Columns, i/t.Columns
		got := screen.Cell{Rune: ' ', Foreground: 7}
		if c := e.CellAt(x, y+top); c != nil {
			if c.Content != "" {
				got.Rune = []rune(c.Content)[0]
			}
			got.Foreground, got.Background = vga(c.Style.Fg, 7), vga(c.Style.Bg, 0)
		}
		if got.Rune == ' ' {
			got.Foreground = want.Foreground
		}
		if got != want {
			return fmt.Sprintf("column %d, row %d: the terminal shows %q %v, the screen %q %v\nsent %q\nterminal\n%s\nscreen\n%s",
				x, y, got.Rune, got, want.Rune, want, e.sent, e.String(), t)
		}
	}
	for y := range t.Rows {
		for x := t.Columns; x < e.Width(); x++ {
			if c := e.CellAt(x, y+top); c != nil && c.Content != "" && c.Content != " " {
				return fmt.Sprintf("column %d, row %d: the terminal shows %q beside the screen\nsent %q", x, y, c.Content, e.sent)
			}
		}
	}
	at := e.CursorPosition()
	if at.X == t.Columns {
		at.X-- // a wider terminal has a place behind a full row
	}
	if t.Cursor != screen.NoCursor && (at.X != t.Cursor.X || at.Y-top != t.Cursor.Y) {
		return fmt.Sprintf("the terminal's cursor is at %v, the screen's at %v\nsent %q\nscreen\n%s", at, t.Cursor, e.sent, t)
	}
	return ""
}

// seeds is how many random screens a test has, of many: in short mode, and so under the race detector, a few.
func seeds(many uint64) uint64 {
	if testing.Short() {
		return many/30 + 3
	}
	return many
}

// A larger terminal, in which something stands before, shows the screen somewhere below that, and a smaller one its lower part.
func TestATerminalOfAnotherSizeShowsTheScreen(t *testing.T) {
	for _, size := range []image.Point{{100, 40}, {81, 26}} {
		for seed := range seeds(20) {
			m, s, e := newMachine(seed), &screen.Stream{}, newTerminal(size.X, size.Y)
			e.send([]byte("$ labrun attach pc\r\n"))
			for step := range 100 {
				m.step()
				now := m.see()
				e.send(next(s, now))
				if now.Cursor == screen.NoCursor {
					continue
				}
				if d := e.differs(now, e.CursorPosition().Y-now.Cursor.Y); d != "" {
					t.Fatalf("%v, seed %d, step %d: %s", size, seed, step, d)
				}
			}
		}
	}
}

// Whoever comes late sees all of it from the next repainting on.
func TestATerminalThatComesLate(t *testing.T) {
	for seed := range seeds(20) {
		m, s := newMachine(seed), &screen.Stream{}
		for range 50 {
			m.step()
			next(s, m.see())
		}
		e, now := newTerminal(80, 25), m.see()
		e.send([]byte("$ labrun attach pc\r\n"))
		for range 50 {
			e.send(s.Repaint(now))
			if d := e.differs(now, 0); d != "" && now.Cursor != screen.NoCursor {
				t.Fatalf("seed %d: %s", seed, d)
			}
			m.step()
			now = m.see()
			e.send(next(s, now))
		}
	}
}

// vga is a terminal's colour as VGA numbers it.
func vga(c color.Color, otherwise uint8) uint8 {
	n, ok := c.(ansi.BasicColor)
	if !ok {
		return otherwise
	}
	return uint8(n&10 | n&1<<2 | n>>2&1)
}

// next is what a stream sends for a screen that stays as it is.
func next(s *screen.Stream, t *screen.Text) []byte {
	sent := s.Next(t)
	for s.Unsettled() {
		sent = append(sent, s.Next(t)...)
	}
	return sent
}

// A machine is a screen that something writes at, as a BIOS does.
type machine struct {
	*screen.Text
	random     *rand.Rand
	x, y       int
	foreground uint8
	background uint8
}

func newMachine(seed uint64) *machine {
	return &machine{Text: screentest.Text(), random: rand.New(rand.NewPCG(seed, 1)), foreground: 7}
}

func (m *machine) write(text string) {
	for _, r := range text {
		switch r {
		case '\r':
			m.x = 0
		case '\n':
			m.x = 0
			m.down()
		case '\b':
			m.x = max(0, m.x-1)
		default:
			if m.x == m.Columns {
				m.x = 0
				m.down()
			}
			m.Cells[m.y*m.Columns+m.x] = m.cell(r)
			m.x++
		}
	}
}

func (m *machine) cell(r rune) screen.Cell {
	c := screen.Cell{Rune: r, Foreground: m.foreground, Background: m.background}
	if r == ' ' {
		c.Foreground = 7
	}
	return c
}

func (m *machine) down() {
	if m.y++; m.y < m.Rows {
		return
	}
	m.y--
	empty := slices.Repeat([]screen.Cell{{Rune: ' ', Foreground: 7}}, m.Columns)
	m.Cells = append(m.Cells[m.Columns:], empty...)
}

// see is the screen as it is now; the cursor is in it half of the time.
func (m *machine) see() *screen.Text {
	t := *m.Text
	t.Cells = slices.Clone(m.Cells)
	t.Cursor = screen.NoCursor
	if m.random.IntN(2) == 0 {
		t.Cursor = image.Pt(min(m.x, m.Columns-1), m.y)
	}
	return &t
}

const letters = "abcdefghijklm nopqrstuvwxyz.│─╔█▄ ≈é☺#$0123456789"

func (m *machine) word(longest int) string {
	all := []rune(letters)
	out := make([]rune, m.random.IntN(longest))
	for i := range out {
		out[i] = all[m.random.IntN(len(all))]
	}
	return string(out)
}

// step does something to the screen, as programs do.
func (m *machine) step() {
	n := m.random.IntN
	switch n(14) {
	case 0, 1, 2, 3:
		m.write(m.word(30))
	case 4, 5, 6:
		m.write(m.word(100) + "\n")
	case 7:
		m.write(strings.Repeat("\b \b", n(4)))
	case 8:
		for range n(40) {
			m.write(m.word(60) + "\n")
		}
	case 9:
		m.foreground, m.background = uint8(n(16)), uint8(n(3)*n(8))
	case 10:
		m.foreground, m.background = 7, 0
	case 11: // cells change anywhere
		for range n(20) {
			m.Cells[n(len(m.Cells))] = m.cell([]rune(letters)[n(40)])
		}
	case 12: // a part of a row is wiped out
		at := n(len(m.Cells))
		for i := at; i < min(at+n(90), len(m.Cells)); i++ {
			m.Cells[i] = screen.Cell{Rune: ' ', Foreground: 7}
		}
	case 13:
		switch n(4) {
		case 0:
			m.Cells, m.x, m.y = screentest.Text().Cells, 0, 0
		case 1:
			m.x, m.y = n(m.Columns), n(m.Rows)
		}
	}
}

func TestATerminalShowsTheScreen(t *testing.T) {
	for seed := range seeds(300) {
		m, s, e := newMachine(seed), &screen.Stream{}, newTerminal(80, 25)
		for step := range 100 {
			m.step()
			if m.random.IntN(3) == 0 {
				continue // nobody looks
			}
			now := m.see()
			e.send(next(s, now))
			if d := e.differs(now, 0); d != "" {
				t.Fatalf("seed %d, step %d: %s", seed, step, d)
			}
			if again := s.Next(now); len(again) > 0 {
				t.Fatalf("seed %d, step %d: the same screen again sends %q", seed, step, again)
			}
		}
	}
}

// A screen that is full, and as it was before the line that was entered, has scrolled.
func TestAScreenThatIsAsItWas(t *testing.T) {
	m, s, e := newMachine(1), &screen.Stream{}, newTerminal(80, 25)
	for n := range 40 {
		m.write(fmt.Sprintf("line %d\n", n))
	}
	m.write("> ")
	before := m.see()
	e.send(next(s, before))
	m.write("lines")
	e.send(next(s, m.see()))
	s.Entered()
	if sent := next(s, before); !strings.Contains(string(sent), screen.Lost) {
		t.Errorf("sent %q", sent)
	} else if e.send(sent); e.differs(before, 0) != "" {
		t.Error(e.differs(before, 0))
	}
	m.write("x")
	e.send(next(s, m.see()))
	if sent := string(next(s, before)); strings.Contains(sent, screen.Lost) {
		t.Errorf("what was wiped out again is sent as %q", sent)
	}
}
