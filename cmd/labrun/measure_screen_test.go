//go:build measure

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/labrun/labrun/internal/labtest"
)

// TestMeasureScreen prints how long a key takes to a machine's screen, and back: in the page's picture and in labrun
// attach, in turns. It measures, and asserts nothing of speed.
func TestMeasureScreen(t *testing.T) {
	dir, file := labtest.TinyCache(t), filepath.Join(t.TempDir(), "monitor.star")
	if err := os.WriteFile(file, []byte(monitorLab), 0o644); err != nil {
		t.Fatal(err)
	}
	c := servesFrom(t, dir, "--lock", filepath.Join(dir, "images.lock"), file)
	p := open(t, chromium(t), "measure", c.url(), 1280, 800)
	p.click(`[data-do="start"]`)
	p.click(`[data-do="enter"]`)
	p.pictured("pc")
	p.waitsAt("pc", "tiny> ")

	terminal, printed, quiet := c.attached(t, "pc", pty.Winsize{Rows: 25, Cols: 80})
	// The picture has changed when noVNC has drawn another one, apart from the cursor, which blinks in the last rows of a
	// letter's place.
	value[bool](p, `(() => {
		window.took = []; let pressed = 0, before = 0;
		const canvas = () => document.querySelector('[data-picture="pc"] canvas');
		const letters = (c) => {
			const { data, width, height } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
			let lit = 0;
			for (let y = 0; y < height; y++) if (y & 8 ? (y & 15) < 12 : true) for (let x = 0; x < width; x++) if (data[4 * (y * width + x)]) lit++;
			return lit;
		};
		addEventListener("keydown", (event) => {
			if (event.target === canvas()) before = letters(canvas());
			pressed = performance.now();
		}, true);
		const { drawImage } = CanvasRenderingContext2D.prototype;
		CanvasRenderingContext2D.prototype.drawImage = function (...args) {
			drawImage.apply(this, args);
			if (pressed && this.canvas === canvas() && letters(this.canvas) !== before) { took.push(performance.now() - pressed); pressed = 0; }
		};
		return true;
	})()`)
	const pause = 300 * time.Millisecond // a key comes when the screen has stood still for a while, as a person's does
	var inAttach []float64
	for range 5 { // in turns
		p.click(`[data-picture="pc"] canvas`)
		for range 20 {
			before := value[int](p, `took.length`)
			p.press("x")
			p.until("an echo", `took.length > %s`, before)
			time.Sleep(pause)
		}
		p.press("\r")
		quiet()
		for range 20 {
			began := time.Now()
			terminal.Write([]byte("x"))
			for text := range printed {
				if strings.Contains(text, "x") {
					break
				}
			}
			inAttach = append(inAttach, float64(time.Since(began).Microseconds())/1000)
			time.Sleep(pause)
		}
		terminal.Write([]byte("\r"))
		quiet()
	}
	picture := value[[]float64](p, `took`)
	t.Logf("key to screen: in the page's picture %.1f ms, in labrun attach %.1f ms (medians of %d and %d)",
		middle(picture), middle(inAttach), len(picture), len(inAttach))
}
