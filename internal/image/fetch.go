package image

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/host"
)

var (
	// errDigest: all bytes are there, but they are not the right ones.
	errDigest = errors.New("wrong digest")
	// errBroken: the connection ended early; what came is worth keeping.
	errBroken = errors.New("connection broke off")
	// errStale: the part cannot be continued.
	errStale = errors.New("cannot resume")
)

// download returns the path of d's verified content in the cache, getting it
// if need be: from the mirror, else from upstream.
func (s *Store) download(ctx context.Context, image string, d download) (string, error) {
	file := filepath.Join(s.dir, "blobs", d.id())
	unlock, err := s.acquire(ctx, image, d.id())
	if err != nil {
		return "", err
	}
	defer unlock()
	if info, err := os.Stat(file); err == nil && info.Size() == d.Size {
		return file, nil
	}
	part := file + ".part"
	var reasons []string
	places := s.places(d.URL)
	if d.part != nil {
		places = []string{d.URL}
	}
	for _, from := range places {
		err := s.fill(ctx, image, from, d, part)
		if err == nil {
			err = finish(part, file)
		}
		if err == nil {
			return file, nil
		}
		var full *spaceError
		if ctx.Err() != nil || errors.As(err, &full) {
			return "", fmt.Errorf("download %s: %w", d.shown(from), err)
		}
		if errors.Is(err, errDigest) && d.part == nil {
			s.say(Progress{Image: image, Phase: PhaseNote, Note: fmt.Sprintf("refused what %s has: %v", from, err)})
		}
		if d.part != nil {
			return "", d.part.fault(err)
		}
		reasons = append(reasons, fmt.Sprintf("download %s: %v", from, err))
	}
	return "", errors.New(strings.Join(reasons, "; "))
}

// places are where to look for a URL, in order.
func (s *Store) places(upstream string) []string {
	if s.mirror == "" || !isURL(upstream) {
		return []string{upstream}
	}
	u, err := url.Parse(upstream)
	if err != nil {
		return []string{upstream}
	}
	if !isURL(s.mirror) {
		// path.Clean of a rooted path cannot leave the mirror.
		return []string{filepath.Join(s.mirror, filepath.FromSlash(path.Clean("/"+u.Path))), upstream}
	}
	return []string{s.mirror + u.RequestURI(), upstream}
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// mirrorHas reports whether a mirror folder holds all downloads of src.
func (s *Store) mirrorHas(src source) bool {
	if s.mirror == "" || isURL(s.mirror) {
		return false
	}
	urls := []string{src.URL}
	if src.Recipe != "" {
		urls = nil
		for _, in := range src.Inputs {
			urls = append(urls, in.URL)
		}
	}
	for _, u := range urls {
		if u == "" {
			return false
		}
		if info, err := os.Stat(s.places(u)[0]); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return len(urls) > 0
}

// finish makes a whole, verified part the file it is a part of.
func finish(part, file string) error {
	os.Remove(part + ".tag")
	if err := os.Chmod(part, 0o444); err != nil {
		return err
	}
	return os.Rename(part, file)
}

// fill gets d's content into part, verified and on disk, from a URL or a file.
// It continues a part from an earlier time, and tries again as long as a broken
// connection yields more each time.
func (s *Store) fill(ctx context.Context, image, from string, d download, part string) error {
	afresh := false
	for {
		before := fileSize(part)
		err := s.transfer(ctx, image, from, d, part)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case host.DiskFull(err):
			// A full disk troubles more than labrun, so give the room back.
			removePart(part)
			return &spaceError{dir: filepath.Dir(part), need: max(d.Size, 0), free: s.freeOrZero()}
		case errors.Is(err, errDigest), errors.Is(err, errStale):
			removePart(part)
			// An old beginning may not belong to this end; only a whole
			// transfer proves the place wrong.
			if before == 0 || afresh {
				return err
			}
			afresh = true
		case errors.Is(err, errBroken) && fileSize(part) > before:
		default:
			return err
		}
	}
}

// transfer makes one attempt at fill.
func (s *Store) transfer(ctx context.Context, image, from string, d download, part string) error {
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	sums := d.sums()
	had, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	start := had
	if d.Size >= 0 && start > d.Size || d.Size < 0 && readTag(part, from) == "" {
		start = 0
	}
	if d.Size >= 0 {
		if err := s.needSpace(d.Size - start); err != nil {
			return err
		}
	}
	body := io.NopCloser(strings.NewReader(""))
	if start != d.Size {
		if body, start, err = s.open(ctx, from, d, part, start); err != nil {
			return err
		}
	}
	defer body.Close()
	if start < had {
		if err := f.Truncate(start); err != nil {
			return err
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(sums, &ctxReader{ctx, io.LimitReader(f, start)}); err != nil {
		return err
	}

	meter := s.meter(Progress{
		Image: image, Phase: PhaseDownload, Note: d.title(), Done: start, Total: max(d.Size, 0),
	})
	var in io.Reader = body
	if d.Size >= 0 {
		in = io.LimitReader(body, d.Size-start+1) // one more shows that it is too long
	}
	n, err := io.Copy(io.MultiWriter(f, sums, meter), in)
	size := start + n
	switch {
	case err != nil && (host.DiskFull(err) || ctx.Err() != nil):
		return err
	case err != nil:
		return fmt.Errorf("%w after %d bytes: %v", errBroken, size, err)
	case d.Size >= 0 && size < d.Size:
		return fmt.Errorf("%w after %d of %d bytes", errBroken, size, d.Size)
	case d.Size >= 0 && size > d.Size:
		return fmt.Errorf("%w: it is longer than the %d bytes %s says", errDigest, d.Size, d.authority())
	}
	if err := sums.check(d); err != nil {
		return err
	}
	return f.Sync()
}

// open begins to read from a URL or file at start. It returns where the content
// really starts: 0 if the server would not resume.
func (s *Store) open(
	ctx context.Context, from string, d download, part string, start int64,
) (io.ReadCloser, int64, error) {
	if !isURL(from) {
		info, err := os.Stat(from)
		if err != nil {
			return nil, 0, pathCause(err)
		}
		if !info.Mode().IsRegular() {
			return nil, 0, errors.New("not a regular file")
		}
		f, err := os.Open(from)
		if err != nil {
			return nil, 0, pathCause(err)
		}
		return struct {
			io.Reader
			io.Closer
		}{&ctxReader{ctx, f}, f}, 0, nil
	}

	ctx, cancel := context.WithCancelCause(ctx)
	body := &stallReader{ctx: ctx, cancel: cancel, limit: s.stallTimeout}
	body.timer = time.AfterFunc(s.stallTimeout, func() {
		cancel(fmt.Errorf("nothing came for %v", s.stallTimeout))
	})
	fail := func(err error) (io.ReadCloser, int64, error) {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		var lookup *net.DNSError
		if errors.As(err, &lookup) {
			err = errors.New("its host cannot be looked up: " + lookup.Err) // the rest is for administrators
		}
		body.Close()
		return nil, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return fail(err)
	}
	// The digest is of the bytes as they are kept, so none may be re-encoded.
	req.Header.Set("Accept-Encoding", "identity")
	if start > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", start))
		if tag := readTag(part, from); tag != "" {
			req.Header.Set("If-Range", tag)
		}
	}
	do := s.client().Do
	if d.part != nil {
		do = d.part.do
	}
	resp, err := do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the URL is in our message already
		}
		return fail(err)
	}
	body.body = resp.Body
	switch {
	case resp.StatusCode == http.StatusPartialContent && start > 0:
		var first int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-", &first); err != nil || first != start {
			return fail(errStale)
		}
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && start > 0:
		return fail(errStale)
	case resp.StatusCode == http.StatusOK:
		start = 0
		if d.Size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != d.Size {
			return fail(fmt.Errorf("it has %d bytes, not %d as %s says", resp.ContentLength, d.Size, d.authority()))
		}
		writeTag(part, from, resp.Header)
	case d.part != nil:
		return fail(d.part.depot.refused(resp.StatusCode))
	default:
		return fail(fmt.Errorf("the server says %s", resp.Status))
	}
	return body, start, nil
}

// client gives up soon on hosts that cannot be reached: many classrooms have
// no way out, and a stand-in is waiting.
func (s *Store) client() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: s.dialTimeout}).DialContext
	t.TLSHandshakeTimeout = 2 * s.dialTimeout
	t.DisableKeepAlives = true
	return &http.Client{Transport: t}
}

// stallReader reads a response, and gives up when nothing comes for a while.
type stallReader struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	timer  *time.Timer
	limit  time.Duration
}

func (r *stallReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.limit)
	n, err := r.body.Read(p)
	if err != nil && err != io.EOF {
		if cause := context.Cause(r.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

func (r *stallReader) Close() error {
	r.timer.Stop()
	r.cancel(nil)
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}

// sums computes the digests that a download is checked with.
type sums struct{ sha256, sha512 hash.Hash }

func (d download) sums() sums { return sums{sha256.New(), sha512.New()} }

func (s sums) Write(p []byte) (int, error) {
	s.sha256.Write(p)
	s.sha512.Write(p)
	return len(p), nil
}

func (s sums) check(d download) error {
	if got := hexSum(s.sha256); d.SHA256 != "" && got != d.SHA256 {
		return fmt.Errorf("%w: sha256 is %s, not %s as %s says", errDigest, got, d.SHA256, d.authority())
	}
	if got := hexSum(s.sha512); d.SHA512 != "" && got != d.SHA512 {
		return fmt.Errorf("%w: sha512 is %s, not %s as %s says", errDigest, got, d.SHA512, d.authority())
	}
	return nil
}

// A part's tag holds the place it came from and what that place called its
// version, so that a server can refuse to continue another one.

func writeTag(part, from string, h http.Header) {
	tag := h.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") {
		tag = h.Get("Last-Modified")
	}
	os.Remove(part + ".tag")
	if tag != "" {
		_ = os.WriteFile(part+".tag", []byte(from+"\n"+tag+"\n"), 0o644)
	}
}

func readTag(part, from string) string {
	data, err := os.ReadFile(part + ".tag")
	if err != nil {
		return ""
	}
	where, tag, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	if where != from {
		return ""
	}
	return tag
}

func removePart(part string) {
	os.Remove(part)
	os.Remove(part + ".tag")
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func (s *Store) freeOrZero() int64 {
	free, err := s.free(s.dir)
	if err != nil {
		return 0
	}
	return free
}

// pathCause drops the path from an error whose message will name it anyway.
func pathCause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
