//go:build linux

package fakeqemu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/screen"
	"github.com/labrun/labrun/internal/screen/screentest"
)

const columns, rows = 80, 25

// vga is a machine's screen and keyboard: what the guest prints on its console is drawn, as
// in VGA's text mode, and keys become what a terminal would send.
type vga struct {
	port *os.File // the other end of the guest's console

	mu    sync.Mutex // guards all below
	cells screenCells
	drawn screenCells // as the last picture has them
	last  []byte
}

// screenCells are what stands on the screen, and where the cursor is.
type screenCells struct {
	Text         [rows][columns]byte
	Column, Line int
}

// newVGA returns a screen, and what the guest has as its console.
func newVGA() (v *vga, console *os.File, err error) {
	ours, theirs, err := pair(unix.SOCK_STREAM)
	if err != nil {
		return nil, nil, err
	}
	v = &vga{port: ours}
	v.clear()
	return v, theirs, nil
}

// show draws what the guest prints, until it prints no more.
func (v *vga) show() {
	chunk := make([]byte, 4096)
	for {
		n, err := v.port.Read(chunk)
		if err != nil {
			return
		}
		v.mu.Lock()
		for _, b := range chunk[:n] {
			v.put(b)
		}
		v.mu.Unlock()
	}
}

// saved is what the screen shows.
func (v *vga) saved() screenCells {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cells
}

// restore has the screen show what was saved.
func (v *vga) restore(cells screenCells) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cells = cells
}

func (v *vga) clear() {
	for y := range v.cells.Text {
		v.cells.Text[y] = [columns]byte(bytes.Repeat([]byte{' '}, columns))
	}
	v.cells.Column, v.cells.Line = 0, 0
}

// put draws one character; the guest's programs send no others than these.
func (v *vga) put(b byte) {
	c := &v.cells
	switch {
	case b == '\r':
		c.Column = 0
	case b == '\b':
		c.Column = max(c.Column-1, 0)
	case b == '\n':
		c.Line++
	case b >= ' ':
		if c.Column == columns {
			c.Column = 0
			c.Line++
			v.scroll()
		}
		c.Text[c.Line][c.Column] = b
		c.Column++
	}
	v.scroll()
}

func (v *vga) scroll() {
	if c := &v.cells; c.Line == rows {
		copy(c.Text[:], c.Text[1:])
		c.Text[rows-1] = [columns]byte(bytes.Repeat([]byte{' '}, columns))
		c.Line--
	}
}

// picture is what the screen shows, as screendump writes it.
func (v *vga) picture() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	if cells := v.cells; v.last == nil || cells != v.drawn {
		v.drawn, v.last = cells, cells.draw()
	}
	return v.last
}

// draw makes a picture of the cells.
func (cells *screenCells) draw() []byte {
	t := &screen.Text{Columns: columns, Rows: rows, Cursor: image.Pt(min(cells.Column, columns-1), cells.Line)}
	for _, row := range cells.Text {
		for _, b := range row {
			t.Cells = append(t.Cells, screen.Cell{Rune: rune(b), Foreground: 7})
		}
	}
	return screentest.Picture(t)
}

// memory is a part of the guest's memory: the ROM of its graphics card, and else zeros.
func (v *vga) memory(at, size int) []byte {
	data := make([]byte, size)
	if at == 0xc0000 {
		copy(data, screentest.ROM())
	}
	if at <= 0x41a && at+size >= 0x41e { // the BIOS's ring of keys is empty
		binary.LittleEndian.PutUint16(data[0x41a-at:], 0x1e)
		binary.LittleEndian.PutUint16(data[0x41c-at:], 0x1e)
	}
	return data
}

// shifted are the characters on the keys of a US keyboard, without Shift and with it.
var unshifted, shifted = "`1234567890-=[]\\;',./", "~!@#$%^&*()_+{}|:\"<>?"

// names are the keys whose names are not their characters.
var names = map[string]byte{
	"spc": ' ', "ret": '\r', "tab": '\t', "backspace": 0x7f, "esc": 0x1b, "minus": '-', "equal": '=',
	"bracket_left": '[', "bracket_right": ']', "backslash": '\\', "semicolon": ';', "apostrophe": '\'',
	"grave_accent": '`', "comma": ',', "dot": '.', "slash": '/',
}

// press sends what a key, or several that are held together, stand for.
func (v *vga) press(keys []string) error {
	shift, ctrl := false, false
	for _, key := range keys {
		switch key {
		case "shift":
			shift = true
			continue
		case "ctrl":
			ctrl = true
			continue
		}
		b, known := names[key]
		if !known && len(key) == 1 {
			b, known = key[0], true
		}
		switch at := strings.IndexByte(unshifted, b); {
		case !known:
			return fmt.Errorf("invalid parameter '%s'", key)
		case ctrl:
			b &= 0x1f
		case shift && at >= 0:
			b = shifted[at]
		case shift && b >= 'a' && b <= 'z':
			b -= 'a' - 'A'
		}
		if _, err := v.port.Write([]byte{b}); err != nil {
			return err
		}
	}
	return nil
}

// dump writes into a file that QEMU was given.
func dump(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("failed to open file '%s': %w", name, err)
	}
	defer file.Close()
	_, err = file.Write(data)
	return err
}
