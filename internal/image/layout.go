package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"

	"github.com/labrun/labrun/internal/host"
)

// layout writes bundles to a tar, as an OCI image layout, which other tools know as well. What
// a blob is called is its digest, which is known only when it is written: so each is
// written first, and its header then.
type layout struct {
	file  *os.File
	at    int64
	blobs map[digest.Digest]section // what is there
	index ocispec.Index
}

// section is where a blob is in the file.
type section struct{ at, size int64 }

const tarBlock = 512

func newLayout(file *os.File) *layout {
	return &layout{file: file, blobs: map[digest.Digest]section{}, index: ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
	}}
}

// add adds what write writes. What is there already is not kept twice.
func (l *layout) add(mediaType string, write func(io.Writer) error) (desc ocispec.Descriptor, err error) {
	start := l.at + tarBlock
	if _, err := l.file.Seek(start, io.SeekStart); err != nil {
		return desc, err
	}
	sum := sha256.New()
	if err := write(io.MultiWriter(l.file, sum)); err != nil {
		return desc, err
	}
	end, err := l.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return desc, err
	}
	desc = ocispec.Descriptor{MediaType: mediaType, Digest: digest.NewDigest(digest.SHA256, sum), Size: end - start}
	if _, ok := l.blobs[desc.Digest]; ok {
		return desc, l.file.Truncate(l.at)
	}
	l.blobs[desc.Digest] = section{start, desc.Size}
	return desc, l.close("blobs/sha256/"+desc.Digest.Encoded(), desc.Size)
}

// close writes the header of an entry whose content is written, and goes behind it.
func (l *layout) close(name string, size int64) error {
	var head bytes.Buffer
	// GNU's format has one block whatever the size is.
	err := tar.NewWriter(&head).WriteHeader(&tar.Header{
		Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg, Format: tar.FormatGNU,
	})
	if err != nil {
		return err
	}
	if _, err := l.file.WriteAt(head.Bytes(), l.at); err != nil {
		return err
	}
	l.at += tarBlock + (size+tarBlock-1)/tarBlock*tarBlock
	return l.file.Truncate(l.at)
}

func (l *layout) addText(mediaType string, text []byte) (ocispec.Descriptor, error) {
	return l.add(mediaType, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// finish writes what makes it a layout, and the end of the tar.
func (l *layout) finish() error {
	index, err := json.Marshal(l.index)
	if err != nil {
		return err
	}
	mark, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return err
	}
	for _, entry := range []struct {
		name string
		text []byte
	}{{ocispec.ImageLayoutFile, mark}, {ocispec.ImageIndexFile, index}} {
		if _, err := l.file.WriteAt(entry.text, l.at+tarBlock); err != nil {
			return err
		}
		if err := l.close(entry.name, int64(len(entry.text))); err != nil {
			return err
		}
	}
	return l.file.Truncate(l.at + 2*tarBlock)
}

// Export writes ready images to a file, from which [Store.Import] takes them, on another
// computer too. The file appears whole or not at all.
func (s *Store) Export(ctx context.Context, path string, names ...string) ([]Bundle, error) {
	fail := func(err error) ([]Bundle, error) { return nil, fmt.Errorf("export images to %s: %w", path, err) }
	if err := host.CheckFile(path); err != nil {
		return fail(pathCause(err))
	}
	file, err := renameio.TempFile(filepath.Dir(path), path)
	if err != nil {
		return fail(err)
	}
	defer file.Cleanup()
	l := newLayout(file.File)
	var list []Bundle
	for _, name := range names {
		desc, b, err := s.pack(ctx, l, name)
		if host.DiskFull(err) {
			return fail(errors.New("the disk that it is to be on is full: make room there, or name a file on another disk"))
		}
		if err != nil {
			return fail(err)
		}
		desc.ArtifactType = bundleType
		desc.Annotations = map[string]string{ocispec.AnnotationRefName: name}
		l.index.Manifests = append(l.index.Manifests, desc)
		list = append(list, b)
	}
	if err := l.finish(); err != nil {
		return fail(err)
	}
	if err := file.Chmod(0o644); err != nil {
		return fail(err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fail(err)
	}
	return list, nil
}

// Import takes the images in a file of [Store.Export]: each becomes what [Store.Pull] would
// make it. Those before one that fails stay, and are returned.
func (s *Store) Import(ctx context.Context, path string) (list []Bundle, err error) {
	fail := func(err error) ([]Bundle, error) { return list, fmt.Errorf("import images from %s: %w", path, err) }
	file, _, err := openRegular(path)
	if err != nil {
		return fail(err)
	}
	file.Close()
	broken := func(err error) ([]Bundle, error) {
		return fail(fmt.Errorf("this is no file of `labrun images export`, or it is cut short (%w): copy it again", err))
	}
	shelf, err := oci.NewFromTar(ctx, path)
	if err != nil {
		return broken(err)
	}
	var names []string
	err = shelf.Tags(ctx, "", func(tags []string) error {
		names = append(names, tags...)
		return nil
	})
	if err != nil {
		return broken(err)
	}
	if len(names) == 0 {
		return broken(errors.New("it has no images"))
	}
	slices.Sort(names)
	for _, name := range names {
		p, err := parcelIn(ctx, shelf, filepath.Base(path), name)
		if err != nil {
			return broken(err)
		}
		b, err := s.install(ctx, p, "")
		if err != nil {
			return fail(fmt.Errorf("image %s: %w", p.Name, err))
		}
		list = append(list, b)
	}
	return list, nil
}

// parcelIn finds the bundle of that name in a layout.
func parcelIn(ctx context.Context, shelf *oci.ReadOnlyStore, from, name string) (*parcel, error) {
	desc, err := shelf.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	read := func(d ocispec.Descriptor) ([]byte, error) {
		if d.Size > maxBundleText {
			return nil, fmt.Errorf("%w: its manifest has %d bytes", errBundle, d.Size)
		}
		return content.FetchAll(ctx, shelf, d)
	}
	text, err := read(desc)
	if err != nil {
		return nil, err
	}
	p, err := newParcel(from, text, read)
	if err != nil {
		return nil, err
	}
	p.missing = func() int64 { return 0 }
	p.open = func(ctx context.Context, _ string, layer ocispec.Descriptor, _ string) (io.ReadCloser, error) {
		return shelf.Fetch(ctx, layer)
	}
	return p, nil
}
