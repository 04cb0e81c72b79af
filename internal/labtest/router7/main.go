// Router7 is the user land of a router for tests: gokrazy's own init, so that console, shell and log lines are the real
// thing's, and in place of router7's daemons small ones with the habits that a user of labrun can see. It is one
// program
// under several names, which keeps the guest's memory small.
//
// It is a module of its own: what it needs is nothing that labrun depends on.
package main

import (
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gokrazy/gokrazy"
	_ "github.com/gokrazy/kernel.amd64" // what the disk boots
)

const busybox = "/usr/local/bin/busybox"

// daemons are what init starts, by name: router7's.
var daemons = map[string]func() error{
	"netconfigd":     netconfigd,
	"dhcp4":          dhcp4,
	"dhcp4d":         dhcp4d,
	"dnsd":           dnsd,
	"serial-busybox": serialBusybox,
}

func main() {
	log.SetFlags(log.LstdFlags | log.Lshortfile)
	name := filepath.Base(os.Args[0])
	if daemon, ok := daemons[name]; ok {
		// As router7's daemons do: onto the console, whoever works there.
		if console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0); err == nil {
			log.SetOutput(console)
		}
		if err := daemon(); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := gokrazy.Boot("a guest for tests"); err != nil {
		log.Fatal(err)
	}
	var services []*gokrazy.Service
	for name := range daemons {
		services = append(services, gokrazy.NewService(exec.Command("/user/"+name)))
	}
	if err := gokrazy.SuperviseServices(services); err != nil {
		log.Fatal(err)
	}
	select {}
}

// serialBusybox puts the shell where init looks for one. The real one starts beside a dozen others, which takes
// as long.
func serialBusybox() error {
	time.Sleep(4 * time.Second)
	const shell = "/tmp/serial-busybox/ash"
	if err := os.MkdirAll(filepath.Dir(shell), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(busybox, shell); err != nil {
		return err
	}
	gokrazy.DontStartOnBoot()
	return nil
}
