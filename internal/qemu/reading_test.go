package qemu

import (
	"bytes"
	"flag"
	"fmt"
	picture "image"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/screen"
)

// A few are enough to notice that something broke; the long runs are in docs/performance.md.
var (
	screens = flag.Int("screens", 40, "how many screens are read beside the card's memory")
	lines   = flag.Int("lines", 3, "how many lines of 63 letters are typed at a screen")
)

// confetti fills the screen with characters and colours that look random, again and again, and puts the
// cursor anywhere.
var confetti = sectorOf(
	0xb8, 0x00, 0xb8, 0x8e, 0xc0, // mov ax, 0xb800; mov es, ax
	0x31, 0xff, 0xb9, 0xd0, 0x07, // each screen: xor di, di; mov cx, 2000
	0xb8, 0x55, 0x62, 0xf7, 0xe3, // each cell: mov ax, 25173; mul bx
	0x05, 0x19, 0x36, 0x89, 0xc3, // add ax, 13849; mov bx, ax
	0x30, 0xd0, 0xab, 0xe2, 0xf1, // xor al, dl; stosw; loop
	0xba, 0xd4, 0x03, // mov dx, 0x3d4: the card's registers
	0xb0, 0x0f, 0x88, 0xdc, 0xef, // mov al, 15; mov ah, bl; out dx, ax: where the cursor is
	0xb0, 0x0e, 0x88, 0xfc, 0x80, 0xe4, 0x07, 0xef, // mov al, 14; mov ah, bh; and ah, 7; out dx, ax
	0xeb, 0xda, // jmp to the next screen
)

// sectorOf makes a floppy's first sector of a program.
func sectorOf(code ...byte) []byte {
	return append(append(code, make([]byte, 510-len(code))...), 0x55, 0xaa)
}

// startFloppy starts a machine that boots a floppy with a sector.
func startFloppy(t *testing.T, sector []byte) *Process {
	t.Helper()
	disk := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(disk, append(slices.Clone(sector), make([]byte, 1440<<10-512)...), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Start(limited(t), Spec{
		Name: "floppy", Memory: 32, CPUs: 1, Accel: TCG, Disk: disk, DiskFormat: "raw", Medium: "floppy", Display: "vga",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// font is the one in a guest's ROM.
func font(t *testing.T, p *Process) *screen.Font {
	t.Helper()
	for {
		rom, err := p.ReadMemory(limited(t), 0xc0000, 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := screen.FindFont(rom); err == nil {
			return f
		}
	}
}

// read reads what stands on a machine's screen now.
func read(t *testing.T, p *Process, f *screen.Font) *screen.Text {
	t.Helper()
	dump, err := p.Screenshot(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	picture, err := screen.DecodePPM(dump)
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.Read(picture)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What a screen shows is read cell by cell as it lies in the card's memory, whatever stands there.
func TestReadScreens(t *testing.T) {
	if testing.Short() {
		t.Skip("runs QEMU: run without -short")
	}
	p := startFloppy(t, confetti)
	f := font(t, p)
	var memory []byte
	different, cursors, wrong, took := 0, 0, 0, time.Duration(0)
	for different < *screens {
		if err := p.Pause(limited(t)); err != nil {
			t.Fatal(err)
		}
		before := memory
		var err error
		if memory, err = p.ReadMemory(limited(t), 0xb8000, 4000); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		text := read(t, p, f)
		took += time.Since(began)
		if err := p.Continue(limited(t)); err != nil {
			t.Fatal(err)
		}
		if slices.Equal(before, memory) || bytes.Count(memory, []byte{7}) > 1000 || memory[0] == 0xff || text.Rows != 25 { // the BIOS is at work
			continue
		}
		different++
		if text.Cursor != screen.NoCursor {
			cursors++
		}
		wrong += compare(t, different, text, memory)
	}
	t.Logf("%d different screens, %d of them with the cursor: %d wrong cells; %v each from the question to the text",
		different, cursors, wrong, took/time.Duration(different))
}

// printer prints lines, colours and a cursor that look random at Linux's console, so that it scrolls, tells on the
// second serial port what the kernel has on that console, cell by cell, and waits for a line there.
const printer = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
exec </dev/tty1 >/dev/tty1 2>&1
/bin/busybox stty raw -echo clocal -F /dev/ttyS1
exec 3<>/dev/ttyS1
i=0
while :; do
  i=$((i + 1)) lines=$((RANDOM % 60)) j=0
  while [ $j -lt $lines ]; do
    j=$((j + 1))
    printf '%d %d \033[%d;%dm%d\033[m \033[1m%d\033[7m%d\033[m\n' $i $j $((30 + RANDOM % 8)) $((40 + RANDOM % 8)) $RANDOM $RANDOM $RANDOM
  done
  printf 'screen %d# ' $i
  [ $((RANDOM % 4)) -gt 0 ] || printf '\033[%d;%dH' $((RANDOM % 25)) $((RANDOM % 80))
  /bin/busybox cat /dev/vcsa1 >&3
  read -r line <&3
done
`

// On Linux's console, which scrolls by moving the card's window over its memory, what is read is what the kernel says.
func TestReadLinuxsScreens(t *testing.T) {
	debian := cached(t, "debian-tty")
	initrd, err := os.ReadFile(debian.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(path, append(initrd, archive("printer", printer)...), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Start(limited(t), Spec{
		Name: "linux", Memory: 128, CPUs: 1, Accel: TCG, Display: "vga", Control: true,
		Kernel: debian.Kernel, Initrd: path, Cmdline: "console=tty1 rdinit=/printer quiet",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	said := make([]byte, 4+4000) // rows, columns, the cursor's column and row, then characters and colours
	cursors, wrong := 0, 0
	var f *screen.Font
	for n := range *screens {
		if _, err := io.ReadFull(p.Control(), said); err != nil {
			t.Fatal(err)
		}
		if f == nil {
			f = font(t, p)
		}
		text := read(t, p, f)
		if text.Cursor != screen.NoCursor {
			if cursors++; text.Cursor != picture.Pt(int(said[2]), int(said[3])) {
				t.Errorf("screen %d: the cursor is read at %v, the kernel has it at %d,%d", n, text.Cursor, said[2], said[3])
			}
		}
		wrong += compare(t, n, text, said[4:])
		if _, err := p.Control().Write([]byte("\n")); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d screens, %d of them with the cursor: %d wrong cells", *screens, cursors, wrong)
}

// archive is a file as an initramfs has it (cpio's format newc), executable.
func archive(name, content string) []byte {
	var b bytes.Buffer
	for _, file := range []struct {
		name, content string
		mode          int
	}{{name, content, 0o100755}, {"TRAILER!!!", "", 0}} {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			0, file.mode, 0, 0, 1, 0, len(file.content), 0, 0, 0, 0, len(file.name)+1, 0, file.name)
		b.Write(make([]byte, -b.Len()&3))
		b.WriteString(file.content)
		b.Write(make([]byte, -b.Len()&3))
	}
	return b.Bytes()
}

// compare tells the cells that are not read as a card has them: each a character and a byte of colours.
func compare(t *testing.T, n int, text *screen.Text, memory []byte) (wrong int) {
	t.Helper()
	for i, got := range text.Cells {
		want := screen.Cell{Rune: codePage[memory[2*i]], Foreground: memory[2*i+1] & 15, Background: memory[2*i+1] >> 4}
		underCursor := i == text.Cursor.Y*text.Columns+text.Cursor.X && strings.ContainsRune(" _gq", want.Rune)
		if !looksLike(want, got) && !underCursor {
			if wrong++; wrong < 5 {
				t.Errorf("screen %d, column %d, row %d (cursor %v): read %q %v, in memory %q %v",
					n, i%text.Columns, i/text.Columns, text.Cursor, got.Rune, got, want.Rune, want)
			}
		}
	}
	return wrong
}

var codePage = []rune("\x00☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼ !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_" +
	"`abcdefghijklmnopqrstuvwxyz{|}~⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
	"└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0")

// looksLike reports whether two cells cannot be told from each other: all of one colour, or opposites with the
// colours exchanged.
func looksLike(a, b screen.Cell) bool {
	plain := func(c screen.Cell) (colour uint8, yes bool) {
		switch {
		case c.Rune == ' ' || c.Rune == 0 || c.Rune == 0xa0 || c.Foreground == c.Background:
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
	opposites := []rune("▄▀▌▐•◘○◙")
	i := slices.Index(opposites, a.Rune)
	return a == b || i >= 0 && opposites[i^1] == b.Rune && a.Foreground == b.Background && a.Background == b.Foreground
}

// What is typed as fast as it can be arrives, and its echo is read from the screen.
func TestTypeAtAScreen(t *testing.T) {
	if testing.Short() {
		t.Skip("runs QEMU: run without -short")
	}
	p := startFloppy(t, typewriter)
	f := font(t, p)
	typed, keyboard, random := ">", screen.Keyboard{}, rand.New(rand.NewPCG(63, 1))
	shows := func() {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			now := written(read(t, p, f))
			if strings.HasSuffix(now, typed[max(0, len(typed)-1000):]) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("typed %s\nthe screen shows\n%s", typed, now)
			}
		}
	}
	shows()
	var took time.Duration
	for range *lines {
		line := make([]byte, 63)
		for i := range line {
			line[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[random.IntN(62)]
		}
		typed += string(line)
		strokes, err := keyboard.Strokes(line)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.PressKeys(limited(t), strokes); err != nil {
			t.Fatal(err)
		}
		shows()
		took += time.Since(began)
	}
	var each []time.Duration
	for range 20 {
		typed += "x"
		began := time.Now()
		if err := p.Command(limited(t), "send-key", map[string]any{
			"keys": []map[string]string{{"type": "qcode", "data": "x"}}, "hold-time": keyHold.Milliseconds(),
		}, nil); err != nil {
			t.Fatal(err)
		}
		shows()
		each = append(each, time.Since(began))
	}
	slices.Sort(each)
	t.Logf("%d lines of 63 letters: all arrived, each within %v; a key until it is read: median %v, longest %v",
		*lines, took/time.Duration(*lines), each[len(each)/2], each[len(each)-1])
}

// written is a screen's text as one line.
func written(t *screen.Text) string {
	return strings.TrimSpace(strings.ReplaceAll(t.String(), "\n", ""))
}
