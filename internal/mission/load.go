package mission

import (
	"context"
	"io/fs"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/script"
)

// Mission is a loaded script, ready to be run.
type Mission struct {
	*script.Script
	session *builtins.Session // the script's, in which its steps act
}

// Options say how a mission is loaded.
type Options = script.Options

// LoadFile loads the mission at a path of the host, or that a link there leads to. Its error
// is an *Error.
func LoadFile(ctx context.Context, file string, o Options) (*Mission, error) {
	s, err := script.LoadFile(ctx, file, o)
	return missionOf(ctx, s, err)
}

// Load loads the mission called name in folder, which also confines its load
// statements; shown is what messages call it. Its error is an *Error.
func Load(ctx context.Context, folder fs.FS, name, shown string, o Options) (*Mission, error) {
	s, err := script.Load(ctx, folder, name, shown, o)
	return missionOf(ctx, s, err)
}

func missionOf(ctx context.Context, s *script.Script, err error) (*Mission, error) {
	if err != nil {
		return nil, Classify(ctx, err)
	}
	return &Mission{s, s.Session}, nil
}
