package disk

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

const limit = 1 << 20

type file struct {
	name, content string
	link          byte // tar.TypeSymlink, tar.TypeLink: content is where to
}

func tarOf(files ...file) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if f.link != 0 {
			w.WriteHeader(&tar.Header{Name: f.name, Typeflag: f.link, Linkname: f.content})
			continue
		}
		w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: 0o644})
		io.WriteString(w, f.content)
	}
	w.Close()
	return b.Bytes()
}

func zipOf(files ...file) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		if f.link != 0 {
			h.SetMode(os.ModeSymlink | 0o777)
		}
		e, _ := w.CreateHeader(h)
		io.WriteString(e, f.content)
	}
	w.Close()
	return b.Bytes()
}

func compressed(kind string, data []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case "gz":
		w = gzip.NewWriter(&b)
	case "xz":
		w, _ = xz.NewWriter(&b)
	case "zst":
		w, _ = zstd.NewWriter(&b)
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func opened(t *testing.T, name string, data []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// floppyBZ2 is sized(sector(nil), 360<<10), compressed: Go has no compressor.
const floppyBZ2 = "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xa6\xd5\x7b\xde\x00\x0b\x4d\xc2\x31\xc0\x00\x02\x00\x00\x00\x80\x10\x00\x08\x00\x29\x20\x00\x31\x0c\x08\x0a\x54\x8c\x69\xdb\x35\x04\xa7\x3f\x45\x50\x66\xb9\xdf\xa4\x4a\x67\x85\xdc\x91\x4e\x14\x24\x29\xb5\x5e\xf7\x80"

// One disk in all sorts of archives, beside what is none.
func TestUnpack(t *testing.T) {
	disk := string(sized(sector(nil), 360<<10))
	files := []file{{"dos/readme.txt", "read me", 0}, {"dos/fd.img", disk, 0}, {"dos/boot.bin", string(sector(nil)), 0}, {"dos/link", "fd.img", tar.TypeSymlink}}
	for name, data := range map[string][]byte{
		"a.tar": tarOf(files...), "a.tar.gz": compressed("gz", tarOf(files...)), "a.tar.xz": compressed("xz", tarOf(files...)),
		"a.tar.zst": compressed("zst", tarOf(files...)), "a.zip": zipOf(files...),
		"fd.img.gz": compressed("gz", []byte(disk)), "fd.img.xz": compressed("xz", []byte(disk)), "fd.img.zst": compressed("zst", []byte(disk)),
		"fd.img.bz2": []byte(floppyBZ2),
	} {
		f := opened(t, name, data)
		want := "dos/fd.img"
		if strings.HasPrefix(name, "fd") {
			want = "fd.img"
		}
		if Packed(f) == "" {
			t.Errorf("%s is not seen as packed", name)
		}
		disks, err := Members(t.Context(), f, limit)
		if err != nil || len(disks) != 1 || disks[0].Name != want {
			t.Errorf("%s: %v, %v", name, disks, err)
			continue
		}
		var got []byte
		err = Unpack(t.Context(), f, want, limit, func(_ Member, r io.Reader) (err error) {
			got, err = io.ReadAll(r)
			return err
		})
		if err != nil || string(got) != disk {
			t.Errorf("%s: unpacked %d bytes, %v", name, len(got), err)
		}
		if err := Unpack(t.Context(), f, "absent", limit, nil); err == nil || !strings.Contains(err.Error(), `no file "absent"`) {
			t.Errorf("%s: what is not there: %v", name, err)
		}
	}
	if Packed(bytes.NewReader([]byte(disk))) != "" {
		t.Error("a disk is seen as packed")
	}
}

func TestArchiveRefused(t *testing.T) {
	disk := string(sized(sector(nil), 360<<10))
	good := file{"fd.img", disk, 0}
	encrypted := zipOf(good)
	encrypted[6] |= 1 // the flags of the file, and of the directory's entry
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	bomb := compressed("gz", make([]byte, limit+1))
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"climbs.tar", tarOf(file{"../fd.img", disk, 0}), "outside of its folder"},
		{"climbs.zip", zipOf(good, file{"a/../../x", "x", 0}), "outside of its folder"},
		{"windows.zip", zipOf(good, file{`..\x`, "x", 0}), "outside of its folder"},
		{"drive.zip", zipOf(good, file{`C:\x`, "x", 0}), "outside of its folder"},
		{"root.tar.gz", compressed("gz", tarOf(good, file{"/etc/passwd", "x", 0})), "outside of its folder"},
		{"link.tar", tarOf(good, file{"a", "/etc", tar.TypeSymlink}), "outside of its folder"},
		{"link2.tar", tarOf(good, file{"a/b", "../../etc", tar.TypeSymlink}), "outside of its folder"},
		{"hard.tar", tarOf(good, file{"a", "../x", tar.TypeLink}), "outside of its folder"},
		{"link.zip", zipOf(good, file{"a", "../x", tar.TypeSymlink}), "outside of its folder"},
		{"bomb.tar.gz", compressed("gz", tarOf(file{"a", "text", 0}, file{"zeros", string(make([]byte, limit)), 0})), "more than 1 MiB"},
		{"bomb.zip", zipOf(file{"zeros.img", string(make([]byte, limit+1)), 0}), "more than 1 MiB"},
		{"bombs.zip", zipOf(file{"a.img", disk + string(make([]byte, limit-len(disk))), 0}, file{"b/../../x", "x", 0}), "outside"},
		{"encrypted.zip", encrypted, "encrypted"},
		{"nested.zip", zipOf(file{"a.tar.gz", string(compressed("gz", tarOf(good))), 0}), `holds an archive, "a.tar.gz"`},
		{"none.zip", zipOf(file{"a.txt", "text", 0}), "none looks like one"},
		{"empty.zip", append([]byte("PK\x03\x04"), zipOf()...), "the archive is"},
		{"empty.tar.gz", compressed("gz", tarOf(file{"a", "b", tar.TypeSymlink})), "the archive is empty"},
		{"half.zip", zipOf(good)[:200], "damaged"},
		{"half.tar.gz", compressed("gz", tarOf(good))[:200], "cut short"},
		{"half.tar.xz", compressed("xz", tarOf(good))[:200], "the archive is"},
		{"bad.img.xz", []byte("\xfd7zXZ\x00 and so on, and on, and on"), "damaged"},
		{"bad.img.bz2", []byte("BZh9 and so on, and on, and on"), "damaged"},
	} {
		disks, err := Members(t.Context(), opened(t, c.name, c.data), limit)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want %q", c.name, disks, err, c.want)
		}
	}
	// A compressed disk is looked at only as it is unpacked.
	err := Unpack(t.Context(), opened(t, "bomb.img.gz", bomb), "bomb.img", limit, func(_ Member, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "more than 1 MiB") {
		t.Errorf("a bomb: %v", err)
	}
	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := Members(ctx, opened(t, "a.tar.gz", compressed("gz", tarOf(good))), limit); !errors.Is(err, cause) {
		t.Errorf("interrupted: %v", err)
	}
}
