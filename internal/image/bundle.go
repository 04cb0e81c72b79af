package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"github.com/labrun/labrun/internal/disk"
	"github.com/labrun/labrun/internal/host"
)

// A bundle is a finished image for other computers, as an OCI artifact: a manifest, a
// configuration that says what [bundled] has, and each file of the image as a layer,
// compressed by zstd. Whoever has it needs none of the tools that made it. It is moved by
// registries (registry.go) and files (layout.go).
const (
	bundleType   = "application/vnd.labrun.image.v1"
	configType   = "application/vnd.labrun.image.config.v1+json"
	layerType    = "application/vnd.labrun.image.file.v1+zstd"
	bundleFormat = 1

	// maxBundleText is how large a manifest or configuration can be, in bytes.
	maxBundleText = 1 << 20
)

// Bundle tells of a bundle that was moved.
type Bundle struct {
	Image  string // the name of the image
	Ref    string // what a source of images.lock says to get it; empty: it is in a file
	Digest string // "sha256:…", of all that is in it
	Bytes  int64  // its size
	Here   bool   // the image was here before, so nothing was moved
}

// bundled is what a bundle says of its image: what the image's folder has, without the times.
type bundled struct {
	Format int    `json:"bundle"`
	Name   string `json:"name"`
	// Build is the name of its folder in builds/, which tells what it was made of; empty: it
	// was added. Where an image of that name is wanted, this is it.
	Build string           `json:"build,omitempty"`
	Disk  map[string]int64 `json:"disk"` // bytes that each file takes on a disk, by role
	Image manifest         `json:"image"`
}

// bundledNames are the files of an image that a bundle has, by role.
var bundledNames = map[string]string{"kernel": "vmlinuz", "initrd": "initrd", "disk": "disk.img", "packages": "packages"}

// parcel is a bundle that is to be unpacked: its manifest and configuration are here and sound.
type parcel struct {
	from   string // for people
	digest string // of its manifest
	bundled
	layers map[string]ocispec.Descriptor // by role
	bytes  int64                         // of all layers

	// missing is how many bytes are to be got before it can be unpacked.
	missing func() int64
	// open begins to read a layer; what comes need not be what the descriptor says.
	open func(ctx context.Context, image string, layer ocispec.Descriptor, title string) (io.ReadCloser, error)
	// done is told that all layers were unpacked.
	done func()
}

var buildName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,99}$`)

// errBundle says that something is no bundle, or none that this labrun can read.
var errBundle = errors.New("it is no bundle of a labrun image")

// newParcel reads the manifest and the configuration of a bundle.
func newParcel(from string, text []byte, config func(ocispec.Descriptor) ([]byte, error)) (*parcel, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(text, &m); err != nil || m.ArtifactType != bundleType || m.Config.MediaType != configType {
		return nil, errBundle
	}
	if m.Config.Size > maxBundleText {
		return nil, fmt.Errorf("%w: its configuration has %d bytes", errBundle, m.Config.Size)
	}
	data, err := config(m.Config)
	if err != nil {
		return nil, err
	}
	p := &parcel{from: from, digest: digest.FromBytes(text).String(), layers: map[string]ocispec.Descriptor{}, done: func() {}}
	if err := json.Unmarshal(data, &p.bundled); err != nil {
		return nil, fmt.Errorf("%w: its configuration cannot be read: %v", errBundle, err)
	}
	if p.Format != bundleFormat {
		return nil, fmt.Errorf("its format is %d, and this labrun reads %d: get a newer labrun", p.Format, bundleFormat)
	}
	for _, layer := range m.Layers {
		for role, name := range bundledNames {
			if layer.MediaType == layerType && layer.Annotations[ocispec.AnnotationTitle] == name+".zst" {
				p.layers[role] = layer
				p.bytes += layer.Size
			}
		}
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%w: %v", errBundle, err)
	}
	return p, nil
}

// check refuses what no labrun has packed.
func (p *parcel) check() error {
	m := p.Image
	switch {
	case !imageName.MatchString(p.Name):
		return fmt.Errorf("its name is %q", p.Name)
	case p.Build != "" && !buildName.MatchString(p.Build):
		return fmt.Errorf("its build is %q", p.Build)
	case m.Debian != "" && !releaseName.MatchString(m.Debian):
		return fmt.Errorf("its release of Debian is %q", m.Debian)
	case m.Files["disk"].Name != "" && m.Format != "raw" && m.Format != "qcow2":
		return fmt.Errorf("its disk's format is %q", m.Format)
	case m.Files["kernel"].Name == "" && !(m.BIOS && m.Files["disk"].Name != ""):
		return errors.New("it has nothing to boot")
	}
	if err := m.Hardware.Validate(); err != nil {
		return err
	}
	if m.Own != nil {
		if err := m.Own.Hardware.Validate(); err != nil {
			return err
		}
	}
	for role, f := range m.Files {
		layer, there := p.layers[role]
		sum, err := hex.DecodeString(f.SHA256)
		switch {
		case bundledNames[role] == "" || f.Name != bundledNames[role] || !there:
			return fmt.Errorf("its file %s %q is not there", role, f.Name)
		case f.Size <= 0 || f.Size > maxDisk || err != nil || len(sum) != sha256.Size:
			return fmt.Errorf("its file %s has %d bytes and the digest %q", f.Name, f.Size, f.SHA256)
		case layer.Digest.Validate() != nil || layer.Digest.Algorithm() != digest.SHA256 || layer.Size <= 0:
			return fmt.Errorf("its layer %s has %d bytes and the digest %q", f.Name, layer.Size, layer.Digest)
		}
	}
	return nil
}

// unpack makes the bundle the image folder dir, whose lock the caller holds.
func (s *Store) unpack(ctx context.Context, image string, p *parcel, dir string) error {
	if s.strict && p.Image.StandIn != "" {
		return fmt.Errorf("it has the stand-in %s, and only real images are asked for", p.Image.StandIn)
	}
	need := p.missing()
	for role, f := range p.Image.Files {
		need += min(max(p.Disk[role], 0), f.Size)
	}
	if err := s.needSpace(need); err != nil {
		return err
	}
	key := filepath.Base(dir)
	if err := s.clearWork(key); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, "work"), key+".")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	names := map[string]string{}
	for _, role := range roles {
		f, ok := p.Image.Files[role]
		if !ok {
			continue
		}
		if err := s.unpackFile(ctx, image, p, role, filepath.Join(tmp, f.Name)); err != nil {
			if host.DiskFull(err) {
				return &spaceError{dir: s.dir, need: need, free: s.freeOrZero()}
			}
			return err
		}
		names[role] = f.Name
	}
	m := p.Image
	m.Source = fmt.Sprintf("%s (bundle %s)", m.Source, p.from)
	if err := s.seal(ctx, image, tmp, dir, m, names); err != nil {
		return err
	}
	p.done()
	return nil
}

// unpackFile writes one file, and compares it with what the bundle says of it.
func (s *Store) unpackFile(ctx context.Context, image string, p *parcel, role, path string) error {
	want := p.Image.Files[role]
	layer := p.layers[role]
	in, err := p.open(ctx, image, layer, want.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	packed := content.NewVerifyReader(&ctxReader{ctx, in}, layer)
	plain, err := zstd.NewReader(packed, zstd.WithDecoderMaxWindow(256<<20), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer plain.Close()
	meter := s.meter(Progress{Image: image, Phase: PhaseUnpack, Note: want.Name, Total: want.Size})
	sum := sha256.New()
	text := io.TeeReader(io.LimitReader(plain, want.Size+1), io.MultiWriter(sum, meter))
	size, err := host.WriteSparse(path, text, func(int64) error { return nil })
	if host.DiskFull(err) || ctx.Err() != nil {
		return err
	}
	if _, rest := io.Copy(io.Discard, packed); rest != nil && err == nil {
		err = rest
	}
	if wrong := packed.Verify(); wrong != nil {
		return p.mismatch(want.Name, wrong)
	}
	if err != nil {
		return p.mismatch(want.Name, err)
	}
	if got := hexSum(sum); size != want.Size || got != want.SHA256 {
		return p.mismatch(want.Name, fmt.Errorf("%w: sha256 is %s, not %s", errDigest, got, want.SHA256))
	}
	if role == "disk" && p.Image.Format != "raw" {
		return soundDisk(path, p.Image.Format)
	}
	return nil
}

func (p *parcel) mismatch(name string, err error) error {
	return fmt.Errorf("%s is not what the bundle says (%w), so it was not kept: get it again, and if it stays so, "+
		"have whoever made it send another", name, err)
}

// bundleMark begins what the source of an unpacked image says of its bundle.
const bundleMark = " (bundle "

// describe is what a bundle says of a ready image, which is in dir by that source.
func (s *Store) describe(img *Image, src source, dir string, m *manifest) *bundled {
	b := &bundled{Format: bundleFormat, Name: img.Name, Disk: map[string]int64{}, Image: *m}
	if filepath.Base(filepath.Dir(dir)) == "builds" {
		b.Build = filepath.Base(dir)
	}
	b.Image.Source, _, _ = strings.Cut(m.Source, bundleMark)
	b.Image.Made = time.Time{}
	b.Image.Debian, b.Image.StandIn, b.Image.Hardware = img.Debian, img.StandIn, m.Hardware.or(src.Hardware)
	b.Image.Files = map[string]fileRecord{}
	for role, f := range m.Files {
		b.Disk[role] = host.DiskUsage(filepath.Join(dir, f.Name))
		b.Image.Files[role] = fileRecord{Name: bundledNames[role], Size: f.Size, SHA256: f.SHA256}
	}
	return b
}

// pack adds the ready image called name to a layout, and returns its manifest's descriptor.
func (s *Store) pack(ctx context.Context, l *layout, name string) (desc ocispec.Descriptor, b Bundle, err error) {
	img, dir, src, ok := s.cached(name)
	if !ok {
		if _, known := s.entry(name); !known {
			return desc, b, s.unknown(name)
		}
		return desc, b, fmt.Errorf("image %s is not here yet: `labrun images fetch %s` gets it", name, name)
	}
	had, err := readManifest(dir)
	if err != nil {
		return desc, b, err
	}
	about := s.describe(img, src, dir, had)
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: bundleType,
		Annotations: map[string]string{ocispec.AnnotationTitle: "labrun image " + name},
	}
	for _, role := range roles {
		f, ok := about.Image.Files[role]
		if !ok {
			continue
		}
		layer, err := s.packFile(ctx, l, name, filepath.Join(dir, had.Files[role].Name), f)
		if err != nil {
			return desc, b, err
		}
		m.Layers = append(m.Layers, layer)
		b.Bytes += layer.Size
	}
	config, err := json.Marshal(about)
	if err != nil {
		return desc, b, err
	}
	if m.Config, err = l.addText(configType, config); err != nil {
		return desc, b, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return desc, b, err
	}
	desc, err = l.addText(ocispec.MediaTypeImageManifest, text)
	b.Image, b.Digest = name, desc.Digest.String()
	return desc, b, err
}

// packFile adds a file of an image to a layout.
func (s *Store) packFile(ctx context.Context, l *layout, image, path string, f fileRecord) (ocispec.Descriptor, error) {
	in, err := os.Open(path)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer in.Close()
	meter := s.meter(Progress{Image: image, Phase: PhasePack, Note: f.Name, Total: f.Size})
	sum := sha256.New()
	layer, err := l.add(layerType, func(out io.Writer) error {
		z, err := zstd.NewWriter(out)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.MultiWriter(z, sum, meter), &ctxReader{ctx, in})
		return errors.Join(err, z.Close())
	})
	if err != nil {
		return layer, err
	}
	if hexSum(sum) != f.SHA256 {
		return layer, fmt.Errorf("%w: %s was changed; `labrun images verify %s` sets it aside, and it is made again",
			errDamaged, f.Name, image)
	}
	layer.Annotations = map[string]string{ocispec.AnnotationTitle: f.Name + ".zst"}
	return layer, nil
}

// install makes a bundle the image of its name, or of the name as: where a source of it would
// be that it is, else, as an added image is, in place of its sources.
func (s *Store) install(ctx context.Context, p *parcel, as string) (b Bundle, err error) {
	name := cmp.Or(as, p.Name)
	b = Bundle{Image: name, Digest: p.digest, Bytes: p.bytes}
	dir, src, err := s.place(p, name)
	if err != nil {
		return b, err
	}
	e, ok := s.entry(name)
	if !ok && p.Image.Own != nil {
		e = p.Image.Own.entry(name, p.Image.Found)
	}
	key := filepath.Base(dir)
	if dir == s.addedDir(name) {
		key = "added-" + name
	}
	unlock, err := s.acquire(ctx, name, key)
	if err != nil {
		return b, err
	}
	defer unlock()
	if img, err := s.load(e, src, dir); err == nil && img.Digest == p.Image.image(e, src, dir).Digest {
		b.Here = true
		return b, nil
	}
	return b, s.unpack(ctx, name, p, dir)
}

// place is where a bundle belongs as the image called name.
func (s *Store) place(p *parcel, name string) (dir string, src source, err error) {
	if !imageName.MatchString(name) {
		return "", src, errors.New("an image's name is lower-case letters, digits and hyphens")
	}
	e, known := s.entry(name)
	for _, src := range e.Sources {
		dir, err := s.buildDir(src)
		if err != nil {
			return "", src, err
		}
		if p.Build == filepath.Base(dir) || src.Bundle != "" && strings.HasSuffix(src.Bundle, "@"+p.digest) {
			return dir, src, nil
		}
	}
	if p.Image.Derived != nil && strings.Contains(p.Build, "-with-") {
		return filepath.Join(s.dir, "builds", p.Build), source{}, nil // where its mission looks for it
	}
	if !known && p.Image.Own == nil {
		return "", src, fmt.Errorf("it has the image %s, which labrun does not know here: go to the folder whose %s has it, "+
			"or say with --as which image it is to be", name, LockFileName)
	}
	return s.addedDir(name), source{}, nil
}

// soundDisk refuses a disk of another format than that, and one that refers to other files.
func soundDisk(path, format string) error {
	file, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	got, err := disk.Format(file, size)
	if err == nil && got != format {
		err = fmt.Errorf("its format is %s, and the bundle says %s", got, format)
	}
	return pathCause(err)
}
