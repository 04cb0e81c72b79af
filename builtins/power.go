package builtins

import (
	"fmt"
	"math"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/lab"
)

func power() []Entry {
	const group = "Power"
	return []Entry{{
		Name:   "boot",
		Group:  group,
		Phase:  Acting,
		Effect: Starts,
		call:   boot,
		lead:   leadBoot,
		asks:   "switch it on",
		Params: []Param{{Name: "machines", Kind: Machine, Variadic: true, Doc: "the machines to start"},
			{
				Name:    "student",
				Kind:    Boolean,
				Default: "True",
				Keyword: true,
				Doc: "in guided mode, have the student switch them on; False: labrun does, for machines that are not " +
					"what the lab is about",
			}},
		Summary: "start machines, side by side",
		Detail: "Returns as soon as the machines run; their systems boot on, and whatever waits for them waits. " +
			"A machine that runs already is left alone.",
		Example: `boot(debian, alpine)`,
	}, {
		Name:    "shutdown",
		Group:   group,
		Phase:   Acting,
		Effect:  Stops,
		call:    shutdown,
		Params:  []Param{m, timeout("60")},
		Summary: "press a machine's power button and wait until it is off",
		Detail:  "What it wrote to its disk is still there when it is booted again in the same run.",
		Example: `shutdown(alpine)`,
	}, {
		Name:    "reboot",
		Group:   group,
		Phase:   Acting,
		Effect:  Stops | Starts,
		call:    reboot,
		Params:  []Param{m, timeout("60")},
		Summary: "shut a machine down and boot it again",
		Detail:  "The time-out is for the shutdown; like boot, it returns when the machine runs again.",
		Example: `reboot(debian)`,
	}, {
		Name:    "boot_from",
		Group:   group,
		Phase:   Acting,
		Effect:  Runs,
		call:    bootFrom,
		Params:  []Param{m, {Name: "content", Kind: Anything, Doc: "what is to be there: bytes or a string"}, timeout("60")},
		Summary: "put something at the beginning of a machine's disk, such as a boot sector, and press its reset button",
		Detail: "For a machine that is on, has a screen, and boots from its disk. It returns when the screen stands still. A machine that " +
			"has booted from just this already is left alone, so a task's check may call it and then look at the screen: whatever a student " +
			"has made is booted once.",
		Example: `boot_from(pc, read_file(debian, "/root/boot.bin"))`,
	}}
}

func (c *call) guest(name string) *lab.Machine { return c.lab.Machine(c.machine(name).config.Name) }

func boot(c *call) (starlark.Value, error) {
	var machines []*lab.Machine
	var names []string
	for _, v := range c.list("machines") {
		name := v.(*machine).config.Name
		machines, names = append(machines, c.lab.Machine(name)), append(names, name)
	}
	c.acted(strings.Join(names, ", "), "")
	return nil, c.notBuilt(c.lab.Boot(c.ctx, machines...))
}

func shutdown(c *call) (starlark.Value, error) {
	ctx, cancel := c.within()
	defer cancel()
	c.acted(c.machine("machine").name(), "")
	return nil, c.guest("machine").Shutdown(ctx)
}

func reboot(c *call) (starlark.Value, error) {
	c.acted(c.machine("machine").name(), "")
	ctx, cancel := c.within()
	defer cancel()
	if err := c.guest("machine").Shutdown(ctx); err != nil {
		return nil, err
	}
	return nil, c.lab.Boot(c.ctx, c.guest("machine"))
}

func bootFrom(c *call) (starlark.Value, error) {
	data, err := c.bytes("content")
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data) > maxBootFrom {
		return nil, fmt.Errorf("boot_from: content has %d bytes: from 1 to %d are possible", len(data), maxBootFrom)
	}
	ctx, cancel := c.within()
	defer cancel()
	c.acted(c.machine("machine").name(), "")
	return nil, c.guest("machine").BootFrom(ctx, data)
}

// maxBootFrom is far more than a boot sector has, for a small system of a course's own.
const maxBootFrom = 1 << 20

// seconds turns a duration into the number a script sees.
func seconds(d time.Duration) starlark.Float {
	return starlark.Float(math.Round(d.Seconds()*100) / 100)
}
