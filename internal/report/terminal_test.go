package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
)

// play hands events to a report and returns what it wrote to its two streams.
func play(style Style, live, quiet bool, events ...event.Event) (out, progress string) {
	var o, p bytes.Buffer
	t := NewTerminal(&o, &p, style, Style{Live: live}, quiet)
	for _, e := range events {
		t.Record(event.Record{Event: e})
	}
	return o.String(), p.String()
}

var passed = []event.Event{
	event.RunStarted{Mission: "week1.star", Title: "Your First Week", Steps: 2, Minutes: 30},
	event.Progress{Subject: "debian", Phase: "build", Note: "installing"},
	event.Notice{Text: "software emulation (slower): there is no /dev/kvm"},
	event.StepStarted{Index: 1, Total: 2, Title: "Boot the router"},
	event.Acted{Machine: "router7", Verb: "boot"},
	event.Machine{Name: "router7", State: "booting"},
	event.Machine{Name: "router7", State: "ready", Seconds: 4.21},
	event.Checked{Builtin: "assert_contains", What: "lan0", Passed: true},
	event.Said{Text: "It has two cards.\nOne is lan0.\n"},
	event.StepEnded{Index: 1, Total: 2, Title: "Boot the router", Passed: true, Seconds: 5.04},
	event.StepStarted{Index: 2, Total: 2, Title: "想一想"},
	event.Asked{Question: "Who gave the address?", Choices: []string{"Debian", "the router"}, Answer: "the router"},
	event.Asked{Question: "Why?"},
	event.StepEnded{Index: 2, Total: 2, Title: "想一想", Passed: true, Seconds: 123.45},
	event.RunEnded{Passed: true, Steps: 2, Total: 2, Seconds: 128.5, Records: "/records"},
}

var failed = []event.Event{
	event.RunStarted{Mission: "lab.star", Title: "Lab", Steps: 3},
	event.StepStarted{Index: 1, Total: 3, Title: "One"},
	event.StepEnded{Index: 1, Total: 3, Title: "One", Passed: true, Seconds: 0.1},
	event.StepStarted{Index: 2, Total: 3, Title: "Two"},
	event.Checked{Builtin: "fail", What: "no", Hint: "Try again."},
	event.StepEnded{Index: 2, Total: 3, Title: "Two", Error: "lab.star:7:9: fail: no", Seconds: 0.2},
	event.RunEnded{Steps: 1, Total: 3, Seconds: 0.3, ExitCode: 1, Failed: "lab.star:7:9: fail: no", Records: "/records"},
}

var guided = []event.Event{
	event.RunStarted{Mission: "lab.star", Title: "Lab", Steps: 4, Guided: true, Titles: []string{"One", "Two", "Three", "Four"}},
	event.StepStarted{Index: 1, Total: 4, Title: "One", Replayed: true},
	event.Recalled{State: "done", Seconds: 120, Hints: 1, Helped: 2},
	event.StepEnded{Index: 1, Total: 4, Title: "One", Passed: true, Seconds: 2},
	event.StepStarted{Index: 2, Total: 4, Title: "Two"},
	event.Instructed{Verb: "boot", Words: "switch it on"},
	event.Instructed{Console: "debian", Verb: "send", Words: "type", Text: "ip a"},
	event.Checked{Builtin: "assert_contains", What: "eth0", Hint: "Type `ip a`."},
	event.Checked{Builtin: "assert_contains", What: "eth0", Hint: "Type `ip a`."},
	event.Hinted{Level: 1, Of: 2, Text: "Look at eth0."},
	event.Translated{Language: "zh-TW", Titles: []string{"一", "二", "三", "四"}, At: 2},
	event.Instructed{Console: "debian", Verb: "send", Words: "type", Text: "ip a", Retold: true},
	event.Hinted{Level: 1, Of: 2, Text: "看 eth0。", Retold: true},
	event.Helped{Word: "do", With: "send"},
	event.Asked{Question: "Why?"},
	event.Answered{Question: "Why?", Answer: "No idea.", Verdict: "open"},
	event.Asked{Question: "Who?"},
	event.Answered{Question: "Who?", Answer: "Debian", Verdict: "wrong"},
	event.Answered{Question: "Who?", Answer: "the router", Verdict: "right"},
	event.StepEnded{Index: 2, Total: 4, Title: "Two", Passed: true, Seconds: 60},
	event.StepStarted{Index: 3, Total: 4, Title: "Three"},
	event.Helped{Word: "skip", With: "boot"},
	event.Helped{Word: "restart", With: "debian"},
	event.StepEnded{Index: 3, Total: 4, Title: "Three", Passed: true, Skipped: true, Seconds: 1},
	event.StepStarted{Index: 4, Total: 4, Title: "Four"},
	event.StepEnded{Index: 4, Total: 4, Title: "Four", Seconds: 4},
	event.RunEnded{Steps: 3, Total: 4, Seconds: 67, ExitCode: 1, Failed: "not all steps were done"},
}

func TestTerminal(t *testing.T) {
	tests := []struct {
		name          string
		events        []event.Event
		quiet         bool
		out, progress string
	}{
		{"passed", passed, false, `Your First Week
week1.star, 2 steps, about 30 minutes for a student
1/2  Boot the router
     It has two cards.
     One is lan0.
2/2  想一想
     Question: Who gave the address?
       - Debian
       - the router
     Answer: the router
     Question: Why?

passed  1/2       5.0 s  Boot the router
passed  2/2     123.5 s  想一想
Mission complete: 2 of 2 steps in 128.5 s
`, `debian: installing
note: software emulation (slower): there is no /dev/kvm
     router7 is ready after 4.2 s
`},
		{"failed", failed, false, `Lab
lab.star, 3 steps
1/3  One
2/3  Two

passed  1/3       0.1 s  One
FAILED  2/3       0.2 s  Two
Mission not complete: 1 of 3 steps passed in 0.3 s
`, ""},
		{"stopped by its user", append(slices.Clone(failed[:6]), event.RunEnded{Steps: 1, Total: 3, ExitCode: 130}), false, `Lab
lab.star, 3 steps
1/3  One
2/3  Two

passed  1/3       0.1 s  One
ended   2/3       0.2 s  Two
Mission not complete: 1 of 3 steps passed in 0.0 s
`, ""},
		{"guided", guided, false, `Lab
lab.star, 4 steps
1/4  One (replayed)
     In an earlier run: done by the student, in 2 min 0 s, with 1 hint, with labrun's help
2/4  Two
     To do: switch it on
     To do on debian: type ip a
     Hint 1 of 2: Look at eth0.
     Help: labrun did it: send
     Question: Why?
     Answer: No idea.
     Question: Who?
     Answer: Debian (wrong)
     Answer: the router (right)
3/4  Three
     Help: labrun did the rest of the step, beginning with: boot
     Help: debian was switched off and on again
4/4  Four

passed  1/4       2.0 s  One
passed  2/4      60.0 s  Two
helped  3/4       1.0 s  Three
left    4/4       4.0 s  Four
Mission not complete: 3 of 4 steps passed in 67.0 s
`, ""},
		{"passed, quiet", passed, true, "Mission complete: 2 of 2 steps in 128.5 s\n", ""},
		{"failed, quiet", failed, true, "Mission not complete: 1 of 3 steps passed in 0.3 s\n", ""},
		{"failed before any step", []event.Event{event.RunEnded{Total: 3}}, false, "Mission not complete: 0 of 3 steps passed in 0.0 s\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, progress := play(Style{}, false, test.quiet, test.events...)
			if out != test.out || progress != test.progress {
				t.Errorf("results:\n%s\nwant:\n%s\nprogress:\n%s\nwant:\n%s", out, test.out, progress, test.progress)
			}
		})
	}
}

func TestColorsAreForResultsOnly(t *testing.T) {
	plain, _ := play(Style{}, false, false, failed...)
	colored, progress := play(Style{Color: true}, false, false, append(failed, passed...)...)
	for _, want := range []string{"\x1b[1mLab\x1b[", "\x1b[32mpassed\x1b[", "\x1b[31;1mFAILED\x1b[", "\x1b[31;1mMission not complete:\x1b[", "\x1b[32mMission complete:\x1b["} {
		if !strings.Contains(colored, want) {
			t.Errorf("results lack %q:\n%q", want, colored)
		}
	}
	if strings.Contains(plain, "\x1b") || strings.Contains(progress, "\x1b") {
		t.Errorf("colours where none belong:\n%q\n%q", plain, progress)
	}
}

func TestProgressOffATerminal(t *testing.T) {
	fetch := event.Progress{Subject: "alpine", Phase: "download", Note: "minirootfs", Total: 3_490_290}
	var events []event.Event
	for done := int64(0); done <= fetch.Total; done += 100_000 {
		fetch.Done = done
		events = append(events, fetch)
	}
	build := event.Progress{Subject: "alpine", Phase: "build"}
	unpack := event.Progress{Subject: "alpine", Phase: "build", Note: "unpacking"}
	events = append(events, build, build, unpack, unpack, unpack)

	const want = "alpine: download minirootfs (3.5 MB)\nalpine: build\nalpine: unpacking\n"
	if out, progress := play(Style{}, false, false, events...); out != "" || progress != want {
		t.Errorf("results %q, progress %q; want each piece of work once: %q", out, progress, want)
	}
	if out, progress := play(Style{}, false, true, events...); out != "" || progress != "" {
		t.Errorf("quiet: results %q, progress %q, want nothing", out, progress)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	fetch := event.Progress{Subject: "alpine", Phase: "download", Note: "minirootfs", Total: 4_000_000}
	begun, hardlyMore, whole := fetch, fetch, fetch
	begun.Done, hardlyMore.Done, whole.Done = 1_000_000, 1_000_001, 4_000_000
	_, progress := play(Style{}, true, false, begun, hardlyMore, whole, event.Notice{Text: "next"})
	const want = "\ralpine: download minirootfs  25% [#####               ] 1.0 of 4.0 MB" +
		"\ralpine: download minirootfs 100% [####################] 4.0 of 4.0 MB\n" +
		"note: next\n"
	if progress != want {
		t.Errorf("progress = %q, want %q", progress, want)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 steps", 1: "1 step", 2: "2 steps"} {
		if got := Count(n, "step"); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}
