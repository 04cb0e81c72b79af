package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Netflix/go-expect"
	"github.com/creack/pty"
)

// student is a person at a terminal in which labrun runs. What it prints is read
// all the time, as a terminal does; read is how far the person has looked.
type student struct {
	t    *testing.T
	who  string
	tty  *expect.Console
	cmd  *exec.Cmd
	out  buffer
	read int
	over chan struct{} // closed when labrun has ended, and all that it printed is in out
}

// sits starts labrun in a terminal of 80 by 24.
func sits(t *testing.T, who string, env []string, args ...string) *student {
	t.Helper()
	s := &student{t: t, who: who, over: make(chan struct{})}
	tty, err := expect.NewConsole(expect.WithStdout(&s.out))
	if err != nil {
		t.Fatal(err)
	}
	s.tty = tty
	if err := pty.Setsize(tty.Tty(), &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("labrun", args...)
	s.cmd.Env = append(append(os.Environ(), "TERM=xterm", "LC_ALL=C.UTF-8", "NO_COLOR=1"), env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty.Tty(), tty.Tty(), tty.Tty()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		tty.ExpectEOF() // meanwhile all is read
	}()
	go func() {
		s.cmd.Wait()
		tty.Tty().Close() // the last to have it open: what follows its output is the end
		<-read
		close(s.over)
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.over
		tty.Close()
	})
	return s
}

// attaches sits down at a machine of this student's lab in another terminal. There
// may be other labs on this computer, which is why it names the session.
func (s *student) attaches(who string, env []string, machine string) *student {
	s.t.Helper()
	session := ""
	eventually(s.t, patience, func() bool {
		ps := exec.Command("labrun", "ps", "--json")
		ps.Env = append(os.Environ(), env...)
		out, _ := ps.Output()
		for line := range strings.Lines(string(out)) {
			var run struct {
				Session string
				PID     int
			}
			if json.Unmarshal([]byte(line), &run) == nil && run.PID == s.cmd.Process.Pid {
				session = run.Session
			}
		}
		return session != ""
	}, func() string { return "labrun ps does not show the lab" })
	return sits(s.t, who, env, "attach", session+"/"+machine)
}

// types enters a line, key by key as a person does.
func (s *student) types(line string) {
	s.t.Helper()
	for _, key := range line + "\r" {
		if _, err := s.tty.Send(string(key)); err != nil {
			s.t.Fatalf("%s types %q: %v", s.who, line, err)
		}
	}
}

// typesPassword enters a password, and once more if nothing comes of it: BusyBox and PAM
// drop what is typed too soon after their prompt, and a person sees that.
func (s *student) typesPassword(password string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		before := len(s.out.String())
		s.types(password)
		for again := time.Now().Add(10 * time.Second); time.Now().Before(again); time.Sleep(10 * time.Millisecond) {
			if len(s.out.String()) > before {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s types a password, and nothing comes of it:\n%s", s.who, s.out.String())
		}
	}
}

// sees waits for a text after what was seen last, however it is wrapped, and
// returns what it found.
func (s *student) sees(pattern string) []string {
	s.t.Helper()
	re := regexp.MustCompile(strings.ReplaceAll(pattern, " ", `\s+`))
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		text := s.out.String()
		if found := re.FindStringSubmatchIndex(text[s.read:]); found != nil {
			var groups []string
			for i := 0; i < len(found); i += 2 {
				groups = append(groups, text[s.read+found[i]:s.read+found[i+1]])
			}
			s.read += found[1]
			return groups
		}
		over := false
		select {
		case <-s.over:
			over = s.out.String() == text
		default:
		}
		if over || time.Now().After(deadline) {
			s.t.Fatalf("%s never sees %q (ended: %v), only:\n%s", s.who, pattern, over, text[max(0, s.read-2000):])
		}
	}
}

// leaves waits for the end of labrun and checks its exit code.
func (s *student) leaves(code int) {
	s.t.Helper()
	select {
	case <-s.over:
	case <-time.After(patience):
		s.t.Fatalf("%s: labrun does not end:\n%s", s.who, s.out.String())
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("%s: exit code %d, want %d:\n%s", s.who, got, code, s.out.String())
	}
}

// leavesWhatIsOver types on at a console whose lab has ended, which must not reach the
// shell that labrun was started from, and leaves it.
func (s *student) leavesWhatIsOver() {
	s.t.Helper()
	s.sees("the lab has ended, and its machines are gone")
	s.types("reboot")
	select {
	case <-s.over:
		s.t.Errorf("%s: what is typed next goes to this computer", s.who)
	case <-time.After(200 * time.Millisecond):
	}
	if _, err := s.tty.Send("\x1d"); err != nil {
		s.t.Fatal(err)
	}
	s.leaves(0)
}

// TestWeek1Guided plays a student through the whole of week 1: right things, wrong
// things, other right things, hints, a console in the guide's own terminal,
// leaving a console and coming back, and a labrun that is killed in step 4.
func TestWeek1Guided(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	env := []string{"XDG_STATE_HOME=" + t.TempDir()}
	mission := "../../missions/week1.star"
	guide := sits(t, "the student at the guide", env, "--guide", "--lang", "en", mission)

	guide.sees("labrun will lead you through 8 steps")
	guide.sees("Step 1 of 8: A bubble within a bubble")
	guide.sees("Question: Which of the two bubbles has a kernel of its own")
	guide.types("the container")
	guide.sees("Not that one")
	guide.types("ls -l")
	guide.sees("answer with a number from 1 to 2")
	guide.types("2")
	guide.sees("Right")

	guide.sees("Step 2 of 8: Boot the router")
	guide.sees("(?s)> Switch on router7: .*?labrun attach router7")
	router := guide.attaches("the student at the router", env, "router7")
	router.sees("Enter")
	router.types("")
	guide.sees("router7 is on")
	router.sees("activate this console")
	router.types("")
	router.sees("[#] $")
	guide.sees("> On router7, type: ip a")
	router.types("ip link") // not what was asked for, and it does
	guide.sees("Step 2 is done")

	guide.sees("Step 3 of 8: Launch the two servers")
	guide.sees("> Switch on debian")
	debian := guide.attaches("the student at debian", env, "debian")
	debian.sees("Enter")
	debian.types("")
	guide.sees("> Switch on alpine")
	guide.types("hint")
	guide.sees("Hint 1 of 1: go to the console of alpine and press Enter there")
	guide.types("do")
	guide.sees("> On debian, log in")
	debian.sees("os25 login: $")
	debian.types("root")
	debian.sees("assword: $")
	debian.typesPassword("toor")
	guide.sees("Not yet: debian refused that login")
	debian.sees("os25 login: $")
	debian.types("root")
	debian.sees("assword: $")
	debian.typesPassword("root")
	guide.sees("> On alpine, log in")
	// This student has no third terminal: the guide's own shows alpine.
	guide.types("console alpine")
	guide.sees("login: $")
	guide.types("root")
	guide.sees("assword: $")
	guide.typesPassword("root")
	guide.sees("done: Ctrl-\\] goes back to the guide")
	guide.types("\x1d")
	guide.sees("Back at the guide")
	guide.sees("> On router7, type: uname -r")
	router.types("cat /proc/sys/kernel/osrelease") // another right way
	guide.sees(`router7 runs Linux \d+\.\d+`)
	guide.sees("> On debian, type: uname -r")
	debian.types("uname")
	guide.sees("Not yet: debian did not print what")
	guide.types("h")
	guide.sees("Hint 1 of 2: Type `uname -r` at the prompt of debian")
	debian.types("uname -a | cut -d' ' -f3")
	guide.sees(`debian runs Linux \d+\.\d+`)
	guide.sees("> On alpine, type: uname -r")
	guide.types("do")
	guide.sees(`alpine runs Linux \d+\.\d+`)
	guide.sees("Step 3 is done")

	// labrun is killed in step 4. The viewers end by themselves, the next start goes on there.
	guide.sees("> On debian, type: ip a")
	guide.cmd.Process.Kill()
	<-guide.over
	router.leavesWhatIsOver()
	debian.leavesWhatIsOver()
	guide = sits(t, "the student, back at the guide", env, "--guide", "--lang", "en", mission)
	guide.sees("Welcome back. You were at step 4 of 8")
	guide.sees("The machines are as they were when this step began")
	guide.sees("Step 4 of 8: Find Debian's address")
	guide.sees("> On debian, type: ip a")
	debian = guide.attaches("the student, back at debian", env, "debian")
	debian.sees("root@os25")                                        // what was said before
	debian.tty.Send("\x1d")                                         // leave it …
	debian.leaves(0)                                                //
	debian = guide.attaches("the student at debian", env, "debian") // … and come back
	debian.sees("root@os25:~# $")
	debian.types("ip -4 addr show eth0")
	address := guide.sees(`Debian is at (10\.254\.0\.\d+)`)[1]

	guide.sees("Step 5 of 8: From Alpine to Debian")
	guide.sees("> On alpine, type: ssh root@" + regexp.QuoteMeta(address))
	alpine := guide.attaches("the student at alpine", env, "alpine")
	alpine.sees("# $")
	alpine.types("ssh nobody-there")
	guide.sees("Not yet: after `ssh nobody-there`, alpine did not answer as expected")
	alpine.types("ssh root@" + address)
	alpine.sees("continue connecting")
	guide.sees("> On alpine, type: yes")
	alpine.types("yes")
	alpine.sees("assword: $")
	guide.sees(`On alpine, type the password \(it does not show\): root`)
	alpine.typesPassword("root")
	alpine.sees("root@os25")
	guide.sees("> On alpine, type: hostname")
	alpine.types("cat /etc/hostname")
	guide.sees("> On alpine, type: exit")
	alpine.types("ls")
	guide.sees("You typed `ls`; the lab says `exit`")
	alpine.types("logout")
	guide.sees("Step 5 is done")

	guide.sees("Step 6 of 8: The router's records")
	router = guide.attaches("the student, back at the router", env, "router7")
	guide.sees("> On router7, type: cat /perm/dhcp4d/leases.json")
	router.types("more /perm/dhcp4d/leases.json")
	guide.sees("debian, 52:55:00:aa:00:10, was lent " + regexp.QuoteMeta(address))

	guide.sees("Step 7 of 8: The magic of virtualization")
	guide.sees("Question: How can so many virtual CPUs run on so few real ones")
	guide.types("They take turns.")
	guide.sees("One answer: By taking turns")
	guide.sees("Question: What happens to the others")
	guide.types("")
	guide.sees("One answer: They share what is left")
	guide.sees("Step 8 of 8: Mission complete")
	guide.sees("Mission complete: all 8 steps are done")
	guide.sees("The machines stay on")
	guide.types("quit")
	guide.leaves(0)
	for _, viewer := range []*student{router, debian, alpine} {
		viewer.leavesWhatIsOver()
	}
	checkGuidedRecords(t, strings.TrimPrefix(env[0], "XDG_STATE_HOME="))
}

// checkGuidedRecords looks at what the run that came to the end left behind.
func checkGuidedRecords(t *testing.T, state string) {
	t.Helper()
	runs, _ := filepath.Glob(filepath.Join(state, "labrun", "runs", "2*"))
	if len(runs) != 2 {
		t.Fatalf("records of %d runs, want those of both: %v", len(runs), runs)
	}
	for _, file := range []string{"events.jsonl", "report.html", "debian.cast", "alpine.cast", "router7.cast", "lan.pcap"} {
		if info, err := os.Stat(filepath.Join(runs[1], file)); err != nil || info.Size() == 0 {
			t.Errorf("record %s: %v", file, err)
		}
	}
	page, _ := os.ReadFile(filepath.Join(runs[1], "report.html"))
	for _, want := range []string{"They take turns.", "The router&#39;s records"} {
		if !strings.Contains(string(page), want) && !strings.Contains(string(page), strings.ReplaceAll(want, "&#39;", "'")) {
			t.Errorf("report.html lacks %q", want)
		}
	}
	cast, _ := os.ReadFile(filepath.Join(runs[1], "alpine.cast"))
	if !strings.Contains(string(cast), "os25") {
		t.Error("alpine.cast lacks what was typed there")
	}
}
