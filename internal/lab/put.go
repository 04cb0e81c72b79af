package lab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/image"
)

// putArchive is where a guest has what it is to unpack, for a moment.
const putArchive = "/tmp/.labrun-put"

// putLimit is how long a guest may unpack.
const putLimit = 5 * time.Minute

// Put puts files into the guest over the control channel.
func (m *Machine) Put(ctx context.Context, files *image.Tree) error {
	archive := files.Archive()
	var err error
	if len(archive) > control.MaxFile {
		err = fmt.Errorf("these are %d bytes: at most %d can be put; have them in the image, with machine(…, files = …)",
			len(archive), control.MaxFile)
	}
	if err == nil {
		err = m.WriteFile(ctx, putArchive, archive, 0o600)
	}
	if err == nil {
		err = m.WriteFile(ctx, putArchive+".sh", []byte(files.Script(putArchive)), 0o600)
	}
	if err != nil {
		return fmt.Errorf("put %s on %s: %w", strings.Join(files.Roots, ", "), m.config.Name, err)
	}
	r, err := m.Run(ctx, fmt.Sprintf("sh %[1]s.sh; status=$?; rm -f %[1]s %[1]s.sh; exit $status", putArchive), putLimit)
	if err == nil && r.Status != 0 {
		said := strings.TrimSpace(r.Stdout + r.Stderr)
		err = &control.GuestError{Action: "put", Path: strings.Join(files.Roots, ", "), Machine: m.config.Name, Reason: said}
	}
	return err
}
