package attach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// UnknownMachineError says that a run has no machine of that name.
type UnknownMachineError struct {
	Name  string
	Names []string // those that it has
}

func (e *UnknownMachineError) Error() string {
	return fmt.Sprintf("there is no machine called %q: there are %s", e.Name, strings.Join(e.Names, ", "))
}

// ask sends a request and returns the connection after its answer.
func ask(ctx context.Context, folder string, r request) (*net.UnixConn, answer, error) {
	conn, err := dial(folder)
	if err != nil {
		return nil, answer{}, fmt.Errorf("reach the labrun in %s: %w", filepath.Base(folder), err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var a answer
	kind, payload, err := byte(0), []byte(nil), writeJSON(conn, frameRequest, r)
	if err == nil {
		if kind, payload, err = readFrame(conn); err == nil && kind == frameAnswer {
			err = json.Unmarshal(payload, &a)
		}
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("reach the labrun in %s: it does not answer (does it belong to another user?): %w",
			filepath.Base(folder), err)
	case a.Error == "unknown-machine":
		err = &UnknownMachineError{r.Machine, a.Names}
	case a.Error == "refused":
		err = &RefusedError{a.Text}
	case a.Error == "over":
		err = ErrOver
	}
	if err != nil {
		conn.Close()
		return nil, a, err
	}
	return conn, a, nil
}

// Found is a run that was found, with its session folder.
type Found struct {
	Folder string
	Status
}

// Session is what the run is called: the folder's name.
func (f Found) Session() string { return filepath.Base(f.Folder) }

// askLimit is how long a labrun may take to say how it is.
const askLimit = 5 * time.Second

// Find asks all runs whose session folders are in root how they are. Those that do
// not answer, because they are over or another user's, are left out.
func Find(ctx context.Context, root string) []Found {
	locks, _ := filepath.Glob(filepath.Join(root, "*.lock")) // each is beside its folder
	found := make([]*Found, len(locks))
	var asking sync.WaitGroup
	for i, lock := range locks {
		folder := strings.TrimSuffix(lock, ".lock")
		asking.Go(func() {
			if f, err := At(ctx, folder); err == nil {
				found[i] = &f
			}
		})
	}
	asking.Wait()
	var runs []Found
	for _, f := range found {
		if f != nil {
			runs = append(runs, *f)
		}
	}
	return runs
}

// At asks the run whose session folder is given how it is.
func At(ctx context.Context, folder string) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	conn, a, err := ask(ctx, folder, request{Op: "status"})
	if err != nil {
		return Found{}, err
	}
	conn.Close()
	if a.Status == nil {
		return Found{}, fmt.Errorf("reach the labrun in %s: it does not say how it is", filepath.Base(folder))
	}
	return Found{folder, *a.Status}, nil
}

// Stop asks a run to stop as its user would, and waits until it is over.
func Stop(ctx context.Context, folder string) error {
	conn, _, err := ask(ctx, folder, request{Op: "stop"})
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, _, err := readFrame(conn); ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("stop the labrun in %s: %w", filepath.Base(folder), err)
	}
	return nil
}
