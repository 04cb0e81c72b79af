package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	consoles "github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/labtest"
)

// These tests have a machine with a screen and no serial port, whose operating system is labtest's: nothing of it is
// known to labrun but what is on the screen, and nothing reaches it but keys.

const tinyMission = `mission(title = "Tiny", api = 1)

pc = machine("pc", image = "tiny")

def meet_it():
    """Meet it"""
    boot(pc)
    wait_prompt(pc)
    send(pc, "ver")
    assert_contains(pc, "tiny 1.0", hint = "Type ` + "`ver`" + `.")

def screen_is_full():
    assert_contains(screen(pc), "line 40", hint = "Something prints forty lines.")

def fill_it():
    """Fill the screen"""
    task(
        pc,
        "Have it print forty lines.",
        solution = "lines",
        check = screen_is_full,
        hints = ["` + "`lines`" + ` prints them."],
        wrong = ["ver", "cls"],
    )
    wait_screen(pc, "tiny>")

def draw():
    """See a picture"""
    send(pc, "draw")
    assert_picture(pc, "square.png", tolerance = 8, hint = "Type ` + "`draw`" + `.")
    screenshot(pc, "square")
    send_key(pc, "enter")
    wait_prompt(pc)

step(meet_it)
step(fill_it)
step(draw)
`

// tinyLab is a mission with such a machine: its file, and what labrun's environment is for it.
func tinyLab(t *testing.T) (file, lock string, env []string) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	cache := labtest.TinyCache(t)
	file = filepath.Join(t.TempDir(), "tiny.star")
	save(t, file, tinyMission)
	square := image.NewNRGBA(image.Rect(0, 0, 90, 90)) // 40 by 40 pixels, twice as large, and of what is around them one corner
	for y := range 90 {
		for x := range 90 {
			switch {
			case x >= 5 && x < 85 && y >= 5 && y < 85:
				square.Set(x, y, color.NRGBA{255, 255, 85, 255})
			case x < 45 && y < 45:
				square.Set(x, y, color.NRGBA{0, 0, 170, 255})
			}
		}
	}
	picture, err := os.Create(filepath.Join(filepath.Dir(file), "square.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Close()
	if err := png.Encode(picture, square); err != nil {
		t.Fatal(err)
	}
	return file, filepath.Join(cache, "images.lock"), []string{"LABRUN_CACHE=" + cache}
}

func TestScreenPlayed(t *testing.T) {
	file, lock, env := tinyLab(t)
	records := t.TempDir()
	run := command(t, "--lock", lock, "--records", records, file)
	run.Env = append(run.Env, env...)
	run.begin(t)
	run.finish(t, 0)
	if picture, err := os.Stat(filepath.Join(records, "square.png")); err != nil || picture.Size() == 0 {
		t.Errorf("the screenshot: %v", err)
	}
	console, err := os.ReadFile(filepath.Join(records, "pc.log"))
	if text := consoles.Plain(console); err != nil || !strings.Contains(text, "tiny> ver") || !strings.Contains(text, "[graphics 640×400") {
		t.Errorf("the console's transcript, %v:\n%s", err, text)
	}
}

func TestScreenProved(t *testing.T) {
	file, lock, env := tinyLab(t)
	proof := command(t, "--lock", lock, "test", file)
	proof.Env = append(proof.Env, env...)
	proof.begin(t)
	proof.finish(t, 0)
	for _, trial := range []string{
		"fails without `ver` at pc", "the hint of assert_contains solves it", "not solved before", "wrong answer 2 fails",
		"fails without `draw` at pc", "0 failed",
	} {
		if out := proof.out.String(); !strings.Contains(out, trial) {
			t.Errorf("no %q in\n%s", trial, out)
		}
	}
}

// TestScreenGuided leads a student, who sits at the machine in a terminal, goes wrong, begins a step again, and comes back
// after a break.
func TestScreenGuided(t *testing.T) {
	file, lock, env := tinyLab(t)
	env = append(env, "XDG_STATE_HOME="+t.TempDir())
	guide := sits(t, "the student at the guide", env, "--lock", lock, "--guide", "--lang", "en", file)
	guide.sees("> Switch on pc")
	pc := guide.attaches("the student at the screen", env, "pc")
	pc.sees("Enter")
	pc.types("")
	pc.sees("tiny 1.0")
	pc.sees("tiny>")
	guide.sees("> On pc, type: ver")
	pc.types("vers")
	pc.sees("no command: vers")
	pc.sees("tiny>")
	guide.sees("Not yet: the output of pc has no \"tiny 1.0\"")
	if _, err := pc.tty.Send("vers\x7f\r"); err != nil {
		t.Fatal(err)
	}
	pc.sees("tiny 1.0") // between the letters of its echo the cursor may have been seen to move
	guide.sees("Step 1 is done")

	guide.sees("Have it print forty lines")
	pc.types("lines")
	pc.sees("line 40")
	guide.sees("Step 2 is done")

	guide.sees("> On pc, type: draw")
	pc.types("cls")
	pc.sees("tiny>")
	guide.types("redo")
	guide.sees("> On pc, type: draw")
	pc.sees("line 40")
	guide.types("quit")
	guide.leaves(130)
	pc.leavesWhatIsOver()

	guide = sits(t, "the student, back at the guide", env, "--lock", lock, "--guide", "--lang", "en", file)
	guide.sees("The machines are as they were when this step began")
	guide.sees("> On pc, type: draw")
	pc = guide.attaches("the student, back at the screen", env, "pc")
	pc.sees("line 40")
	pc.types("draw")
	pc.sees("graphics 640×400")
	guide.sees("> On pc, press Enter")
	pc.types("")
	guide.sees("Step 3 is done")
	guide.sees("The machines stay on")
	guide.types("quit")
	guide.leaves(0)
	pc.leavesWhatIsOver()
}
