package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/labtest"
)

// These tests have a router that labrun did not make.

func TestForeignRouter(t *testing.T) {
	records := t.TempDir()
	run := command(t, "--records", records, "packets")
	run.Env = append(run.Env, "LABRUN_CACHE="+labtest.Router7Cache(t))
	run.begin(t)
	run.finish(t, 0)
	text, err := os.ReadFile(filepath.Join(records, "router7.log"))
	if err != nil {
		t.Fatal(err)
	}
	isTheStudents(t, string(text))
}

// TestForeignRouterGuided leads a student through week 1, who does at the router's console what is asked there, and
// presses Enter whenever nothing happens.
func TestForeignRouterGuided(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	env := []string{"XDG_STATE_HOME=" + t.TempDir(), "LABRUN_CACHE=" + labtest.Router7Cache(t)}
	guide := sits(t, "the student at the guide", env, "--guide", "--lang", "en", "week1")
	guide.sees("Question: Which of the two bubbles has a kernel of its own")
	guide.types("2")

	guide.sees("Step 2 of 8: Boot the router")
	guide.sees("> Switch on router7")
	router := guide.attaches("the student at the router", env, "router7")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the router's console shows:\n%s", router.out.String())
		}
	})
	router.sees("Enter")
	router.types("")
	router.sees("Run /gokrazy/init as init process")
	for deadline := time.Now().Add(patience); !strings.Contains(router.out.String(), "/ # "); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			t.Fatalf("no prompt comes:\n%s", router.out.String())
		}
		router.types("")
	}
	router.sees("could not start shell: stat /perm/sh: no such file or directory")
	guide.sees("> On router7, type: ip a")
	router.types("ip a")
	guide.sees("Step 2 is done")

	for _, step := range []string{"3", "4", "5"} {
		guide.sees("Step " + step + " of 8")
		guide.types("skip")
		guide.sees("Step " + step + " is done")
	}
	guide.sees("> On router7, type: cat /perm/dhcp4d/leases.json")

	// The student begins the step again, and then goes on after a break: each time the router
	// is restored, and its shell waits as it did.
	guide.types("redo")
	guide.sees("Step 6 of 8")
	guide.sees("> On router7, type: cat /perm/dhcp4d/leases.json")
	guide.types("quit")
	guide.leaves(130)
	router.leavesWhatIsOver()
	isTheStudents(t, router.out.String())
	guide = sits(t, "the student, back at the guide", env, "--guide", "--lang", "en", "week1")
	guide.sees("The machines are as they were when this step began")
	guide.sees("> On router7, type: cat /perm/dhcp4d/leases.json")
	router = guide.attaches("the student, back at the router", env, "router7")
	router.sees("/ # ")
	router.types("cat /perm/dhcp4d/leases.json")
	guide.sees("alpine, 52:55:00:aa:00:11, was lent")
	guide.sees("Question: How can so many virtual CPUs run on so few real ones")
	guide.types("")
	guide.sees("Question: What happens to the others")
	guide.types("")
	guide.sees("The machines stay on")
	guide.types("quit")
	guide.leaves(0)
	router.leavesWhatIsOver()
	isTheStudents(t, router.out.String())
}

// isTheStudents fails if labrun's own commands are on a console, or files in base64. (The kernel has long words, too.)
func isTheStudents(t *testing.T, console string) {
	t.Helper()
	console, _, _ = strings.Cut(console, "the lab has ended")
	for _, line := range regexp.MustCompile(`(?m)^[^\[\r\n]*(labrun_|@labrun|[A-Za-z0-9+]{40}).*`).FindAllString(console, 3) {
		t.Errorf("on the student's console is %q", line)
	}
}
