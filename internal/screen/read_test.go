package screen_test

import (
	"errors"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/labrun/labrun/internal/screen"
	"github.com/labrun/labrun/internal/screen/screentest"
)

func font(t testing.TB) *screen.Font {
	t.Helper()
	f, err := screen.FindFont(screentest.ROM())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func picture(t testing.TB, text *screen.Text) *screen.Picture {
	t.Helper()
	p, err := screen.DecodePPM(screentest.Picture(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatIsDrawnIsRead(t *testing.T) {
	f := font(t)
	for seed := range uint64(50) {
		m := newMachine(seed)
		for range 40 {
			m.step()
		}
		want := m.see()
		if want.Cursor != screen.NoCursor { // the cursor covers what is under it: a sign of which it leaves enough
			want.Cells[want.Cursor.Y*80+want.Cursor.X] = screen.Cell{Rune: 'A', Foreground: 7}
		}
		got, err := f.Read(picture(t, want))
		if err != nil {
			t.Fatal(err)
		}
		if got.Unknown != 0 || got.Cursor != want.Cursor {
			t.Fatalf("seed %d: %d unknown cells, cursor at %v, want %v", seed, got.Unknown, got.Cursor, want.Cursor)
		}
		for i, w := range want.Cells {
			if g := got.Cells[i]; g != w && !looksLike(w, g) {
				t.Fatalf("seed %d: column %d, row %d: read %q %v, drawn %q %v", seed, i%80, i/80, g.Rune, g, w.Rune, w)
			}
		}
	}
}

// looksLike reports whether a cell is drawn as another is: all of one colour, or with the colours exchanged.
func looksLike(a, b screen.Cell) bool {
	plain := func(c screen.Cell) (uint8, bool) {
		switch {
		case c.Rune == ' ' || c.Foreground == c.Background:
			return c.Background, true
		case c.Rune == '█':
			return c.Foreground, true
		}
		return 0, false
	}
	x, xPlain := plain(a)
	y, yPlain := plain(b)
	if xPlain || yPlain {
		return xPlain && yPlain && x == y
	}
	i := slices.Index(opposites, a.Rune)
	return i >= 0 && opposites[i^1] == b.Rune && a.Foreground == b.Background && a.Background == b.Foreground
}

var opposites = []rune("▄▀▌▐•◘○◙")

func TestCellsThatHoldNothingKnown(t *testing.T) {
	p := picture(t, screentest.Text("ok ? ok"))
	random := rand.New(rand.NewPCG(1, 2))
	for y := range 16 { // a picture in the fourth cell
		for x := range 8 {
			copy(p.Pix[3*(y*p.Width+3*9+x):], []byte{byte(random.Uint32()), 1, 2})
		}
	}
	got, err := font(t).Read(p)
	if err != nil {
		t.Fatal(err)
	}
	if got.Row(0) != "ok \uFFFD ok" || got.Unknown != 1 {
		t.Errorf("read %q, %d unknown", got.Row(0), got.Unknown)
	}
}

// Cells may be 8 pixels wide, and a framebuffer need not end with whole cells.
func TestReadOtherSizes(t *testing.T) {
	text := screentest.Text("C:\\>dir", "12 files")
	drawn := picture(t, text)
	for _, size := range []image.Point{{640, 400}, {800, 600}, {1366, 768}} {
		p := &screen.Picture{Width: size.X, Height: size.Y, Pix: make([]byte, 3*size.X*size.Y)}
		for y := range drawn.Height {
			for column := range text.Columns {
				copy(p.Pix[3*(y*p.Width+8*column):][:3*8], drawn.Pix[3*(y*drawn.Width+9*column):])
			}
		}
		got, err := font(t).Read(p)
		if err != nil {
			t.Fatalf("%v: %v", size, err)
		}
		if got.Columns != size.X/8 || got.Rows != size.Y/16 || got.Row(0) != "C:\\>dir" || got.Row(1) != "12 files" || got.Cursor != text.Cursor {
			t.Errorf("%v: %d×%d, cursor at %v, want %v: %q, %q", size, got.Columns, got.Rows, got.Cursor, text.Cursor, got.Row(0), got.Row(1))
		}
	}
}

func TestGraphicsIsNoText(t *testing.T) {
	for _, size := range []image.Point{{720, 400}, {640, 400}, {640, 480}, {1024, 768}, {641, 479}} {
		p := &screen.Picture{Width: size.X, Height: size.Y, Pix: make([]byte, 3*size.X*size.Y)}
		random := rand.New(rand.NewPCG(1, 2))
		for i := range p.Pix {
			p.Pix[i] = byte(random.Uint32())
		}
		if text, err := font(t).Read(p); !errors.Is(err, screen.ErrGraphics) {
			t.Errorf("%v: read %v, %v", size, text, err)
		}
	}
}

func TestTheFontIsNotThereYet(t *testing.T) {
	if _, err := screen.FindFont(make([]byte, 64<<10)); !errors.Is(err, screen.ErrNoFont) {
		t.Errorf("the error is %v", err)
	}
}

func BenchmarkRead(b *testing.B) {
	f, m := font(b), newMachine(1)
	for range 200 {
		m.step()
	}
	p := picture(b, m.see())
	for b.Loop() {
		if _, err := f.Read(p); err != nil {
			b.Fatal(err)
		}
	}
}
