//go:build linux

package fakeqemu

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/labrun/labrun"
)

// Where a guest's programs ask its init for something, and where it answers.
const (
	initctl     = "/dev/initctl"
	initctlDone = "/dev/initctl.done"
	sysrq       = "/dev/sysrq"
)

// kernel is a guest from within: the first process of its namespaces.
type kernel struct {
	begin
	console *os.File // the serial ports, as the emulator has them
	control *os.File
	reports *json.Encoder
	telling sync.Mutex // one report at a time

	rooted bool     // it has a root folder of its own
	tty    *os.File // the control port's inner end, open so that the port outlives its shell
	// Only who obeys orders looks at these.
	paused bool
	cables map[int]cable // by card
	seats  []string      // the terminals of the further serial ports; mu guards it, too
	open   []*os.File    // their inner ends
	// Held while the guest stands still, and by what it prints.
	gate sync.Mutex
	dead atomic.Bool // the kernel has panicked

	mu      sync.Mutex    // guards all below
	runs    chan struct{} // closed while the guest runs
	shell   int           // the console's shell; 0: none
	lessons []string      // what the control shell was taught, line by line
	learned bool          // that was all
}

// The main thread keeps the guest's network namespace, by which others find it.
func init() {
	if filepath.Base(os.Args[0]) == guestName {
		runtime.LockOSThread()
	}
}

// guestMain is the guest.
func guestMain() {
	link := os.NewFile(linkFD, "link")
	k := &kernel{reports: json.NewEncoder(link), cables: map[int]cable{}, runs: make(chan struct{})}
	close(k.runs)
	orders := json.NewDecoder(link)
	if err := orders.Decode(&k.begin); err != nil {
		os.Exit(1)
	}
	k.console = os.NewFile(consoleFD, "console")
	if k.Control {
		k.control = os.NewFile(controlFD, "control")
	}
	if k.Saved != nil {
		k.pause() // until the emulator continues
	}
	given := make(chan order, 1024) // so that the end is noticed, whatever the guest is at
	go func() {
		for {
			var o order
			if orders.Decode(&o) != nil {
				os.Exit(0) // the emulator is gone, and all of the guest with this process
			}
			given <- o
		}
	}()
	if err := k.start(); err != nil {
		k.tell(report{What: "failed", Text: err.Error()})
	}
	for {
		k.obey(<-given)
	}
}

func (k *kernel) tell(r report) {
	k.telling.Lock()
	defer k.telling.Unlock()
	_ = k.reports.Encode(r) // without an emulator there is no guest
}

// start brings the guest up.
func (k *kernel) start() error {
	if k.Saved == nil {
		k.print("[    0.000000] Linux version 6.1.0-fake (labrun) #1 SMP\r\n[    0.000000] Command line: fake\r\n")
	}
	switch {
	case k.Fault == Hangs && k.Saved != nil:
		return nil
	case k.Fault == Stuck && k.Saved == nil:
		return nil
	case k.Fault == Panics && k.Saved == nil:
		k.panic("Attempted to kill init! exitcode=0x0000000b")
		return nil
	case k.Fault == Floods:
		go func() {
			for {
				k.print("[    1.000000] fake: flooded\r\n")
			}
		}()
		return nil
	}
	if err := makeRoot(k.begin); err != nil {
		return err
	}
	k.rooted = true
	for name, value := range map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
		"TERM": "dumb", "GORACE": "atexit_sleep_ms=0", "GOCOVERDIR": "/tmp",
	} {
		os.Setenv(name, value)
	}
	stage, hostname := "boot", k.Hostname
	if k.Saved != nil {
		stage, hostname = k.Saved.Guest.Stage, k.Saved.Guest.Hostname
	} else {
		if kept, err := os.ReadFile("/etc/hostname"); err == nil {
			hostname = strings.TrimSpace(string(kept))
		}
		for _, folder := range []string{"/run", "/tmp"} {
			if err := empty(folder); err != nil {
				return err
			}
		}
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return os.NewSyscallError("sethostname", err)
	}
	settings := fmt.Sprintf("PASSWORD='%s'\nPROMPT='%s'\n", k.Password, k.Prompt)
	if err := os.WriteFile("/run/guest", []byte(settings), 0o600); err != nil {
		return err
	}
	if k.Saved != nil {
		if err := os.WriteFile("/run/folder", []byte(k.Saved.Guest.Folder), 0o600); err != nil {
			return err
		}
	}
	for _, p := range k.Plugged {
		if err := k.plug(p); err != nil {
			return err
		}
	}
	for _, channel := range k.Serials {
		if err := k.plugSerial(channel); err != nil {
			return err
		}
	}
	go k.initctl()
	go k.sysrq()
	if err := k.startControl(); err != nil {
		return err
	}
	if k.Saved != nil {
		if err := k.resumeSeats(k.Saved.Guest.Seats); err != nil {
			return err
		}
	}
	return k.startConsole(stage)
}

func empty(folder string) error {
	list, err := os.ReadDir(folder)
	for _, f := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, f.Name())))
	}
	return err
}

// print writes to the console as the kernel does, when the guest runs.
func (k *kernel) print(text string) {
	k.gate.Lock()
	defer k.gate.Unlock()
	if !k.dead.Load() {
		k.console.WriteString(text)
	}
}

// panic ends the guest as Linux does: it says so, and does nothing any more.
func (k *kernel) panic(why string) {
	k.print(fmt.Sprintf("[    2.000000] Kernel panic - not syncing: %s\r\n", why))
	k.dead.Store(true)
	if k.rooted {
		unix.Kill(-1, unix.SIGKILL) // all but itself, in its namespace
	}
}

// obey carries out an order of the emulator and tells what came of it.
func (k *kernel) obey(o order) {
	done := report{What: "done"}
	var err error
	switch o.What {
	case "pause":
		k.pause()
		if k.up() {
			done.Memory = k.memory()
			done.Files, err = pack()
		}
	case "run":
		if k.paused {
			k.paused = false
			close(k.runs)
			k.gate.Unlock()
		}
	case "plug":
		if k.up() {
			err = k.plug(o.Plug)
		}
	case "serial":
		if k.up() {
			err = k.plugSerial(o.Serial)
		}
	case "cable":
		if k.up() {
			err = k.move(o.Plug)
		}
	case "button":
		if k.Fault != Deaf && k.up() {
			go k.leave("off", "reboot: Power down")
		}
	case "synced":
		go os.WriteFile(initctlDone, []byte("\n"), 0)
	}
	if err != nil {
		k.tell(report{What: "failed", Text: err.Error()})
		return
	}
	k.tell(done)
}

// up reports whether the guest has a root folder of its own, and its kernel has not panicked.
func (k *kernel) up() bool { return k.rooted && !k.dead.Load() }

// pause has nothing be printed any more, and nothing that is typed be read. Orders are obeyed one after the other.
func (k *kernel) pause() {
	if k.paused {
		return
	}
	k.gate.Lock()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paused, k.runs = true, make(chan struct{})
}

// memory is what a guest that goes on from here has to know.
func (k *kernel) memory() memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := memory{Lessons: k.lessons, Stage: "boot", Addresses: k.addresses(), Seats: k.seated()}
	m.Hostname, _ = os.Hostname()
	if id, err := os.ReadFile(bootID); err == nil {
		m.BootID = string(id)
	}
	if stage, err := os.ReadFile("/run/stage"); err == nil {
		m.Stage = strings.TrimSpace(string(stage))
	}
	if folder, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", k.shell)); err == nil {
		m.Folder = folder
	}
	return m
}

// leave tells the emulator to write the guest's disk, and then to do what is said.
func (k *kernel) leave(what, message string) {
	if k.dead.Load() {
		return
	}
	if message != "" {
		k.print("[    9.000000] " + message + "\r\n")
	}
	files, err := pack()
	if err != nil {
		k.tell(report{What: "failed", Text: err.Error()})
		return
	}
	k.tell(report{What: what, Files: files})
}

// initctl does what the guest's programs ask for.
func (k *kernel) initctl() {
	pipe, err := os.OpenFile(initctl, os.O_RDWR, 0)
	if err != nil {
		k.tell(report{What: "failed", Text: err.Error()})
		return
	}
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		switch lines.Text() {
		case "poweroff":
			k.leave("off", "reboot: Power down")
		case "reboot":
			k.leave("reset", "reboot: Restarting system")
		case "sync":
			k.leave("sync", "")
		}
	}
}

// sysrq panics when a «c» is written to /proc/sysrq-trigger, as Linux does.
func (k *kernel) sysrq() {
	pipe, err := os.OpenFile(sysrq, os.O_RDWR, 0)
	if err != nil {
		k.tell(report{What: "failed", Text: err.Error()})
		return
	}
	for key := make([]byte, 1); ; {
		if n, err := pipe.Read(key); err != nil || n == 1 && key[0] == 'c' {
			k.panic("sysrq triggered crash")
		}
	}
}

// port is a serial port of the guest: a terminal at both ends.
func (k *kernel) port(name string) (master, tty *os.File, err error) {
	master, tty, err = pty.Open()
	if err == nil {
		err = overlay(tty.Name(), "/dev/"+name)
	}
	return master, tty, err
}

// startConsole runs a getty on the console, again and again.
func (k *kernel) startConsole(stage string) error {
	master, tty, err := k.port("ttyS0")
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	go k.outward(k.console, master)
	go k.inward(master, k.console, nil)
	go func() {
		for ; !k.dead.Load(); stage = "boot" {
			getty := exec.Command("/usr/local/sbin/getty", strings.Fields(stage)...)
			getty.Stdin, getty.Stdout, getty.Stderr = tty, tty, tty
			getty.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := getty.Start(); err != nil {
				k.tell(report{What: "failed", Text: err.Error()})
				return
			}
			k.mu.Lock()
			k.shell = getty.Process.Pid
			k.mu.Unlock()
			getty.Wait()
			os.Remove("/run/folder")
		}
	}()
	return nil
}

// lastLesson is in the last line of what labrun teaches a control shell.
const lastLesson = "@labrun- defined"

// startControl runs what our images run on their control port, again and again. A shell that goes on knows what
// the saved
// one knew, and announces nothing.
func (k *kernel) startControl() error {
	if k.control == nil {
		return nil
	}
	script, err := fs.ReadFile(labrun.Images(), "common/control")
	if err != nil {
		return err
	}
	if err := os.WriteFile("/run/control", script, 0o700); err != nil {
		return err
	}
	master, tty, err := k.port("ttyS1")
	if err != nil {
		return fmt.Errorf("control port: %w", err)
	}
	started := make(chan struct{})
	go func() {
		for first := true; !k.dead.Load(); first = false {
			shell := exec.Command("/bin/sh", "/run/control")
			shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := shell.Start(); err != nil {
				k.tell(report{What: "failed", Text: err.Error()})
				return
			}
			if first {
				close(started)
			}
			shell.Wait()
			k.mu.Lock()
			k.lessons, k.learned = nil, false
			k.mu.Unlock()
			time.Sleep(50 * time.Millisecond) // as an init does not start a program that ends at once over and over
		}
	}()
	<-started
	k.tty = tty
	if k.Saved != nil {
		if err := k.teach(master, k.Saved.Guest.Lessons); err != nil {
			return err
		}
	}
	go k.outward(k.control, master)
	go k.inward(master, k.control, k.learn())
	return nil
}

// learn returns who sees what is typed at the control port, and keeps the lessons.
func (k *kernel) learn() func([]byte) {
	var line []byte
	return func(chunk []byte) {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, b := range chunk {
			if line = append(line, b); b != '\n' {
				continue
			}
			if text := strings.TrimSuffix(string(line), "\n"); !k.learned {
				k.lessons = append(k.lessons, text)
				k.learned = strings.Contains(text, lastLesson)
			}
			line = line[:0]
		}
	}
}

// teach tells a control shell what it knew when it was saved, and drops all it says until it has heard that.
func (k *kernel) teach(port *os.File, lessons []string) error {
	said := bufio.NewReader(port)
	until := func(what string) error {
		for {
			line, err := said.ReadString('\n')
			if err != nil || strings.TrimSpace(line) == what {
				return err
			}
		}
	}
	if err := until("labrun control ready"); err != nil {
		return err
	}
	k.mu.Lock()
	k.lessons, k.learned = lessons, true
	k.mu.Unlock()
	for _, text := range lessons {
		if _, err := port.WriteString(text + "\n"); err != nil {
			return err
		}
	}
	if _, err := port.WriteString("echo goes on\n"); err != nil {
		return err
	}
	return until("goes on")
}

// inward passes on what the emulator sends, while the guest runs, and shows it to see.
func (k *kernel) inward(to, from *os.File, see func([]byte)) {
	pass(from, func(chunk []byte) {
		k.running()
		if see != nil {
			see(chunk)
		}
		to.Write(chunk)
	})
}

// outward passes on what the guest prints, while it runs.
func (k *kernel) outward(to, from *os.File) {
	pass(from, func(chunk []byte) {
		k.gate.Lock()
		defer k.gate.Unlock()
		if !k.dead.Load() {
			to.Write(chunk)
		}
	})
}

// pass reads a file to its end.
func pass(from *os.File, take func(chunk []byte)) {
	chunk := make([]byte, 4096)
	for {
		n, err := from.Read(chunk)
		if n > 0 {
			take(chunk[:n])
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// running waits until the guest runs.
func (k *kernel) running() {
	k.mu.Lock()
	runs := k.runs
	k.mu.Unlock()
	<-runs
}
