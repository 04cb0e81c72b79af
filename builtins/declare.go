package builtins

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/lab"
)

// apiVersion is the version of this API that missions are written for.
const apiVersion = 1

func declarations() []Entry {
	const group = "Declaring"
	return []Entry{{
		Name:   "mission",
		Group:  group,
		Phase:  Declaring,
		Effect: Declares,
		call:   declareMission,
		Params: []Param{
			{Name: "title", Kind: Text, Doc: "what the lab is called"},
			{Name: "api", Kind: Integer, Doc: "the version of these builtins that the script is written for: 1"},
			{Name: "minutes", Kind: Integer, Default: "0", Doc: "how long a student will need"},
			{Name: "needs", Kind: Texts, Default: "[]", Doc: "`\"host\"` if the mission opens a shell on the host"},
			{
				Name:    "language",
				Kind:    Text,
				Default: `"en"`,
				Doc:     "the language that the script is written in; translations are files beside it",
			},
		},
		Summary: "name the mission; the first line of every script",
		Example: `mission(title = "Your First Week", api = 1, minutes = 30)`,
	}, {
		Name:    "network",
		Group:   group,
		Phase:   Declaring,
		Effect:  Declares,
		call:    declareNetwork,
		Result:  Network,
		Returns: "network",
		Params:  []Param{{Name: "name", Kind: Text, Doc: "a word of letters, digits and hyphens"}},
		Summary: "declare an Ethernet network of the lab",
		Detail:  "It is a switch inside labrun: no rights on the host are needed, and nothing outside the lab sees it.",
		Example: `lan = network("lan")`,
	}, {
		Name:    "uplink",
		Group:   group,
		Phase:   Declaring,
		Effect:  Declares,
		call:    declareUplink,
		Result:  Uplink,
		Returns: "uplink",
		Params: []Param{{
			Name:    "name",
			Kind:    Text,
			Default: `"uplink"`,
			Doc:     "what the guest calls that card; for the reader",
		}},
		Summary: "a network card's way out of the lab, for a machine's `nics`",
		Detail:  "The guest sees QEMU's user-mode network: 10.0.2.0/24 with DHCP, DNS and NAT.",
		Example: `router = machine("router7", nics = [uplink("uplink0"), lan])`,
	}, {
		Name:    "machine",
		Group:   group,
		Phase:   Declaring,
		Effect:  Declares,
		call:    declareMachine,
		Result:  Machine,
		Returns: "machine",
		Params: []Param{
			{Name: "name", Kind: Text, Doc: "a word of letters, digits and hyphens"},
			{
				Name:    "image",
				Kind:    Text,
				Default: `""`,
				Doc:     "what it boots, from images.lock; the same as its name if not given",
			},
			{Name: "nics", Kind: Cards, Default: "[]", Doc: "its network cards, in order: networks and uplinks"},
			{Name: "memory", Kind: Integer, Default: "0", Doc: "MiB; as the image says if not given"},
			{Name: "cpus", Kind: Integer, Default: "0", Doc: "virtual CPUs; as the image says if not given"},
			{
				Name:    "hostname",
				Kind:    Text,
				Default: `""`,
				Doc:     "what it calls itself at its prompts; as the image does if not given",
			},
			{
				Name: "kernel", Kind: Text, Default: `""`, Keyword: true,
				Doc: "a kernel of your own instead of the image's: a file beside the script, or in `source`",
			},
			{Name: "initrd", Kind: Text, Default: `""`, Keyword: true, Doc: "its first file system, likewise"},
			{
				Name: "cmdline", Kind: Text, Default: `""`, Keyword: true,
				Doc: "what that kernel is told; as the image says if not given",
			},
			{
				Name: "arch", Kind: Text, Default: `""`, Keyword: true,
				Doc: "the processor, of a machine with a kernel of your own: " + strings.Join(arches(), ", "),
			},
			{
				Name: "packages", Kind: Texts, Default: "[]", Keyword: true,
				Doc: "packages of Debian's that its image has besides, such as `\"gcc\"`, or `\"gcc=4:12.2.0-3\"`",
			},
			{
				Name: "files", Kind: Files, Default: "{}", Keyword: true,
				Doc: "files and folders that its image has besides: a path in the guest, and one of the script's folder, or `(path, \"user:group\")`",
			},
			{
				Name: "setup", Kind: Text, Default: `""`, Keyword: true,
				Doc: "a shell script of the script's folder that is run as root, once, while that image is made",
			},
			{
				Name: "source", Kind: Text, Default: `""`, Keyword: true,
				Doc: "a folder beside the script with the kernel's sources: each student gets a copy",
			},
			{
				Name: "build", Kind: Text, Default: `""`, Keyword: true,
				Doc: "the shell command that makes the kernel, such as `\"make\"`: in the student's copy, or where the script lies",
			},
		},
		Summary: "declare a virtual machine",
		Detail: "The value has the fields `name` and `image`. `labrun images show IMAGE` tells what is in it, and which cards it expects: " +
			"a router's first one leads outside, to an uplink or to a network, and its second one is where it serves.\n\n" +
			"With `packages`, `files` or `setup` an image is made of the other one, once, in less than a minute, and kept: " +
			"[authoring.md](authoring.md#a-machine-made-for-the-lab) tells how.\n\n" +
			"With a `kernel` of your own the machine needs no image: [processors.md](processors.md#a-kernel-of-your-own) tells how such a kernel is built, " +
			"booted and checked.",
		Example: `debian = machine("debian", nics = [lan])
workshop = machine("workshop", image = "debian", packages = ["sudo", "gcc"], files = {"/opt/lab": "./pack"}, setup = "./install.sh")
board = machine("board", arch = "riscv64", source = "tiny", build = "make", kernel = "kernel.elf")`,
	}, {
		Name:   "step",
		Group:  group,
		Phase:  Declaring,
		Effect: Declares,
		call:   declareStep,
		Params: []Param{{
			Name: "function",
			Kind: Function,
			Doc: "a function without parameters; the first line of its docstring is the step's title, the rest " +
				"its narration in Markdown",
		}},
		Summary: "make a function the mission's next step",
		Example: "def meet_the_router():\n    \"\"\"Meet the router\"\"\"\n    boot(router)\n    " +
			"wait_prompt(router)\n\nstep(meet_the_router)",
	}, {
		Name:   "challenge",
		Group:  group,
		Phase:  Declaring,
		Effect: Declares,
		call:   declareChallenge,
		Params: []Param{
			{
				Name: "function", Kind: Function,
				Doc: "as a step's: the first line of its docstring is the challenge's title, the rest its narration",
			},
			{
				Name: "setup", Kind: Function, Default: "None", Keyword: true, For: ForSetup,
				Doc: "a function without parameters with what has to be there first: labrun plays it, unseen, when the challenge " +
					"is entered for the first time, and again when it is reset",
			},
		},
		Summary: "make a function the mission's next challenge",
		Detail: "Challenges that follow one another are a board: a student takes them in any order, leaves one and comes back to it, and resets one. " +
			"Played by labrun they come in the order of the script, or with `--shuffle` in another. What all of them use, such as a machine that is on, a step before them has to do. " +
			"A `setup` removes first what an earlier playing may have left: it must be able to begin anew, and it touches nothing of the other challenges.",
		Example: `def lock_the_note():
    run(debian, "echo secret > /srv/note; chmod 644 /srv/note", check = True)

def only_yours():
    return run(debian, "stat -c %a /srv/note").stdout.strip() == "600"

def keep_it_private():
    """Keep it private"""
    task(debian, "Let nobody but root read /srv/note.", solution = "chmod 600 /srv/note", check = only_yours)

challenge(keep_it_private, setup = lock_the_note)`,
	}}
}

func declareMission(c *call) (starlark.Value, error) {
	if c.titled {
		return nil, fmt.Errorf("mission: it is called a second time: a script is one mission")
	}
	if v := c.integer("api"); v != apiVersion {
		return nil, fmt.Errorf(
			"mission: api = %d: this labrun knows version %d only: install a labrun that knows it, or change the script", v, apiVersion,
		)
	}
	if strings.TrimSpace(c.text("title")) == "" {
		return nil, fmt.Errorf("mission: title is empty")
	}
	if c.integer("minutes") < 0 {
		return nil, fmt.Errorf("mission: minutes = %d: want 0 or more", c.integer("minutes"))
	}
	for _, need := range c.texts("needs") {
		if need != "host" {
			return nil, fmt.Errorf("mission: needs: %q is unknown: \"host\" is all that can be needed", need)
		}
	}
	c.titled = true
	c.declared.Language = c.text("language")
	c.declared.Title, c.declared.Minutes, c.declared.Needs = c.text("title"), c.integer("minutes"), c.texts("needs")
	return nil, nil
}

// word is what machines and networks may be called: it becomes part of file
// names and of QEMU's options.
var word = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

func (c *call) newName() (string, error) {
	name := c.text("name")
	if !word.MatchString(name) {
		return "", fmt.Errorf(
			"%s: name %q: want lower-case letters, digits and hyphens, 31 at most", c.entry.Name, name,
		)
	}
	taken := slices.Contains(c.declared.Networks, name)
	for _, m := range c.declared.Machines {
		taken = taken || m.Name == name
	}
	if taken {
		return "", fmt.Errorf("%s: name %q is taken already", c.entry.Name, name)
	}
	return name, nil
}

func declareNetwork(c *call) (starlark.Value, error) {
	name, err := c.newName()
	if err != nil {
		return nil, err
	}
	c.declared.Networks = append(c.declared.Networks, name)
	return &network{label: name}, nil
}

func declareUplink(c *call) (starlark.Value, error) {
	return &uplink{label: c.text("name")}, nil
}

// The bounds of what a mission may ask for: a slip in a script must not take the
// host down.
const (
	mostCards  = 8
	mostMemory = 64 << 10 // MiB
	mostCPUs   = 16
)

// hostname is a label of RFC 1123, in lower case and with a letter first, as people
// name machines.
var hostname = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

func declareMachine(c *call) (starlark.Value, error) {
	name, err := c.newName()
	if err != nil {
		return nil, err
	}
	config := lab.MachineConfig{
		Name: name, Image: c.text("image"), Memory: c.integer("memory"), CPUs: c.integer("cpus"),
		Hostname: c.text("hostname"),
	}
	if config.Kernel, err = c.ownKernel(); err != nil {
		return nil, err
	}
	if config.Image == "" && config.Kernel == nil {
		config.Image = name
	}
	if config.Image != "" && !slices.Contains(c.images, config.Image) {
		return nil, fmt.Errorf(
			"machine: image %q is not in images.lock%s: there are %s", config.Image,
			Suggest(config.Image, c.images), strings.Join(c.images, ", "),
		)
	}
	if config.Derived, err = c.derivation(config); err != nil {
		return nil, err
	}
	cards := c.list("nics")
	switch {
	case len(c.declared.Machines) == lab.MostMachines:
		return nil, fmt.Errorf("machine: a mission may have %d machines at most", lab.MostMachines)
	case len(cards) > mostCards:
		return nil, fmt.Errorf("machine: nics: %d cards: at most %d are possible", len(cards), mostCards)
	case config.Memory != 0 && (config.Memory < 32 || config.Memory > mostMemory):
		return nil, fmt.Errorf("machine: memory = %d: want MiB from 32 to %d", config.Memory, mostMemory)
	case config.Hostname != "" && !hostname.MatchString(config.Hostname):
		return nil, fmt.Errorf(
			"machine: hostname = %q: want at most 63 lower-case letters, digits and hyphens, a letter first",
			config.Hostname,
		)
	case config.CPUs < 0 || config.CPUs > mostCPUs:
		return nil, fmt.Errorf("machine: cpus = %d: want from 1 to %d", config.CPUs, mostCPUs)
	}
	for _, card := range cards {
		switch card := card.(type) {
		case *network:
			config.NICs = append(config.NICs, lab.NICConfig{Network: card.label})
		case *uplink:
			config.NICs = append(config.NICs, lab.NICConfig{Uplink: true})
		}
	}
	c.declared.Machines = append(c.declared.Machines, config)
	return &machine{config: config}, nil
}

func declareStep(c *call) (starlark.Value, error) {
	step, err := c.newStep()
	if err != nil {
		return nil, err
	}
	c.declared.Steps = append(c.declared.Steps, step)
	return nil, nil
}

func declareChallenge(c *call) (starlark.Value, error) {
	step, err := c.newStep()
	if err != nil {
		return nil, err
	}
	for _, other := range c.declared.Steps {
		if other.Function.Name() == step.Function.Name() {
			return nil, fmt.Errorf("challenge: %s is a step or a challenge already: each has a function of its own", other.Function.Name())
		}
	}
	step.Challenge = true
	if v, ok := c.value("setup"); ok {
		setup := v.(*starlark.Function)
		if setup.NumParams() > 0 {
			first, _ := setup.Param(0)
			return nil, fmt.Errorf("challenge: setup: %s has the parameter %s: it is called without any", setup.Name(), first)
		}
		step.Setup = setup
	}
	c.declared.Steps = append(c.declared.Steps, step)
	return nil, nil
}

// newStep is what a function, given to step or challenge, makes one with.
func (c *call) newStep() (Step, error) {
	v, _ := c.value("function")
	function, what := v.(*starlark.Function), c.entry.Name
	if function.NumParams() > 0 {
		first, _ := function.Param(0)
		return Step{}, fmt.Errorf("%s: %s has the parameter %s: a %s's function has none", what, function.Name(), first, what)
	}
	title, narration, _ := strings.Cut(strings.TrimSpace(function.Doc()), "\n")
	if title == "" {
		return Step{}, fmt.Errorf("%s: %s has no docstring: its first line is the %s's title", what, function.Name(), what)
	}
	return Step{
		Title: strings.TrimSpace(title), Narration: Dedent(narration), Function: function,
		Position: c.thread.CallFrame(1).Pos,
	}, nil
}

// Dedent removes the indentation that all lines of a docstring share.
func Dedent(text string) string {
	lines := strings.Split(text, "\n")
	shared := -1
	for _, line := range lines {
		if body := strings.TrimLeft(line, " "); body != "" && (shared < 0 || len(line)-len(body) < shared) {
			shared = len(line) - len(body)
		}
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(line[min(max(shared, 0), len(line)):], " ")
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
