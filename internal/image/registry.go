package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// depot is a repository in a registry, as who is logged in with Docker's tools sees it.
type depot struct {
	store *Store
	repo  *remote.Repository
}

// textTime is how long a registry may take for a login and a manifest.
const textTime = time.Minute

// depot opens the repository of a reference. Nothing is sent yet.
func (s *Store) depot(ref string) (*depot, error) {
	repo, err := remote.NewRepository(ref)
	if err != nil {
		return nil, fmt.Errorf("%q names no bundle: it is HOST/PATH:TAG or HOST/PATH@sha256:DIGEST, such as ghcr.io/course/debian:v1", ref)
	}
	client := &auth.Client{Client: s.client(), Cache: auth.NewCache(), Credential: s.login}
	client.SetUserAgent("labrun")
	if isLocal(repo.Reference.Registry) {
		repo.PlainHTTP = true
		client.BlockedRealmPrefixes = []netip.Prefix{} // else none of this computer may give out tokens
	}
	repo.Client = client
	return &depot{s, repo}, nil
}

// isLocal reports whether a host, with its port, is this computer, to which nobody listens.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// login looks for the login of a registry where Docker's tools keep it. A helper of theirs that
// does not work is no reason not to get what is public.
func (s *Store) login(ctx context.Context, host string) (auth.Credential, error) {
	logins, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err == nil {
		var login auth.Credential
		if login, err = credentials.Credential(logins)(ctx, host); err == nil {
			return login, nil
		}
	}
	if ctx.Err() != nil {
		return auth.EmptyCredential, context.Cause(ctx)
	}
	s.say(Progress{Image: host, Phase: PhaseNote, Note: fmt.Sprintf("Docker's login cannot be read, so labrun asks without one: %v", err)})
	return auth.EmptyCredential, nil
}

// name is the repository, for people.
func (d *depot) name() string { return d.repo.Reference.Registry + "/" + d.repo.Reference.Repository }

// fault makes what went wrong with a registry an error for people.
func (d *depot) fault(err error) error {
	host := d.repo.Reference.Registry
	var said *errcode.ErrorResponse
	var lookup *net.DNSError
	var transfer *url.Error
	var connection *net.OpError // of a blob's, whose url.Error has been taken off
	broke := func(err error) error {
		return fmt.Errorf("%s cannot be reached, or broke off: %w: try again, what has arrived is not sent again", host, err)
	}
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return fmt.Errorf("there is no such bundle; compare its name, tag and digest with what `labrun images push` said. " +
			"A private one is seen by those only who are logged in")
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return d.refusal("401 Unauthorized")
	case errors.As(err, &said):
		return d.refused(said.StatusCode)
	case errors.As(err, &lookup):
		return errors.New("its host cannot be looked up: " + lookup.Err)
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, content.ErrInvalidDescriptorSize),
		errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s sent something else than it has promised (%w), so nothing of it was kept: try again, and if it stays so, "+
			"tell whoever runs it", host, err)
	case errors.As(err, &transfer):
		return broke(transfer.Err)
	case errors.As(err, &connection):
		return broke(connection)
	}
	return err
}

// refused is the error that a registry has answered with that HTTP status.
func (d *depot) refused(status int) error {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	switch {
	case status == http.StatusNotFound:
		return d.fault(errdef.ErrNotFound)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return d.refusal(text)
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("%s says %s: wait a while, or log in, and try again", d.repo.Reference.Registry, text)
	case status >= 500:
		return fmt.Errorf("%s says %s, which is a fault of its own: try again later", d.repo.Reference.Registry, text)
	}
	return fmt.Errorf("%s says %s", d.repo.Reference.Registry, text)
}

func (d *depot) refusal(text string) error {
	host := d.repo.Reference.Registry
	return fmt.Errorf("%s says %s: this needs a login, or another one: `docker login %s` "+
		"(podman's, oras's and the login action of GitHub write the same file), then try again", host, text, host)
}

// fetch gets the manifest and the configuration of the bundle that the depot was opened for.
func (d *depot) fetch(ctx context.Context) (*parcel, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, textTime, fmt.Errorf("%s took more than %v to answer", d.repo.Reference.Registry, textTime))
	defer cancel()
	fail := func(err error) (*parcel, error) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, d.fault(err)
	}
	read := func(desc ocispec.Descriptor, body io.ReadCloser) ([]byte, error) {
		defer body.Close()
		if desc.Size > maxBundleText {
			return nil, fmt.Errorf("%w: its manifest has %d bytes", errBundle, desc.Size)
		}
		return content.ReadAll(body, desc)
	}
	desc, body, err := d.repo.Manifests().FetchReference(ctx, d.repo.Reference.ReferenceOrDefault())
	if err != nil {
		return fail(err)
	}
	text, err := read(desc, body)
	if err != nil {
		return fail(err)
	}
	p, err := newParcel(d.name(), text, func(config ocispec.Descriptor) ([]byte, error) {
		body, err := d.repo.Blobs().Fetch(ctx, config)
		if err != nil {
			return nil, err
		}
		return read(config, body)
	})
	if err != nil {
		return fail(err)
	}
	var got []string
	p.missing = func() (bytes int64) {
		for _, layer := range p.layers {
			blob := filepath.Join(d.store.dir, "blobs", d.blob(layer, "").id())
			bytes += layer.Size - max(fileSize(blob), fileSize(blob+".part"))
		}
		return max(bytes, 0)
	}
	p.open = func(ctx context.Context, image string, layer ocispec.Descriptor, title string) (io.ReadCloser, error) {
		blob, err := d.store.download(ctx, image, d.blob(layer, title))
		if err != nil {
			return nil, err
		}
		got = append(got, blob)
		return os.Open(blob)
	}
	p.done = func() {
		for _, blob := range got { // the image has it all; what remains is removed by GC
			os.Remove(blob)
		}
	}
	return p, nil
}

// blob is a layer as a download, so that what breaks off is resumed, and what is kept has been
// verified, as with any other.
func (d *depot) blob(layer ocispec.Descriptor, title string) download {
	scheme := "https"
	if d.repo.PlainHTTP {
		scheme = "http"
	}
	at := url.URL{Scheme: scheme, Host: d.repo.Reference.Host(), Path: fmt.Sprintf("/v2/%s/blobs/%s", d.repo.Reference.Repository, layer.Digest)}
	return download{URL: at.String(), Size: layer.Size, SHA256: layer.Digest.Encoded(), part: &part{d, title}}
}

// part is what a download is of a bundle.
type part struct {
	depot *depot
	title string // the file
}

// do sends a request for it, with the login that it needs.
func (p *part) do(req *http.Request) (*http.Response, error) {
	ctx := auth.AppendRepositoryScope(req.Context(), p.depot.repo.Reference, auth.ActionPull)
	return p.depot.repo.Client.Do(req.WithContext(ctx))
}

// fault says which part failed, and what to do.
func (p *part) fault(err error) error {
	err = p.depot.fault(err)
	what := p.title + " of " + p.depot.name()
	switch {
	case errors.Is(err, errBroken):
		return fmt.Errorf("%s: %w: try again, which goes on from there", what, err)
	case errors.Is(err, errDigest):
		return fmt.Errorf("%s: %w, so it was not kept: try again, and if it stays so, tell whoever runs the registry", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Push sends the ready image called name to a registry, as the bundle ref, «HOST/PATH:TAG». What
// is there already is not sent again.
func (s *Store) Push(ctx context.Context, name, ref string) (Bundle, error) {
	fail := func(err error) (Bundle, error) {
		return Bundle{}, fmt.Errorf("push image %s to %s: %w", name, ref, err)
	}
	d, err := s.depot(ref)
	if err != nil {
		return fail(err)
	}
	if d.repo.Reference.ValidateReferenceAsDigest() == nil {
		return fail(errors.New("a digest is known when it is there: say a tag, such as :v1"))
	}
	file, err := os.CreateTemp(filepath.Join(s.dir, "work"), "push.*")
	if err != nil {
		return fail(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	l := newLayout(file)
	manifest, b, err := s.pack(ctx, l, name)
	if err != nil {
		return fail(err)
	}
	if err := d.send(ctx, name, l, manifest); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fail(d.fault(err))
	}
	b.Ref = d.name() + "@" + b.Digest
	return b, nil
}

// send sends the blobs of a layout, and its manifest at the end.
func (d *depot) send(ctx context.Context, image string, l *layout, manifest ocispec.Descriptor) error {
	meter := d.store.meter(Progress{Image: image, Phase: PhaseUpload, Note: d.name(), Total: l.at})
	var text []byte
	for sum, at := range l.blobs {
		from := io.NewSectionReader(l.file, at.at, at.size)
		if sum == manifest.Digest {
			text = make([]byte, at.size)
			if _, err := io.ReadFull(from, text); err != nil {
				return err
			}
			continue
		}
		desc := ocispec.Descriptor{MediaType: "application/octet-stream", Digest: sum, Size: at.size}
		there, err := d.repo.Blobs().Exists(ctx, desc)
		if err == nil && there {
			meter.at(meter.p.Done + at.size)
			continue
		}
		if err == nil {
			err = d.repo.Blobs().Push(ctx, desc, &ctxReader{ctx, io.TeeReader(from, meter)})
		}
		if err != nil {
			return err
		}
	}
	return d.repo.Manifests().PushReference(ctx, manifest, bytes.NewReader(text), d.repo.Reference.ReferenceOrDefault())
}

// Pull gets the bundle ref, «HOST/PATH:TAG» or «HOST/PATH@sha256:…», as the image of its name, or
// of the name as, unless that is empty. If it is what a source of that image would yield, it
// counts as that; else it takes the place of the sources, until Remove.
func (s *Store) Pull(ctx context.Context, ref, as string) (Bundle, error) {
	fail := func(err error) (Bundle, error) { return Bundle{}, fmt.Errorf("pull %s: %w", ref, err) }
	d, err := s.depot(ref)
	if err != nil {
		return fail(err)
	}
	p, err := d.fetch(ctx)
	if err != nil {
		return fail(err)
	}
	b, err := s.install(ctx, p, as)
	if err != nil {
		return fail(err)
	}
	b.Ref = d.name() + "@" + b.Digest
	return b, nil
}

// pullSource makes the image folder dir of a source that is a bundle.
func (s *Store) pullSource(ctx context.Context, image string, src source, dir string) error {
	d, err := s.depot(src.Bundle)
	if err != nil {
		return err
	}
	p, err := d.fetch(ctx)
	if err != nil {
		return err
	}
	return s.unpack(ctx, image, p, dir)
}

// checkBundle reports what is wrong with a source's bundle.
func checkBundle(ref string) error {
	r, err := registry.ParseReference(ref)
	if err != nil || r.ValidateReferenceAsDigest() != nil {
		return fmt.Errorf("bundle %q is not HOST/PATH@sha256:DIGEST, as `labrun images push` says it", ref)
	}
	return nil
}
