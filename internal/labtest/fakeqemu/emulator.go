//go:build linux

package fakeqemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// arguments are the options of QEMU that the emulator takes; those with a value say so.
var arguments = map[string]bool{
	"-name": true, "-nodefaults": false, "-no-user-config": false, "-display": true, "-vga": true,
	"-sandbox": true, "-machine": true,
	"-m": true, "-smp": true, "-object": true, "-S": false, "-incoming": true, "-accel": true, "-cpu": true,
	"-kernel": true,
	"-append": true, "-initrd": true, "-chardev": true, "-mon": true, "-serial": true, "-device": true,
	"-drive": true, "-netdev": true, "-vnc": true,
}

// emulator is one machine: what is outside of its guest.
type emulator struct {
	name     string
	fault    Fault
	kernel   string // its text describes the guest
	disk     *disk
	console  *os.File
	control  *os.File // nil: none
	screen   *vga     // nil: none
	incoming bool     // the guest comes from a saved state
	monitor  *monitor

	cards map[int]*card       // by number: those on a network of the lab
	ports map[string]*os.File // the channels of further serial ports, plugged in or not

	mu      sync.Mutex // guards all below
	status  string     // as query-status tells it
	guest   *guest     // nil: none runs
	plugged []plug     // the cards that the guest has, in order
	unseen  int        // how many of them, the last ones, it has not noticed, because it is paused
	serials []string   // the channels of its further serial ports, likewise
	resets  int
	exit    chan int // gets the exit status
}

// serialCard is a card with a serial port.
const serialCard = "pci-serial"

// plug is a network card in the machine.
type plug struct {
	Card int
	MAC  string
	Out  bool // its cable
}

// fail is how QEMU ends when it cannot go on.
func (e *emulator) fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, emulatorName+": "+format+"\n", args...)
	e.end(1)
}

// end ends the machine. The first call counts.
func (e *emulator) end(status int) {
	select {
	case e.exit <- status:
	default:
	}
}

// emulate is QEMU.
func emulate(args []string) int {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Println("QEMU emulator version 8.2.0 (labrun's fake)")
		return 0
	}
	e := &emulator{exit: make(chan int, 1), status: "running", cards: map[int]*card{}, ports: map[string]*os.File{}}
	monitorFD, err := e.parse(args)
	if err == nil && e.fault == Refuses {
		err = errors.New("-machine pc: unsupported machine type")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, emulatorName+":", err)
		return 1
	}
	if e.fault == Mute {
		select {}
	}
	if e.monitor, err = newMonitor(monitorFD, e.run); err != nil {
		fmt.Fprintln(os.Stderr, emulatorName+":", err)
		return 1
	}
	if !e.incoming {
		if err := e.boot(nil); err != nil {
			e.fail("%v", err)
		}
	}
	go func() {
		e.monitor.serve()
		e.end(0)
	}()
	status := <-e.exit
	e.mu.Lock()
	e.kill()
	return status
}

// parse reads the arguments and returns the monitor's descriptor.
func (e *emulator) parse(args []string) (monitor int, err error) {
	descriptors := map[string]int{}
	var serial []string
	for i := 0; i < len(args); i++ {
		option := args[i]
		valued, known := arguments[option]
		if !known {
			return 0, fmt.Errorf("%s: invalid option", option)
		}
		var value string
		if valued {
			if i++; i == len(args) {
				return 0, fmt.Errorf("%s: requires an argument", option)
			}
			value = args[i]
		}
		first, parts := fields(value)
		number := func(name string) int {
			n, parsed := strconv.Atoi(parts[name])
			if parsed != nil {
				err = fmt.Errorf("%s %s: %s: %v", option, value, name, parsed)
			}
			return n
		}
		switch option {
		case "-name":
			e.name = first
		case "-kernel":
			e.kernel = value
		case "-incoming":
			e.incoming, e.status = true, "inmigrate"
		case "-chardev":
			descriptors[parts["id"]] = number("fd")
		case "-serial":
			serial = append(serial, strings.TrimPrefix(value, "chardev:"))
		case "-drive":
			e.disk, err = openDisk(parts["file"])
		case "-object":
			if path := parts["mem-path"]; path != "" {
				_, err = os.Stat(path)
			}
		case "-netdev":
			if first == "stream" {
				e.cards[cardNumber(parts["id"])], err = newCard(number("addr.str"))
			}
		case "-device":
			if mac := parts["mac"]; mac != "" {
				e.plugged = append(e.plugged, plug{Card: cardNumber(parts["netdev"]), MAC: mac})
			}
			if first == serialCard {
				e.serials = append(e.serials, parts["chardev"])
			}
		}
		if err != nil {
			return 0, err
		}
	}
	for fault := range strings.SplitSeq(os.Getenv(Faults), ",") {
		if machine, what, _ := strings.Cut(fault, "="); machine == e.name {
			e.fault = Fault(what)
		}
	}
	if _, err := os.Stat(e.kernel); err != nil {
		return 0, fmt.Errorf("could not open kernel file '%s': %w", e.kernel, err)
	}
	for id, fd := range descriptors {
		if id != "qmp" && !slices.Contains(serial, id) {
			e.ports[id] = os.NewFile(uintptr(fd), id)
		}
	}
	for _, id := range serial {
		file := os.NewFile(uintptr(descriptors[id]), id)
		if id == "console" {
			e.console = file
		} else {
			e.control = file
		}
	}
	if e.console == nil {
		if e.screen, e.console, err = newVGA(); err != nil {
			return 0, err
		}
		go e.screen.show()
	}
	return descriptors["qmp"], nil
}

// cardNumber is that of «nic0», «nic1» …
func cardNumber(netdev string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(netdev, "nic"))
	return n
}

// fields takes an option's value apart: «first,name=value,…», where two commas are one of a value.
func fields(value string) (first string, named map[string]string) {
	named = map[string]string{}
	for i, part := range strings.Split(strings.ReplaceAll(value, ",,", "\x00"), ",") {
		part = strings.ReplaceAll(part, "\x00", ",")
		if name, value, ok := strings.Cut(part, "="); ok {
			named[name] = value
		} else if i == 0 {
			first = part
		}
	}
	return first, named
}

// boot starts a guest, in the state that was saved of it if that is not nil. The caller holds e.mu, or is alone.
func (e *emulator) boot(saved *state) error {
	description, err := os.ReadFile(e.kernel)
	if err != nil {
		return err
	}
	files, err := e.disk.read()
	if err != nil {
		return err
	}
	start := begin{
		Fault: e.fault, Machine: e.name, Files: files, Saved: saved, Plugged: e.plugged, Serials: e.serials,
		Control: e.control != nil,
	}
	if e.fault == Crashes && e.resets == 0 {
		start.Fault = Panics
	}
	if err := json.Unmarshal(description, &start.Description); err != nil {
		return fmt.Errorf("%s: this is no kernel of a fake guest: %w", e.kernel, err)
	}
	if e.guest, err = startGuest(e, start); err != nil {
		return err
	}
	if e.fault == Dies {
		time.AfterFunc(50*time.Millisecond, func() { e.fail("internal error: the fake dies") })
	}
	return nil
}

// kill ends the guest, if there is one. The caller holds e.mu.
func (e *emulator) kill() {
	if e.guest != nil {
		e.guest.kill()
		e.guest = nil
	}
}

// keep writes what the guest has on its disk.
func (e *emulator) keep(files []byte) {
	if files == nil {
		return
	}
	if err := e.disk.write(files); err != nil {
		e.fail("%v", err)
	}
}

// reset starts the guest anew. The caller holds e.mu.
func (e *emulator) reset(byGuest bool) {
	e.kill()
	e.resets++
	e.status = "running"
	reason := "host-qmp-system-reset"
	if byGuest {
		reason = "guest-reset"
	}
	e.monitor.event("RESET", map[string]any{"guest": byGuest, "reason": reason})
	if err := e.boot(nil); err != nil {
		e.fail("%v", err)
	}
}

// heard acts on what a guest says. A guest that was replaced meanwhile is not heard.
func (e *emulator) heard(from *guest, said report) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.guest != from {
		return
	}
	switch said.What {
	case "off":
		e.keep(said.Files)
		e.monitor.event("SHUTDOWN", map[string]any{"guest": true, "reason": "guest-shutdown"})
		e.end(0)
	case "reset":
		e.keep(said.Files)
		e.reset(true)
	case "sync":
		e.keep(said.Files)
		if _, err := from.order(order{What: "synced"}); err != nil {
			e.fail("%v", err)
		}
	case "failed":
		e.fail("the fake guest: %s", said.Text)
	}
}

var errNoGuest = errors.New("the guest is gone")

// run carries out a QMP command. The answer is sent when it returns; then, if there is one, after is called.
func (e *emulator) run(command string, a map[string]any, file *os.File) (result any, after func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := func(name string) string { s, _ := a[name].(string); return s }
	switch command {
	case "query-status":
		return map[string]any{"status": e.status, "running": e.status == "running", "singlestep": false}, nil, nil
	case "query-cpus-fast": // the guest's shells are processes; of ours, this thread stands for its CPU
		return []map[string]any{{"cpu-index": 0, "thread-id": os.Getpid()}}, nil, nil
	case "migrate-set-capabilities", "migrate-set-parameters", "netdev_add":
		return nil, nil, nil
	case "stop":
		if e.status == "running" {
			if err := e.pause(); err != nil {
				return nil, nil, err
			}
			e.status = "paused"
			e.monitor.event("STOP", nil)
		}
		return nil, nil, nil
	case "cont":
		e.status = "running"
		e.monitor.event("RESUME", nil)
		for ; e.unseen > 0; e.unseen-- {
			if err := e.order(order{What: "plug", Plug: e.plugged[len(e.plugged)-e.unseen]}); err != nil {
				return nil, nil, err
			}
		}
		return nil, nil, e.order(order{What: "run"})
	case "getfd":
		if file == nil {
			return nil, nil, errors.New("no file descriptor supplied via SCM_RIGHTS")
		}
		e.monitor.files[text("fdname")] = file
		return nil, nil, nil
	case "migrate":
		return nil, func() { e.save(strings.TrimPrefix(text("uri"), "fd:")) }, nil
	case "migrate-incoming":
		return nil, func() { e.load(strings.TrimPrefix(text("uri"), "fd:")) }, nil
	case "device_add":
		if text("driver") == serialCard {
			e.serials = append(e.serials, text("chardev"))
			return nil, nil, e.order(order{What: "serial", Serial: text("chardev")})
		}
		p := plug{Card: cardNumber(text("netdev")), MAC: text("mac")}
		e.plugged = append(e.plugged, p)
		if e.status == "paused" {
			e.unseen++
			return nil, nil, nil
		}
		return nil, nil, e.order(order{What: "plug", Plug: p})
	case "screendump", "pmemsave":
		if e.screen == nil {
			return nil, nil, errors.New("no console device")
		}
		data := e.screen.picture()
		if command == "pmemsave" {
			at, _ := a["val"].(float64)
			size, _ := a["size"].(float64)
			data = e.screen.memory(int(at), int(size))
		}
		return nil, nil, dump(text("filename"), data)
	case "query-mice":
		return []map[string]any{{"name": "PS/2 mouse", "index": 0, "absolute": false, "current": true}}, nil, nil
	case "send-key":
		var keys []string
		list, _ := a["keys"].([]any)
		for _, item := range list {
			key, _ := item.(map[string]any)
			name, _ := key["data"].(string)
			keys = append(keys, name)
		}
		return nil, nil, e.screen.press(keys)
	case "set_link":
		up, _ := a["up"].(bool)
		for i := range e.plugged {
			if p := &e.plugged[i]; p.Card == cardNumber(text("name")) {
				p.Out = !up
				if i >= len(e.plugged)-e.unseen {
					return nil, nil, nil
				}
				return nil, nil, e.order(order{What: "cable", Plug: *p})
			}
		}
		return nil, nil, fmt.Errorf("device %q not found", text("name"))
	case "system_reset":
		return nil, func() { e.mu.Lock(); defer e.mu.Unlock(); e.reset(false) }, nil
	case "system_powerdown":
		e.monitor.event("POWERDOWN", nil)
		return nil, nil, e.order(order{What: "button"})
	case "quit":
		if e.guest != nil && e.status == "running" {
			_ = e.pause() // so its files are on its disk; a guest that hangs loses them
		}
		e.monitor.event("SHUTDOWN", map[string]any{"guest": false, "reason": "host-qmp-quit"})
		return nil, func() { e.end(0) }, nil
	}
	return nil, nil, fmt.Errorf("the command %s has not been found", command)
}

// order gives the guest an order, if there is one. The caller holds e.mu.
func (e *emulator) order(o order) error {
	if e.guest == nil {
		return nil
	}
	_, err := e.guest.order(o)
	return err
}

// pause stops the guest and writes its disk. The caller holds e.mu.
func (e *emulator) pause() error {
	if e.guest == nil {
		return errNoGuest
	}
	said, err := e.guest.order(order{What: "pause"})
	if err != nil {
		return err
	}
	e.guest.saved = said.Memory
	e.keep(said.Files)
	return nil
}

// save writes the machine's state into a file that came with getfd.
func (e *emulator) save(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	to := e.monitor.files[name]
	delete(e.monitor.files, name)
	if to == nil {
		e.monitor.migration("failed")
		return
	}
	e.monitor.migration("setup")
	if e.status == "running" {
		if err := e.pause(); err != nil {
			to.Close()
			e.monitor.migration("failed")
			return
		}
	}
	e.monitor.migration("active")
	if e.fault == Endless {
		e.monitor.files[name] = to // whoever reads it waits
		return
	}
	s := state{Plugged: e.plugged}
	if e.screen != nil {
		s.Screen = e.screen.saved()
	}
	if e.guest != nil {
		s.Guest = e.guest.saved
	}
	err := s.write(to)
	to.Close()
	if err != nil || e.fault == Unsaved {
		e.status = "paused"
		e.monitor.migration("failed")
		return
	}
	e.status = "postmigrate"
	e.monitor.migration("completed")
}

// load reads a state from an inherited descriptor, and has the guest stopped in it.
func (e *emulator) load(descriptor string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.monitor.migration("setup")
	e.monitor.migration("active")
	if e.fault == Endless {
		return
	}
	fd, err := strconv.Atoi(descriptor)
	var s *state
	if err == nil {
		from := os.NewFile(uintptr(fd), "state")
		s, err = readState(from)
		from.Close()
	}
	if err == nil && e.screen != nil {
		e.screen.restore(s.Screen)
	}
	if err == nil {
		if len(e.plugged) > 0 { // as the arguments say, with the cables as they were
			e.plugged = s.Plugged
		}
		err = e.boot(s)
	}
	if err != nil {
		e.monitor.migration("failed")
		e.fail("load of migration failed: Invalid argument (%v)", err)
		return
	}
	e.status = "paused"
	e.monitor.migration("completed")
}
