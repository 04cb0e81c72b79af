package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/labrun/labrun/internal/host"
)

// output is standard output. Results that do not arrive there are no results, so it
// remembers its first error, whoever wrote.
type output struct {
	io.Writer
	failure atomic.Pointer[error]
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil {
		o.failure.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Fd is for looking whether it is a terminal.
func (o *output) Fd() uintptr {
	if f, ok := o.Writer.(*os.File); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// lost returns why results did not arrive; nil if they did, or if their reader has
// seen enough, as in a pipe to head.
func (o *output) lost() error {
	failure := o.failure.Load()
	if failure == nil || errors.Is(*failure, syscall.EPIPE) {
		return nil
	}
	return reason(*failure)
}

// reason is an error without the name of the file that it is about, where that is
// known or nobody's.
func reason(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

// caused reports whether an error says no more than that results are lost.
func (o *output) caused(err error) bool {
	failure := o.failure.Load()
	return failure != nil && errors.Is(err, *failure)
}

// standardOutput are the names that mean it where a file is asked for. The kernel
// would open the file behind them anew, from its beginning.
var standardOutput = []string{"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}

// resultFile is a file that the user has named for results.
type resultFile struct {
	path string
	out  io.Writer // standard output, if it is that; nil: path is a file
}

// openResult looks at a file that a flag names, before the work of which it takes the
// results: nil if none is named. If it is standard output, all else goes to standard
// error from now on.
func (p *program) openResult(flag, path string) (*resultFile, error) {
	if path == "" {
		return nil, nil
	}
	if slices.Contains(standardOutput, path) {
		out := p.Out
		p.Out = p.Err
		return &resultFile{path, out}, nil
	}
	if err := host.CheckFile(path); err != nil {
		return nil, &usageError{fmt.Sprintf("%s %s: %v", flag, path, reason(err))}
	}
	return &resultFile{path: path}, nil
}

// write writes the results, if they are wanted.
func (r *resultFile) write(data []byte, err error) error {
	switch {
	case r == nil || err != nil:
		return err
	case r.out != nil:
		r.out.Write(data) // it remembers its error
		return nil
	}
	if err = host.WriteFile(r.path, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", r.path, reason(err))
	}
	return nil
}
