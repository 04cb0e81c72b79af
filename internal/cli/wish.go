package cli

import (
	"context"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/qemu"
)

// wish is what doctor looks at a computer for.
type wish struct {
	use    use
	arches []string // the processors of machines, besides the usual one
	builds bool     // kernels for them are built here
}

// compilers make kernels for a processor, by its name.
var compilers = map[string]tool{
	"x86_64":  {program: "gcc", pkg: "gcc"},
	"i386":    {program: "gcc", pkg: "gcc"},
	"aarch64": {program: "aarch64-linux-gnu-gcc", pkg: "gcc-aarch64-linux-gnu"},
	"arm":     {program: "arm-linux-gnueabihf-gcc", pkg: "gcc-arm-linux-gnueabihf"},
	"riscv64": {program: "riscv64-linux-gnu-gcc", pkg: "gcc-riscv64-linux-gnu"},
	"riscv32": {program: "riscv64-linux-gnu-gcc", pkg: "gcc-riscv64-linux-gnu"}, // it has both
	"ppc64le": {program: "powerpc64le-linux-gnu-gcc", pkg: "gcc-powerpc64le-linux-gnu"},
}

// testedArches are the processors that labrun's own tests have machines with.
var testedArches = []string{"aarch64", "riscv64"}

// wishOf is what an argument of doctor's means: a use, a processor, or a mission, which needs
// those of its machines.
func (p *program) wishOf(ctx context.Context, c *cobra.Command, args []string) (wish, error) {
	if len(args) == 0 {
		return wish{}, nil
	}
	if u, ok := uses[args[0]]; ok {
		w := wish{use: u}
		if u == test {
			w.arches, w.builds = testedArches, true
		}
		return w, nil
	}
	if arch, ok := qemu.ArchOf(args[0]); ok && args[0] != "" {
		return wish{arches: []string{arch.Name}}, nil
	}
	lock, err := p.lock()
	if err != nil {
		return wish{}, err
	}
	options, err := p.loading(lock)
	if err != nil {
		return wish{}, err
	}
	m, err := p.load(ctx, c, args[0], options)
	if err != nil {
		return wish{}, err
	}
	w := wish{}
	for _, machine := range m.Declared().Machines {
		profile, _ := lock.Profile(machine.Image)
		name := profile.Arch
		if machine.Kernel != nil && machine.Kernel.Arch != "" {
			name = machine.Kernel.Arch
		}
		arch, _ := qemu.ArchOf(name)
		if !slices.Contains(w.arches, arch.Name) {
			w.arches = append(w.arches, arch.Name)
		}
		w.builds = w.builds || machine.Kernel != nil && machine.Kernel.Build != ""
	}
	return w, nil
}

// tools are what it takes: for its use, for the processors of its machines, and to build
// their kernels.
func (w wish) tools() []tool {
	all := needed(w.use)
	add := func(t tool) {
		if !slices.ContainsFunc(all, func(known tool) bool { return known.program == t.program }) {
			all = append(all, t)
		}
	}
	for _, name := range w.arches {
		arch, _ := qemu.ArchOf(name)
		add(tool{program: arch.Binary, pkg: arch.Package, why: "runs machines with the processor " + name})
	}
	for _, name := range w.arches {
		compiler := compilers[name]
		compiler.why = "builds kernels for " + name
		if !w.builds {
			compiler.need = may
		}
		add(compiler)
	}
	if w.builds {
		add(tool{program: "make", pkg: "make", why: "builds kernels"})
	}
	return all
}

// wishes are what doctor can be asked for by name, missions apart.
func wishes() []string {
	names := slices.Sorted(maps.Keys(uses))
	for _, a := range qemu.Arches {
		names = append(names, a.Name)
	}
	return names
}
