package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/qemu"
)

// tool is a program that labrun needs, and the Debian package that has it.
type tool struct {
	program, pkg, why string // a program, or the path of another file

	use  use
	need need
}

// need is how much labrun needs a tool for a use.
type need int

const (
	must  need = iota
	may        // what it is for goes without it
	makes      // it makes images, which may also come finished: docs/bundles.md
)

// use is what somebody wants to do with labrun on this computer. Each needs what those before it need.
type use int

const (
	labs    use = iota // play labs, in a terminal
	page               // build the page of `labrun serve`: npm alone is some 400 packages, so it is for those who want it
	classes            // serve a class: deploy/jupyterhub
	test               // run labrun's own tests
)

// uses are their names on the command line; labs are always wanted.
var uses = map[string]use{"serve": page, "class": classes, "test": test}

// tools is the one list of what labrun needs from the system: doctor checks it
// and --mend installs it.
var tools = []tool{
	{qemu.Arches[0].Binary, qemu.Arches[0].Package, "runs the virtual machines", labs, must},
	{"qemu-img", "qemu-utils", "makes the machines' disks", labs, must},
	{"mmdebstrap", "mmdebstrap", "builds the images from Debian's packages", labs, makes},
	{"mke2fs", "e2fsprogs", "makes the images' file systems", labs, makes},
	{"fakeroot", "fakeroot", "builds images without being root", labs, makes},
	{"fakechroot", "fakechroot", "builds images without being root", labs, makes},
	{"newuidmap", "uidmap", "builds images without being root", labs, makes},
	{
		"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring",
		"tells that packages are Debian's", labs, makes,
	},
	{
		"/usr/share/OVMF/OVMF_CODE_4M.fd", qemu.FirmwarePackage, "boots disks that boot by UEFI alone", labs, may,
	},
	{"tmux", "tmux", "shows the guide and the consoles side by side (--tmux)", labs, may},
	{"npm", "npm", "gets the libraries of the page of labrun serve when labrun is built", page, must},
	{"/usr/share/seabios/bios.bin", "seabios", "starts PCs that run in a browser", page, must},
	{"jupyterhub", "jupyterhub", "gives each student of a class a server of their own", classes, must},
	{"configurable-http-proxy", "node-configurable-http-proxy", "leads browsers to the students' servers", classes, must},
	{"chromium", "chromium", "is a student's browser in labrun's own tests", test, must},
	{"nasm", "nasm", "assembles a guest with a screen in labrun's own tests", test, must},
	{"busybox", "busybox", "is a guest's shell in labrun's own tests", test, must},
	{"slurmctld", "slurmctld", "shares out the grading of submissions in one of labrun's own tests", test, must},
	{"slurmd", "slurmd", "is a node that grades in one of labrun's own tests", test, must},
	{"sbatch", "slurm-client", "hands in the grading to Slurm in one of labrun's own tests", test, must},
	{"munged", "munge", "tells Slurm who asks in one of labrun's own tests", test, must},
	{"python3", "python3-minimal", "reads the editors' stubs in one of labrun's own tests", test, must},
}

// systemPath is where system programs are that an ordinary user's PATH may lack.
const systemPath = "/usr/sbin:/sbin"

func (t tool) installed() bool {
	if strings.HasPrefix(t.program, "/") {
		_, err := os.Stat(t.program)
		return err == nil
	}
	if _, err := exec.LookPath(t.program); err == nil {
		return true
	}
	for _, dir := range strings.Split(systemPath, ":") {
		if _, err := exec.LookPath(dir + "/" + t.program); err == nil {
			return true
		}
	}
	return false
}

// needed are the tools that a use needs.
func needed(wanted use) []tool {
	return slices.DeleteFunc(slices.Clone(tools), func(t tool) bool { return t.use > wanted })
}

// finding is one line of doctor's report.
type finding struct {
	state string // «ok», «missing», «note»
	text  string
	mend  string // what the user can do, empty if nothing is needed
}

func (p *program) newDoctor() *cobra.Command {
	var mend bool
	c := &cobra.Command{
		Use:   "doctor [serve|class|test|PROCESSOR|MISSION]",
		Short: "what this computer has and lacks for running labs, and how to mend it",
		Long: `What this computer has and lacks for running labs, and how to mend it. With "serve" also for building labrun with
the page of labrun serve, with "class" for that and for a class on this server (docs/class.md), with "test" for all that
and for running labrun's own tests; with a processor such as riscv64, or
with a mission, also for machines with that one, or with that mission's.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			wanted, err := p.wishOf(c.Context(), c, args)
			if err != nil {
				return err
			}
			if mend {
				if err := p.mend(c.Context(), wanted); err != nil {
					return &environmentError{err}
				}
			}
			healthy, err := p.diagnose(c.Context(), wanted)
			if err != nil {
				return err
			}
			if !healthy && !image.CanMake() {
				fmt.Fprintln(p.Out, "\nSomething is missing.")
				return errReported(exitEnvironment)
			}
			if !healthy {
				again := strings.Join(append([]string{"labrun doctor --mend"}, args...), " ")
				fmt.Fprintf(p.Out, "\nSomething is missing; `%s` installs what apt-get can.\n", again)
				return errReported(exitEnvironment)
			}
			fmt.Fprintln(p.Out, "\nThis computer can run labs.")
			return nil
		},
	}
	c.Flags().BoolVar(&mend, "mend", false, "install what is missing with apt-get, as root or by sudo")
	return c
}

// diagnose prints what it finds, and reports whether nothing is missing.
func (p *program) diagnose(ctx context.Context, wanted wish) (healthy bool, err error) {
	lock, err := p.lock()
	if err != nil {
		return false, err
	}
	store, err := p.store(lock, nil)
	if err != nil {
		return false, err
	}
	defer store.Close()

	var findings []finding
	for _, limit := range host.Limits() {
		findings = append(findings, finding{state: "note", text: limit})
	}
	findings = append(findings, findTools(ctx, wanted, finished(store))...)
	findings = append(findings, findAcceleration(ctx, store), findMemory(store), findDisk(store))
	findings = append(findings, findImages(store)...)
	findings = append(findings, findPackages(ctx, store)...)
	healthy = true
	for _, f := range findings {
		fmt.Fprintf(p.Out, "%-8s %s\n", f.state, f.text)
		if f.mend != "" {
			fmt.Fprintf(p.Out, "%-8s mend it: %s\n", "", f.mend)
		}
		healthy = healthy && f.state != "missing"
	}
	return healthy, nil
}

// finished reports whether there are no images to be made for the first week's lab.
func finished(store *image.Store) bool {
	return !slices.ContainsFunc(weekOne, func(name string) bool {
		_, ok := store.Cached(name)
		return !ok
	})
}

func findTools(ctx context.Context, wanted wish, finished bool) []finding {
	var all []finding
	for _, t := range wanted.tools() {
		if t.installed() {
			all = append(all, finding{state: "ok", text: t.program + ": " + t.why})
			continue
		}
		f := finding{state: "missing", text: t.program + ": " + t.why, mend: install(t.pkg)}
		switch {
		case t.need == may:
			f.state = "note"
		case t.need == makes && finished:
			f = finding{state: "note", text: f.text + "; those of the first week are here"}
		case t.need == makes && !image.CanMake():
			continue // it would be of no use
		}
		all = append(all, f)
	}
	if v, _, err := qemu.Arches[0].InstalledVersion(ctx); err == nil && v != (qemu.Version{}) && !v.AtLeast(7, 2) {
		all = append(all, finding{
			state: "missing",
			text:  fmt.Sprintf("QEMU is %d.%d: labrun needs 7.2 or newer, for its networks", v.Major, v.Minor),
			mend:  "use Debian 12 or newer, Ubuntu 24.04 or newer",
		})
	}
	return all
}

// install says how to install a package of Debian's.
func install(packages ...string) string {
	if !image.CanMake() {
		return "install with this system's own package manager what Debian calls " + strings.Join(packages, " ")
	}
	return "sudo apt-get install " + strings.Join(packages, " ")
}

func findAcceleration(ctx context.Context, store *image.Store) finding {
	for _, name := range store.Names() {
		img, ok := store.Cached(name)
		if !ok || img.Kernel == "" {
			continue
		}
		arch, known := qemu.ArchOf(img.Arch)
		if !known || !arch.Fits() {
			continue
		}
		verdict, err := qemu.Probe(ctx, arch, img.Kernel, store.Dir())
		if err != nil {
			return finding{state: "note", text: "acceleration: not known: " + err.Error()}
		}
		if verdict.Accel == qemu.KVM {
			return finding{state: "ok", text: "acceleration: " + verdict.Reason}
		}
		reason := verdict.Reason
		if verdict.Detail != "" {
			reason += " (" + verdict.Detail + ")"
		}
		return finding{state: "note", text: "acceleration: none: " + reason + "; labs run all the same, slower"}
	}
	if _, err := os.Stat("/dev/kvm"); err != nil {
		return finding{state: "note", text: "acceleration: none: there is no /dev/kvm; labs run all the same, slower"}
	}
	return finding{
		state: "note", text: "acceleration: there is /dev/kvm; whether it works is tried out with the first image",
	}
}

// weekOne are the images of the first week's lab, the measure of enough.
var weekOne = []string{"router7", "debian", "alpine"}

func findMemory(store *image.Store) finding {
	need := 0
	for _, name := range weekOne {
		profile, _ := store.Profile(name)
		if img, ok := store.Cached(name); ok {
			profile = img.Profile
		}
		need += profile.Memory + qemu.OwnMemory
	}
	free, err := host.AvailableMemory()
	if err != nil {
		return finding{state: "note", text: "memory: not known: " + err.Error()}
	}
	text := fmt.Sprintf("memory: %d MiB are free, the first week's lab needs %d", free, need)
	if free < need {
		return finding{
			state: "missing", text: text,
			mend: "close other programs, or choose a larger machine type for the cloud IDE",
		}
	}
	return finding{state: "ok", text: text}
}

// roomForImages is what building all images takes, in MiB.
const roomForImages = 2500

func findDisk(store *image.Store) finding {
	free, err := store.FreeSpace()
	if err != nil {
		return finding{state: "note", text: "disk: not known: " + err.Error()}
	}
	text := fmt.Sprintf(
		"disk: %d MiB are free in %s, building all images takes %d", free>>20, store.Dir(), roomForImages,
	)
	if free>>20 < roomForImages {
		return finding{
			state: "note", text: text, mend: "labrun images gc, or set LABRUN_CACHE to a folder with more room",
		}
	}
	return finding{state: "ok", text: text}
}

func findImages(store *image.Store) []finding {
	var all []finding
	for _, name := range weekOne {
		img, ok := store.Cached(name)
		switch {
		case !ok && !image.CanMake():
			all = append(all, finding{
				state: "missing", text: "image " + name + ": not here, and this computer cannot make it", mend: image.NoApt,
			})
		case !ok:
			all = append(
				all,
				finding{
					state: "note",
					text:  "image " + name + ": not here yet; the first run gets it, or `labrun images fetch`",
				},
			)
		case img.StandIn != "":
			all = append(
				all,
				finding{state: "ok", text: fmt.Sprintf("image %s: the stand-in %s: %s", name, img.StandIn, img.Why)},
			)
		default:
			all = append(all, finding{state: "ok", text: "image " + name + ": " + img.Source})
		}
	}
	return all
}

// findPackages asks for Debian's packages, unless all images are here that would be
// made of them.
func findPackages(ctx context.Context, store *image.Store) []finding {
	if finished(store) || !image.CanMake() {
		return nil
	}
	releases, err := store.CheckDebian(ctx, weekOne...)
	text := "packages of Debian " + strings.Join(releases, ", ") + ", which images are made of"
	if err != nil {
		return []finding{{state: "missing", text: text, mend: err.Error()}}
	}
	return []finding{{state: "ok", text: text}}
}

// mend installs the packages of the missing tools.
func (p *program) mend(ctx context.Context, wanted wish) error {
	var packages []string
	for _, t := range wanted.tools() {
		if !t.installed() && (t.need != makes || image.CanMake()) {
			fmt.Fprintf(p.Err, "installing %s: it %s\n", t.pkg, t.why)
			if !slices.Contains(packages, t.pkg) {
				packages = append(packages, t.pkg)
			}
		}
	}
	if len(packages) == 0 {
		return nil
	}
	if !image.CanMake() {
		return errors.New("doctor: this system has no apt-get: " + install(packages...))
	}
	prefix := []string{"env", "DEBIAN_FRONTEND=noninteractive"}
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("sudo"); err != nil {
			return fmt.Errorf(
				"doctor: installing needs root, and there is no sudo: as root, say `apt-get install %s`",
				strings.Join(packages, " "),
			)
		}
		prefix = append([]string{"sudo"}, prefix...)
	}
	command := append([]string{"apt-get", "install", "-y", "-q", "--no-install-recommends"}, packages...)
	for _, args := range [][]string{{"apt-get", "update", "-q"}, command} {
		line := append(append([]string{}, prefix...), args...)
		fmt.Fprintf(p.Err, "$ %s\n", strings.Join(line, " "))
		c := exec.CommandContext(ctx, line[0], line[1:]...)
		c.Stdin, c.Stdout, c.Stderr = p.In, p.Err, p.Err
		if err := c.Run(); err != nil {
			return fmt.Errorf("doctor: %s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}
