package builtins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/qemu"
	"github.com/labrun/labrun/internal/workshop"
)

// A kernel of the course's own: what machine(…, kernel = …) declares, and what a task on such
// a machine is. Its student works in no console but in an editor, so it is the sources that
// are watched: whenever something there has changed, the kernel is made and booted anew.

func kernels() []Entry {
	return []Entry{{
		Name:   "edit",
		Group:  "Tasks",
		Phase:  Acting,
		Effect: Changes,
		call:   edit,
		Params: []Param{m,
			{Name: "file", Kind: Text, Doc: "a file of its kernel's sources"},
			{Name: "old", Kind: Text, Doc: "a text that is in it once"},
			{Name: "new", Kind: Text, Doc: "what stands there instead"},
		},
		Summary: "change the source of a machine's own kernel",
		Detail: "For the solution of a task: students do it with their editor. A file that has the new text already stays as it is. " +
			"The task then builds and boots the kernel.",
		Example: `def solve():
    edit(board, "kernel.c", old = "Hello, world", new = "Hello, Nini")`,
	}}
}

func arches() []string {
	var names []string
	for _, a := range qemu.Arches {
		names = append(names, a.Name)
	}
	return names
}

// ownKernel is what machine declares of a kernel of its own; nil: there is none.
func (c *call) ownKernel() (*lab.KernelConfig, error) {
	k := &lab.KernelConfig{
		Arch: c.text("arch"), File: c.text("kernel"), Initrd: c.text("initrd"), Cmdline: c.text("cmdline"),
		Build: strings.TrimSpace(c.text("build")), Folder: c.folder.Path,
	}
	source := c.text("source")
	if k.File == "" {
		for _, name := range []string{"arch", "initrd", "cmdline", "source", "build"} {
			if c.text(name) != "" {
				return nil, fmt.Errorf("machine: %s is for a kernel of your own: say kernel = too", name)
			}
		}
		return nil, nil
	}
	arch, ok := qemu.ArchOf(k.Arch)
	switch {
	case !ok:
		return nil, fmt.Errorf("machine: arch = %q%s: there are %s", k.Arch, Suggest(k.Arch, arches()), strings.Join(arches(), ", "))
	case (k.Build != "" || source != "") && !slices.Contains(c.declared.Needs, "host"):
		return nil, errors.New(
			`machine: a kernel is built on the host: say so before, in mission(…, needs = ["host"]), and its user is asked`,
		)
	}
	files := c.folder.Files
	if source != "" {
		if err := within("source", source); err != nil {
			return nil, err
		}
		var err error
		if k.Sources, err = workshop.ReadFiles(files, source); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = errors.New("there is no such folder beside the script")
			}
			return nil, fmt.Errorf("machine: source = %q: %w", source, err)
		}
		k.Name = "my-" + path.Base(source)
		if files, err = fs.Sub(files, source); err != nil {
			return nil, err
		}
	} else if k.Folder == "" {
		return nil, errors.New("machine: this script is in no folder of this computer: give the kernel's sources with source =")
	}
	for _, file := range []struct{ parameter, name string }{{"kernel", k.File}, {"initrd", k.Initrd}} {
		if file.name == "" {
			continue
		}
		if err := within(file.parameter, file.name); err != nil {
			return nil, err
		}
		if k.Build == "" {
			if err := bootable(files, file.name, arch, file.parameter == "kernel" && (k.Arch != "" || c.text("image") == "")); err != nil {
				return nil, fmt.Errorf("machine: %s = %q: %w", file.parameter, file.name, plainly(err))
			}
		}
	}
	return k, nil
}

// within refuses a path that leaves the script's folder.
func within(parameter, name string) error {
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("machine: %s = %q: want the path of a file within the script's folder", parameter, name)
	}
	return nil
}

// bootable looks at a file that is there already. Of a kernel, it reads what that is for.
func bootable(files fs.FS, name string, arch qemu.Arch, kernel bool) error {
	file, err := files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	at, ok := file.(io.ReaderAt)
	if !ok || !kernel {
		return nil // it is looked at when it is booted
	}
	_, err = arch.CheckKernel(at)
	return err
}

// plainly leaves out Go's name of an operation on a file.
func plainly(err error) error {
	var failed *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file in the script's folder: make it first, or say how, with build =")
	case errors.As(err, &failed):
		return failed.Err
	}
	return err
}

func edit(c *call) (starlark.Value, error) {
	file := c.text("file")
	c.acted(c.machine("machine").name(), file)
	return nil, c.guest("machine").Edit(file, c.text("old"), c.text("new"))
}

// ownMachine returns the machine that a task is about, if its kernel is the course's own.
func (c *call) ownMachine() (*lab.Machine, bool) {
	m, ok := c.talker("on").(*machine)
	if !ok || m.config.Kernel == nil {
		return nil, false
	}
	return c.lab.Machine(m.config.Name), true
}

// notBuilt turns an error that is the fault of who writes the kernel into a check's: what the
// compiler says is what the student has to know.
func (c *call) notBuilt(err error) error {
	var built *workshop.BuildError
	var kernel *lab.KernelError
	switch {
	case errors.As(err, &built):
	case errors.As(err, &kernel):
	default:
		return err
	}
	failure := &CheckError{Builtin: c.entry.Name, Message: err.Error()}
	switch { // a student is told nothing but the hint
	case c.led != nil && built != nil:
		failure.Hint = c.builtBadly(built).String()
	case c.led != nil:
		failure.Hint = kernel.Error()
	}
	return failure
}

// builtBadly is what a student is told of a kernel that did not build.
func (c *call) builtBadly(err *workshop.BuildError) guide.Text {
	said := "\n\n    " + strings.ReplaceAll(err.Output, "\n", "\n    ")
	what := c.phrase("not built", err.Command)
	return func() string { return what.String() + said }
}

// renewed boots the kernel anew if its sources have changed, in a task that labrun does.
func (c *call) renewed(ctx context.Context) error {
	m, ok := c.ownMachine()
	if !ok {
		return nil
	}
	_, err := m.Refresh(ctx)
	return c.notBuilt(err)
}

// leadKernelTask has the student work on the machine's kernel.
func leadKernelTask(c *call, m *lab.Machine) (starlark.Value, error) {
	i := guide.Instruction{
		Console: m.Name(), Text: c.text("prompt"), Show: c.phrase("do kernel", m.Workshop()),
		Goal: c.told("prompt"), Hints: c.translations(c.texts("hints")), Solve: true,
	}
	again := make(chan struct{}, 1)
	i.Check = func() {
		select {
		case again <- struct{}{}:
		default:
		}
	}
	done, err := c.instruct(i, func(ctx context.Context) error { return c.awaitKernel(ctx, m, again) })
	if err != nil {
		return nil, err
	}
	if !done {
		return doTask(c)
	}
	return nil, c.check(true, c.text("prompt"), "", "")
}

// kernelQuiet is how long a kernel that was booted has to say nothing more, until it is said
// that it does not reach the goal.
const kernelQuiet = 2 * time.Second

// awaitKernel makes the task's check until it holds. Whenever the sources have changed, the
// kernel is made and booted anew, and the student told what came of it.
func (c *call) awaitKernel(ctx context.Context, m *lab.Machine, again <-chan struct{}) error {
	attempts, judged := 0, 0
	asked, answered := 0, 0 // how often the student asked
	for {
		tried, err := m.Refresh(ctx)
		if tried {
			attempts++
		}
		var built *workshop.BuildError
		var kernel *lab.KernelError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &built):
			judged = attempts
			c.led.dialogue.Missed(fmt.Sprintf("%s/%d", m.Name(), attempts), c.builtBadly(built), false)
		case errors.As(err, &kernel):
			judged = attempts
			c.led.dialogue.Missed(fmt.Sprintf("%s/%d", m.Name(), attempts), guide.Plain(kernel.Error()), false)
		case err != nil:
			return err
		case tried:
			c.led.dialogue.Remark("built", m.Name())
		}
		if err == nil {
			failure, _, err := c.look(ctx)
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				return err
			case failure == nil:
				return nil
			}
			if attempts > judged && quiet(m) || asked > answered {
				judged, answered = attempts, asked
				reason := c.phrase("goal")
				if failure.Hint != "" {
					reason = c.translation(failure.Hint)
				}
				c.led.dialogue.Missed(fmt.Sprintf("%s/%d/%d", m.Name(), attempts, asked), reason, false)
			}
		}
		if err := c.moved(ctx, again, &asked); err != nil {
			return err
		}
	}
}

// quiet reports whether a machine says nothing more.
func quiet(m *lab.Machine) bool {
	terminal, err := m.Console()
	return err == nil && !terminal.LastByte().IsZero() && time.Since(terminal.LastByte()) > kernelQuiet
}

// tryKernelTask plays such a task in a trial. A student's answers are files: a wrong one that
// is tried is a function that edits them.
func tryKernelTask(c *call, m *lab.Machine) (starlark.Value, error) {
	i := Instruction{Task: true, Position: c.position(), Console: m.Name(), Text: c.text("prompt"), Wrong: c.answers("wrong")}
	for _, hint := range c.texts("hints") {
		i.Hints = append(i.Hints, c.translate(hint))
	}
	before, _, err := c.look(c.ctx)
	if err != nil {
		return nil, err
	}
	i.Solved = before == nil
	target, ended := c.rehearsal.came(i)
	if ended != nil {
		return nil, ended
	}
	if mistake := c.mistake(); target && mistake != nil {
		return nil, c.tryKernel(m, mistake)
	}
	return doTask(c)
}

// tryKernel has a function change the kernel's sources, and says what the task's check makes
// of the kernel then: once that has nothing more to say, or does not build.
func (c *call) tryKernel(m *lab.Machine, mistake starlark.Value) error {
	ctx, cancel := c.within()
	defer cancel()
	if _, err := c.aside(ctx, labrun{}, mistake); err != nil {
		return err
	}
	var failure *CheckError
	if err := c.renewed(ctx); errors.As(err, &failure) {
		return c.refuse(failure, Ended)
	} else if err != nil {
		return err
	}
	terminal, err := m.Console()
	if err != nil {
		return err
	}
	c.rehearsal.typed = terminal
	for {
		still := quiet(m)
		failure, _, err := c.look(c.ctx)
		switch {
		case err != nil:
			return err
		case failure == nil:
			return &Rehearsed{Held: true}
		case still:
			return c.refuse(failure, Ended)
		case host.Sleep(ctx, pollKernel) != nil:
			return c.refuse(failure, Working)
		}
	}
}

// pollKernel is the pause between two looks at what a kernel says.
const pollKernel = 250 * time.Millisecond
