package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// begin plays a mission that waits until it is stopped, in the background: what it came to
// is sent when it has ended.
func begin(t *testing.T, name string, args ...string) (session string, ended <-chan outcome) {
	t.Helper()
	file := hostMission(t, `host = terminal("host")`, `wait_prompt(host)`, `send(host, "cat")`, `wait_for(host, text = "never", timeout = 3600)`)
	renamed := filepath.Join(filepath.Dir(file), name+".star")
	if err := os.Rename(file, renamed); err != nil {
		t.Fatal(err)
	}
	done := make(chan outcome, 1)
	go func() { done <- invoke(append(args, "--allow", "host", renamed)...) }()
	for deadline := time.Now().Add(10 * time.Minute); !strings.Contains(invoke("ps").out, name); {
		if time.Now().After(deadline) {
			t.Fatalf("ps never shows %s", name)
		}
	}
	return name, done
}

// A lab that runs is listed, told and stopped from other terminals.
func TestRunningLabs(t *testing.T) {
	isolate(t)
	invoke("ps").want(t, 0, "", "no lab is running here")
	invoke("stop").want(t, exitUsage, "", "no lab is running here")
	invoke("events").want(t, exitUsage, "", "no lab is running here")
	one, ended := begin(t, "one", "--json")
	told := make(chan outcome, 1)
	go func() { told <- invoke("events") }()
	invoke("ps").want(t, 0, "SESSION  PID", "")
	invoke("ps", "--json").want(t, 0, `{"session":"one","pid":`, "")
	two, over := begin(t, "two")
	for _, command := range []string{"stop", "events"} {
		invoke(command).want(t, exitUsage, "", command+": several labs run: say which (one, two)")
		invoke(command, "tow").want(t, exitUsage, "", command+": no lab that runs is called tow (did you mean two?): there are one, two")
	}
	invoke("stop", two).want(t, 0, "two has stopped: Lab\n", "")
	(<-over).want(t, exitInterrupted, "Mission not complete", "interrupted")
	invoke("stop").want(t, 0, one+" has stopped: Lab\n", "")
	played := <-ended
	played.want(t, exitInterrupted, `"event":"run_ended","passed":false`, "")
	if got := <-told; got.code != 0 || got.out != played.out {
		t.Errorf("exit %d (%s); from the other terminal it was told\n%s\nand by itself\n%s", got.code, got.err, got.out, played.out)
	}
	invoke("ps").want(t, 0, "", "no lab is running here")
}
