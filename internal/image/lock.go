package image

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/labrun/labrun/internal/guestos"
)

// Lock is a parsed images.lock: every image labrun knows, and its sources.
// It is immutable, so safe for concurrent use.
type Lock struct {
	images map[string]entry
	names  []string
	text   []byte // the file

	additions []lockAddition // of images that are made of others, in a mission's folder
}

// Profile is what a machine needs to know of an image before it boots it.
type Profile struct {
	Name     string `toml:"-"`
	Summary  string `toml:"summary"`  // one line for people
	Hostname string `toml:"hostname"` // as the guest calls itself
	// What the real image wants; a source, and a disk image that was added, may
	// want something else.
	Hardware
	Cmdline string `toml:"cmdline"` // kernel command line; empty if booted by the BIOS
	Browser bool   `toml:"browser"` // a page of a browser can hold the machine: 32-bit Linux that lives in its memory

	// What authors of missions ask about it.
	Runs  string   `toml:"runs"`  // by itself; for people
	Has   []string `toml:"has"`   // programs
	Lacks []string `toml:"lacks"` // programs that one might expect

	Console ConsoleProfile `toml:"console"`
	// Control is the guest's serial port with a root shell for labrun, such as "ttyS1";
	// empty: there is none.
	Control string           `toml:"-"`
	Guest   guestos.Commands `toml:"guest"` // what the guest does in another way than Linux at large

	Leases string `toml:"leases"` // the guest's file of DHCP leases; empty unless it is a router
	NICs   []NIC  `toml:"nics"`   // by position
}

// ConsoleProfile is how to get to a shell on an image's console. Each prompt
// matches the whole unfinished line the console ends in, without escape
// sequences; nil means that there is no such prompt.
type ConsoleProfile struct {
	User           string           `toml:"user"`
	Password       string           `toml:"password"`
	LoginPrompt    *regexp.Regexp   `toml:"login"`
	PasswordPrompt *regexp.Regexp   `toml:"password_prompt"`
	ShellPrompt    *regexp.Regexp   `toml:"shell"`
	Line           int              `toml:"line"`  // how many bytes the shell's line editor keeps of a line; 0: all
	Poke           bool             `toml:"poke"`  // nothing is prompted until Enter is pressed
	Noise          []*regexp.Regexp `toml:"noise"` // beginnings of daemons' log lines that land on the console
}

// NIC is a network card as the guest sees it.
type NIC struct {
	Name string `toml:"name"`
	MAC  string `toml:"mac"` // lower case, colons
	// Address is the IPv4 address that the guest gives the card by itself; invalid if
	// it gives none. A guest without a control channel is asked for it by ARP.
	Address netip.Addr `toml:"address"`
}

// entry is one table of images.lock.
type entry struct {
	Profile
	Original string   `toml:"original"` // what a user can do to get the real image
	Port     control  `toml:"control"`
	Sources  []source `toml:"sources"`
	addition          // to another image

	added bool // it is in no lock: see WithAdded
}

type control struct {
	Port string `toml:"port"`
}

// source is one way to an image: a recipe, or a download that is a disk image.
type source struct {
	Bundle  string  `toml:"bundle"` // in a registry, by its digest: see bundle.go
	Recipe  string  `toml:"recipe"`
	Inputs  []input `toml:"inputs"`
	StandIn string  `toml:"stand_in"` // what users know it by, if it is not the real thing
	Debian  string  `toml:"debian"`   // the release of Debian that the recipe takes packages of, such as "bookworm"
	Space   int64   `toml:"space"`    // MiB a build takes on the cache's disk, at its peak

	Hardware // where it differs from the profile's

	derived *Derivation // it is made of another image, by that one's source of
	of      *source
	folder  string // it is only known to be there, in that folder: see cachedDerived

	download
	File   string `toml:"file"`   // instead of the url: a file in the folder of the mission that the lock is beside
	Format string `toml:"format"` // that the disk image has to be of; empty: any
	Boot   string `toml:"boot"`   // what the disk has to boot by, bios or uefi; empty: what it can, or a recipe's kernel
	Member string `toml:"member"` // the file of an archive that it is; empty: the only disk there
}

// input is a file or folder a recipe is given.
type input struct {
	Name string `toml:"name"`
	download
	GoMod   string `toml:"gomod"`
	Version string `toml:"version"`
	Sum     string `toml:"sum"`   // as in go.sum
	Image   string `toml:"image"` // another image, which this one is made of
}

// download is a file at a URL. Size is in bytes, -1 if unknown; the digests are
// lower-case hexadecimal.
type download struct {
	URL    string `toml:"url"`
	Size   int64  `toml:"size"`
	SHA256 string `toml:"sha256"`
	SHA512 string `toml:"sha512"`

	part *part // of a bundle; nil: it is in images.lock
}

// authority is what says how large it is and which digest it has.
func (d download) authority() string {
	if d.part != nil {
		return "the bundle"
	}
	return LockFileName
}

// shown is what errors call it, which is got from there.
func (d download) shown(from string) string {
	if d.part != nil {
		return d.part.title + " of " + d.part.depot.name()
	}
	return from
}

// title is what progress calls it.
func (d download) title() string {
	if d.part != nil {
		return d.part.title
	}
	return path.Base(d.URL)
}

// id names the content of d, and its file in the cache.
func (d download) id() string {
	if d.SHA256 != "" {
		return "sha256-" + d.SHA256
	}
	return "sha512-" + d.SHA512
}

// id names the content of in.
func (in input) id() string {
	if in.GoMod != "" {
		return in.GoMod + "@" + in.Version + " " + in.Sum
	}
	return in.download.id()
}

// String is how messages call the source.
func (s source) String() string {
	switch {
	case s.derived != nil:
		return s.of.String() + ", with additions"
	case s.folder != "":
		return "an image, with additions"
	case s.Bundle != "":
		ref, _, _ := strings.Cut(s.Bundle, "@")
		return "bundle " + ref
	case s.Recipe != "":
		return "recipe " + s.Recipe
	case s.File != "":
		return "file " + path.Base(s.File)
	}
	return "download " + path.Base(s.URL)
}

// Names returns the names of all images, sorted.
func (l *Lock) Names() []string { return slices.Clone(l.names) }

// has returns the entry of the image called name. A nil lock has none.
func (l *Lock) has(name string) (entry, bool) {
	if l == nil {
		return entry{}, false
	}
	e, ok := l.images[name]
	return e, ok
}

// hasRecipe reports whether an image is made by that recipe.
func (l *Lock) hasRecipe(name string) bool {
	for _, e := range l.images {
		if slices.ContainsFunc(e.Sources, func(s source) bool { return s.Recipe == name }) {
			return true
		}
	}
	return false
}

// Profile returns the profile of the image called name.
func (l *Lock) Profile(name string) (Profile, bool) {
	e, ok := l.images[name]
	return e.profile(), ok
}

// base returns the source of an image that another one is made of. A bundle of it has what
// machines need, and not what recipes do.
func (l *Lock) base(name string) (source, bool) {
	sources := slices.DeleteFunc(slices.Clone(l.images[name].Sources), func(s source) bool { return s.Bundle != "" })
	if len(sources) == 0 || sources[0].Recipe == "" {
		return source{}, false
	}
	return sources[0], !slices.ContainsFunc(sources[0].Inputs, func(in input) bool { return in.Image != "" })
}

// profile is a copy: a caller may change its NICs.
func (e entry) profile() Profile {
	p := e.Profile
	p.NICs = slices.Clone(p.NICs)
	return p
}

// LockFileName is what a lock is called.
const LockFileName = "images.lock"

// ParseLock reads images.lock. It refuses what it does not know. The error is a
// [*LockError].
func ParseLock(data []byte) (*Lock, error) { return parseLock(data, LockFileName, nil, nil) }

// LockError is all that is wrong with a lock file; if it is no TOML, the first of it.
type LockError struct {
	File   string // as it was named
	Faults []LockFault
}

// LockFault is one fault of a lock file.
type LockFault struct {
	Line int // from 1
	Text string
}

func (e *LockError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Sprintf("%s:%d: %s", e.File, f.Line, f.Text)
	}
	return strings.Join(lines, "\n")
}

// parseLock reads a lock; own, unless nil, is labrun's, beside which it is a mission's, in a folder.
func parseLock(data []byte, shown string, own *Lock, folder fs.FS) (*Lock, error) {
	var file struct {
		Version int                       `toml:"version"`
		Images  map[string]toml.Primitive `toml:"images"`
	}
	noTOML := func(err error) error {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			return &LockError{shown, []LockFault{{pe.Position.Line, pe.Message}}}
		}
		line := 1
		fmt.Sscanf(err.Error(), "toml: line %d", &line) // of values of a wrong type the library tells it in words only
		_, text, ok := strings.Cut(err.Error(), "): ")
		if !ok {
			text = err.Error()
		}
		return &LockError{shown, []LockFault{{line, text}}}
	}
	md, err := toml.Decode(string(data), &file)
	if err != nil {
		return nil, noTOML(err)
	}
	c := &checker{lines: strings.Split(string(data), "\n"), own: own, folder: folder}
	images := map[string]entry{}
	for _, name := range slices.Sorted(maps.Keys(file.Images)) {
		var of addition
		if err := md.PrimitiveDecode(file.Images[name], &of); err != nil {
			return nil, noTOML(err)
		}
		e := c.foundation(name, of)
		if err := md.PrimitiveDecode(file.Images[name], &e); err != nil {
			return nil, noTOML(err)
		}
		images[name] = e
	}
	for _, key := range md.Undecoded() {
		c.fault(strings.Join(key[:len(key)-1], "."), 0, key[len(key)-1], "unknown key %q", key)
	}
	if file.Version != 1 {
		c.fault("", 0, "version", "version is %d; this labrun reads version 1", file.Version)
	}
	l := &Lock{images: map[string]entry{}, text: data}
	for name, e := range images {
		e.Name = name
		e.Profile.Control = e.Port.Port
		if e.From != "" {
			e = c.complete(l, shown, e)
		}
		c.entry(e)
		l.images[name] = e
		l.names = append(l.names, name)
	}
	if len(l.names) == 0 {
		c.fault("", 0, "", "no images")
	}
	for name, e := range images {
		for i, s := range e.Sources {
			for _, in := range s.Inputs {
				if _, ok := l.base(in.Image); in.Image != "" && !ok {
					c.fault("images."+name+".sources", i, "inputs",
						"%s: input %s: image %q is not one whose best source is a recipe, and not itself made of another", name, in.Name, in.Image)
				}
			}
		}
	}
	slices.Sort(l.names)
	if len(c.faults) > 0 {
		slices.SortStableFunc(c.faults, func(a, b LockFault) int { return a.Line - b.Line })
		return nil, &LockError{shown, c.faults}
	}
	return l, nil
}

// checker collects the faults of a lock file. The TOML library keeps one
// position for each key, the last, which is wrong in arrays of tables; so the
// checker looks for the line itself.
type checker struct {
	lines  []string
	own    *Lock // labrun's, if this one is a mission's
	folder fs.FS // the mission's
	faults []LockFault
}

// fault records a fault of a key in the nth table called table.
func (c *checker) fault(table string, n int, key, format string, args ...any) {
	c.faults = append(c.faults, LockFault{c.line(table, n, key), fmt.Sprintf(format, args...)})
}

// line finds key in the nth table called table, else that table's header, else
// the table around it.
func (c *checker) line(table string, n int, key string) int {
	current, count, header := "", 0, 0
	for i, text := range c.lines {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "[") && strings.Contains(text, "]") {
			current = strings.Trim(text[:strings.LastIndex(text, "]")+1], "[] ")
			if current == table {
				if count == n {
					header = i + 1
				}
				count++
			}
			continue
		}
		inside := current == table && (table == "" || count == n+1)
		if name, _, ok := strings.Cut(text, "="); inside && ok && strings.Trim(name, ` "'`) == key {
			return i + 1
		}
	}
	if header == 0 && table != "" {
		up, last := "", table
		if i := strings.LastIndex(table, "."); i >= 0 {
			up, last = table[:i], table[i+1:]
		}
		return c.line(up, 0, last)
	}
	return max(header, 1)
}

var diskFormats = []string{"raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx"}

var imageName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
var releaseName = regexp.MustCompile(`^[a-z]{2,32}$`)
var inputName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// browserMemory is the least memory, in MiB, into which v86 loads a kernel with its initramfs.
const browserMemory = 128

func (c *checker) entry(e entry) {
	table := "images." + e.Name
	bad := func(key, format string, args ...any) { c.fault(table, 0, key, e.Name+": "+format, args...) }
	if !imageName.MatchString(e.Name) {
		bad("", "an image's name is lower-case letters, digits and hyphens")
	}
	if e.Summary == "" {
		bad("summary", "summary is missing")
	}
	if e.Memory == 0 {
		bad("memory", "memory is 0 or missing: say how many MiB suffice")
	}
	if e.CPUs == 0 {
		bad("cpus", "cpus is 0 or missing")
	}
	e.Hardware.check(bad)
	if e.Browser && (e.Arch != "i386" || e.Port.Port != "ttyS1" || e.Memory < browserMemory) {
		bad("browser", `browser needs arch = "i386", a control channel at ttyS1, and a memory of at least %d`, browserMemory)
	}
	if e.Leases != "" && !path.IsAbs(e.Leases) {
		bad("leases", "leases %q is not an absolute path", e.Leases)
	}
	for i, nic := range e.NICs {
		mac, err := net.ParseMAC(nic.MAC)
		switch {
		case nic.Name == "":
			bad("nics", "NIC %d has no name", i+1)
		case err != nil || len(mac) != 6 || mac.String() != nic.MAC:
			bad("nics", "MAC %q of %s is not six lower-case bytes with colons", nic.MAC, nic.Name)
		case mac[0]&1 != 0:
			bad("nics", "MAC %q of %s is a multicast address", nic.MAC, nic.Name)
		case nic.Address.IsValid() && !nic.Address.Is4():
			bad("nics", "address %v of %s is not one of IPv4", nic.Address, nic.Name)
		}
		if slices.ContainsFunc(e.NICs[:i], func(o NIC) bool { return o.Name == nic.Name || o.MAC == nic.MAC }) {
			bad("nics", "NIC %s repeats a name or MAC", nic.Name)
		}
	}
	if e.Console.ShellPrompt == nil && e.Display != "vga" { // what is on a screen need not be a shell
		c.fault(table+".console", 0, "shell", "%s: the console's shell prompt is missing", e.Name)
	}
	if e.Console.Line < 0 {
		c.fault(table+".console", 0, "line", "%s: line %d is no number of bytes", e.Name, e.Console.Line)
	}
	if _, ours := c.own.has(e.Name); ours {
		bad("", "labrun has an image of that name, which missions and their authors count on: choose another")
	}
	if len(e.Sources) == 0 && e.From == "" && (c.own == nil || e.Original == "") {
		bad("", "no sources: add an [[%s.sources]] table, or, in a mission's folder, say in original how to get the image", table)
	}
	for i, s := range e.Sources {
		if s.derived == nil {
			c.source(e, i, s)
		}
	}
}

func (c *checker) source(e entry, i int, s source) {
	bad := func(key, format string, args ...any) {
		c.fault("images."+e.Name+".sources", i, key, e.Name+": "+format, args...)
	}
	if c.own != nil && s.Recipe != "" && (len(s.Inputs) > 0 || !c.own.hasRecipe(s.Recipe)) {
		// A recipe is a program that runs on this computer, on what its inputs are.
		bad("recipe", "a mission's own images.lock can name labrun's recipes as they are, and bring no recipe or inputs")
	}
	switch {
	case s.Bundle != "" && (s.Recipe != "" || s.URL != "" || s.File != ""):
		bad("bundle", "a source is a bundle, a recipe, a url or a file, not two of them")
	case s.Bundle != "":
		if err := checkBundle(s.Bundle); err != nil {
			bad("bundle", "%v", err)
		}
		if s.Format != "" || s.Member != "" || s.Boot != "" || len(s.Inputs) > 0 {
			bad("bundle", "a bundle says itself what it is: format, member, boot and inputs belong to other sources")
		}
	case s.Recipe != "" && s.URL != "":
		bad("url", "a source is a recipe or a url, not both")
	case s.File != "" && (s.Recipe != "" || s.URL != ""):
		bad("file", "a source is a recipe, a url or a file, not two of them")
	case s.Recipe != "":
		if !imageName.MatchString(s.Recipe) {
			bad("recipe", "recipe %q is not the name of a folder in images/", s.Recipe)
		}
		if e.Cmdline == "" && s.Boot == "" {
			bad("recipe", `a recipe's kernel needs a cmdline; if it gives a disk that boots by itself, say boot = "bios"`)
		}
		if s.Format != "" || s.Member != "" {
			bad("format", "format and member belong to a url")
		}
		if s.Boot != "" && s.Boot != "bios" {
			bad("boot", `boot is %q; it must be "bios"`, s.Boot)
		}
	case s.File != "" && c.own == nil:
		bad("file", "file belongs to the images.lock of a mission's folder")
	case s.File != "" && !filepath.IsLocal(s.File):
		bad("file", "file %q is not in the mission's folder", s.File)
	case s.URL != "" || s.File != "":
		c.download(s, bad)
		if s.Format != "" && !slices.Contains(diskFormats, s.Format) {
			bad("format", "format is %q; it is one of %s, or left out", s.Format, strings.Join(diskFormats, ", "))
		}
		if s.Boot != "" && s.Boot != "bios" && s.Boot != "uefi" {
			bad("boot", `boot is %q; it is "bios" or "uefi", or left out`, s.Boot)
		}
		if len(s.Inputs) > 0 {
			bad("inputs", "inputs belong to a recipe")
		}
	default:
		bad("", "a source needs a bundle, a recipe or a url, or a file in a mission's folder")
	}
	if s.Debian != "" && (s.Recipe == "" && s.Bundle == "" || !releaseName.MatchString(s.Debian)) {
		bad("debian", "debian %q is not the name of a release of Debian, for a recipe or a bundle", s.Debian)
	}
	s.Hardware.check(bad)
	if s.Space < 0 || s.Space > 1<<20 {
		bad("space", "space is %d MiB; it must be from 0 to 1048576", s.Space)
	}
	for j, in := range s.Inputs {
		repeats := slices.ContainsFunc(s.Inputs[:j], func(o input) bool { return o.Name == in.Name })
		if !inputName.MatchString(in.Name) || repeats {
			bad("inputs", "input name %q repeats, or is not lower-case letters, digits and underscores", in.Name)
		}
		switch {
		case in.GoMod != "" && in.URL != "", in.Image != "" && (in.GoMod != "" || in.URL != ""):
			bad("inputs", "input %s is one of a gomod, a url and an image", in.Name)
		case in.Image != "": // ParseLock looks whether it is there
		case in.GoMod != "":
			if !strings.HasPrefix(in.Version, "v") || !strings.HasPrefix(in.Sum, "h1:") {
				bad("inputs", "input %s needs a version (v…) and a sum (h1:…), as in go.sum", in.Name)
			}
		default:
			c.download(source{download: in.download}, bad)
		}
	}
}

func (c *checker) download(s source, bad func(key, format string, args ...any)) {
	d := s.download
	if s.File != "" {
		d.URL = s.File // as it is called in messages
	} else if u, err := url.Parse(d.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		bad("url", "url %q is not an http or https address", d.URL)
	}
	if d.Size <= 0 {
		bad("size", "size %d of %s is not a positive number of bytes", d.Size, d.URL)
	}
	if d.SHA256 == "" && d.SHA512 == "" {
		bad("sha256", "%s needs a sha256 or a sha512", d.URL)
	}
	hexOf := func(key, text string, bytes int) {
		raw, err := hex.DecodeString(text)
		if text != "" && (err != nil || len(raw) != bytes || strings.ToLower(text) != text) {
			bad(key, "%s of %s is not %d lower-case hexadecimal digits", key, d.URL, 2*bytes)
		}
	}
	hexOf("sha256", d.SHA256, 32)
	hexOf("sha512", d.SHA512, 64)
}
