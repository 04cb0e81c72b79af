package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/labtest/fakeqemu"
)

// TestScripts plays testdata/script, which specify labrun's command line. `go doc testscript` tells how they are read; beside
// its commands they have
//
//	exits CODE PROGRAM [ARGUMENT…]      run a program, and expect that exit code
//	until PATTERN PROGRAM [ARGUMENT…]   run a program again and again, until its output matches
//	word SESSION WORD [TEXT]            say a student's word to a run through its door
//	forge KIND IN OUT [OLD NEW]         make of a submission one that is not honest
//
// Each script has a home of its own, with nothing in it. The file boot.img is a disk that boots, and does nothing. In the folder $FAKES are images whose machines are fakes (package
// fakeqemu), if the condition [fakes] says that there can be some on this computer.
func TestScripts(t *testing.T) {
	cache := ""
	if fakeqemu.Possible() == nil {
		cache = labtest.Cache(t)
	}
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir+"/.home")
			env.Setenv("FAKES", env.WorkDir+"/.fakes") // its own, because the labs that run are in it, too
			if cache != "" {
				if err := os.CopyFS(env.Getenv("FAKES"), os.DirFS(cache)); err != nil {
					return err
				}
			}
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return os.WriteFile(filepath.Join(env.WorkDir, "boot.img"), []byte(idleSector), 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"until": until,
			"word":  word,
			"forge": forge,
		},
		Condition: func(condition string) (bool, error) {
			if condition == "fakes" {
				return cache != "", nil
			}
			return false, errors.New("unknown condition " + condition)
		},
	})
}

// idleSector jumps to itself.
var idleSector = "\xeb\xfe" + strings.Repeat("\x00", 508) + "\x55\xaa"

// exits is the command of that name.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// word is the command of that name.
func word(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: word SESSION WORD [TEXT]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	folder := filepath.Join(ts.Getenv("LABRUN_CACHE"), "sessions", args[0])
	ts.Check(attach.Command(ctx, folder, args[1], strings.Join(args[2:], " ")))
}

// until is the command of that name.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN PROGRAM [ARGUMENT…]")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("never (%v)", err)
		}
	}
}
