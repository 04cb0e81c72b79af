package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnotherOneForEachStudent has the lab of docs/authoring.md proved with several draws,
// and two students led through it side by side on one account: each has a port of their
// own, and where they are of their own.
func TestAnotherOneForEachStudent(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	text, err := os.ReadFile("../../docs/authoring.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, script := t.TempDir(), ""
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(block[2], "mission(") && strings.Contains(block[2], "variant(") {
			script = block[2]
		}
	}
	file, key := filepath.Join(dir, "ports.star"), filepath.Join(dir, "os.key")
	save(t, file, script)
	save(t, key, "4f1e0cbb2f7a4b2e9d3a\n")

	l := command(t, "test", "--variants", "4", "--course-key", key, file)
	l.begin(t)
	l.finish(t, 0)
	if !strings.Contains(l.out.String(), "4 passed, 0 failed") {
		t.Errorf("the proof says:\n%s", l.out.String())
	}

	env := []string{"XDG_STATE_HOME=" + filepath.Join(dir, "state"), "LABRUN_COURSE_KEY=" + key}
	guided := func(name string) *student {
		return sits(t, name, env, "--guide", "--lang", "en", "--student", name, file)
	}
	var guides, desks []*student
	var ports []string
	for _, name := range []string{"ann", "bob"} {
		guide := guided(name)
		guide.sees("Switch on alpine")
		guide.types("do")
		guide.sees("On alpine, log in")
		guide.types("do")
		guides, ports = append(guides, guide), append(ports, guide.sees(`Have something listen on port (\d+)`)[1])
		desk := guide.attaches(name+" at her or his desk", env, "alpine")
		desk.sees("# $")
		desks = append(desks, desk)
	}
	if ports[0] == ports[1] {
		t.Fatalf("both have the port %s", ports[0])
	}
	desks[1].types("nc -l -p " + ports[0] + " &") // bob has copied it
	guides[1].sees(`Not yet: Nothing listens on port ` + ports[1] + ` yet`)
	desks[0].types("nc -l -p " + ports[0] + " &")
	guides[0].sees("Step 1 is done")
	guides[0].sees("Step 2 of 2")
	for _, guide := range guides {
		guide.types("quit")
		guide.leaves(130)
	}

	// Each goes on where they were.
	for i, says := range []string{"Welcome back. You were at step 2 of 2", "Step 1 of 2: Port " + ports[1]} {
		guide := guided([]string{"ann", "bob"}[i])
		guide.sees(says)
		guide.types("quit")
		guide.leaves(130)
	}
}
