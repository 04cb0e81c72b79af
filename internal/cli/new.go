package cli

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// scaffold is the mission that `labrun new` begins with; TITLE and FILE in it are
// replaced.
//
//go:embed scaffold.star
var scaffold string

func (p *program) newNew() *cobra.Command {
	return &cobra.Command{
		Use:     "new NAME",
		Short:   "begin a mission of your own: NAME.star, a small lab that works",
		Example: "  labrun new my-first-lab",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{"new: what is the mission to be called? Say for instance `labrun new my-first-lab`"}
			}
			return p.begin(args[0])
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

// missionName is what a new mission may be called: its file's name, and part of
// the names of its records.
var missionName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// begin writes the scaffold to a file that is not there yet.
func (p *program) begin(path string) error {
	path = strings.TrimSuffix(path, ".star")
	name := filepath.Base(path)
	if !missionName.MatchString(name) {
		return &usageError{fmt.Sprintf("new: %q: a mission's name has lower-case letters, digits and hyphens", name)}
	}
	path += ".star"
	words := strings.ReplaceAll(name, "-", " ")
	content := strings.NewReplacer("TITLE", strings.ToUpper(words[:1])+words[1:], "FILE", path).Replace(scaffold)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return &usageError{fmt.Sprintf("new: %s is there already: take another name", path)}
	case errors.Is(err, fs.ErrNotExist):
		return &usageError{fmt.Sprintf("new: %s: there is no folder %s: make it first", path, filepath.Dir(path))}
	case err != nil:
		return &environmentError{fmt.Errorf("new: %w", err)}
	}
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
		return &environmentError{fmt.Errorf("new: %w", err)}
	}
	fmt.Fprintf(p.Out, "%s is a small lab that works. Play it, then make it yours:\n\n", path)
	for _, next := range [][2]string{
		{path, "play it"},
		{"check " + path, "find mistakes, without booting anything"},
		{"test " + path, "prove it: that its checks can fail, and its hints help"},
		{"doc", "list everything that a lab can call"},
	} {
		fmt.Fprintf(p.Out, "    labrun %-*s    %s\n", len("check ")+len(path), next[0], next[1])
	}
	return nil
}
