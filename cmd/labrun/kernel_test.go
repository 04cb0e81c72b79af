package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKernelGuided has a student work on a kernel: each time that they save a file it is
// built, booted and judged, and labrun does for them what they do not want to.
func TestKernelGuided(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	mission, err := filepath.Abs("../../missions/bare-metal.star")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	env := []string{"XDG_STATE_HOME=" + t.TempDir()}
	guide := sits(t, "the student at the guide", env, "--guide", "--lang", "en", "--allow", "host", mission)
	saves := func(name, old, text string) {
		t.Helper()
		file := filepath.Join("my-bare-metal", name)
		data, err := os.ReadFile(file)
		if err == nil && !strings.Contains(string(data), old) {
			t.Fatalf("%s has no %q", file, old)
		}
		if err == nil {
			err = os.WriteFile(file, []byte(strings.Replace(string(data), old, text, 1)), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	guide.sees("Switch on board")
	console := guide.attaches("the student at the board", env, "board")
	console.sees("Enter switches it on")
	console.types("")
	console.sees("Hello, world")
	console.sees("the program has ended")
	guide.sees("Whenever you save a file there")

	saves("kernel.c", `world! I am your kernel.\n");`, `Niko! I am your kernel.\n")`)
	guide.sees("Not yet: your kernel did not build. `make` says")
	guide.sees("kernel.c:[0-9:]+ error: expected")
	saves("kernel.c", `Niko! I am your kernel.\n")`, `Nini! I am your kernel.\n");`)
	guide.sees("The kernel is built, and board boots it")
	guide.sees("does not say «Hello, Niko» yet")
	console.sees("board was started anew")
	saves("kernel.c", "Nini", "Niko")
	guide.sees("Step 1 is done")
	console.sees("Hello, Niko")

	guide.sees("Question: How does the kernel find")
	guide.types("2")
	guide.sees("> Change the source")
	guide.types("do")
	guide.sees("Step 2 is done")
	guide.types("quit")
	guide.sees("Your progress is kept")
	guide.leaves(130)

	// What was written stays, and the machine goes on from where the step began.
	if data, err := os.ReadFile("my-bare-metal/syscalls.c"); err != nil || !strings.Contains(string(data), "sys_time") {
		t.Errorf("the student's copy: %v\n%s", err, data)
	}
	guide = sits(t, "the student again", env, "--guide", "--lang", "en", "--allow", "host", mission)
	guide.sees("Step 3 of 3: The fence")
	guide.sees("> Change the source")
	saves("user.c", "    system_call(SYS_EXIT", "    *(volatile char *)0x10000000 = '!';\n    system_call(SYS_EXIT")
	guide.sees("Question: Who noticed")
	guide.types("3")
	guide.sees("Mission complete")
	guide.types("quit")
	guide.leaves(0)
}
