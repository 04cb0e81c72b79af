package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/run"
)

// studentFlags say who plays.
type studentFlags struct {
	id, as, key string
}

func (f *studentFlags) define(root *cobra.Command) {
	root.PersistentFlags().StringVar(
		&f.id, "student", "", "the `ID` of the student who plays, with progress and records of their own; else $LABRUN_STUDENT's",
	)
	root.PersistentFlags().StringVar(
		&f.key, "course-key", "", "the `file` with the key of the course, of which a student's variants are drawn; else $LABRUN_COURSE_KEY",
	)
}

// imagined adds the flag with which an author plays as a student would.
func (f *studentFlags) imagined(c *cobra.Command) {
	c.Flags().StringVar(&f.as, "as", "", "play the mission of the student with this `ID`; it is nobody's progress")
}

// again are the flags with which a further labrun has the same student.
func (f *studentFlags) again() (flags []string) {
	if f.id != "" {
		flags = append(flags, "--student", f.id)
	}
	if f.key != "" {
		flags = append(flags, "--course-key", f.key)
	}
	return flags
}

// who plays.
func (p *program) who() (course.Student, error) {
	f := p.student
	if f.as != "" && f.id != "" {
		return course.Student{}, &usageError{"--student plays and --as is imagined: leave one of them out"}
	}
	who := course.Student{Imagined: f.as != ""}
	said, text := "--student", cmp.Or(f.id, p.Getenv("LABRUN_STUDENT"))
	switch {
	case f.as != "":
		said, text = "--as", f.as
	case f.id == "":
		said = "LABRUN_STUDENT"
	}
	var err error
	if text != "" {
		if who.ID, err = course.ParseID(text); err != nil {
			return course.Student{}, &usageError{fmt.Sprintf("%s: %v", said, err)}
		}
	}
	if file := p.courseKeyFile(); file != "" {
		if who.Key, err = course.ReadKey(file); err != nil {
			if said = "--course-key"; f.key == "" {
				said = "LABRUN_COURSE_KEY"
			}
			return course.Student{}, &usageError{fmt.Sprintf("%s: %v", said, err)}
		}
	}
	return who, nil
}

// courseKeyFile is the file with the course's key; empty: there is none.
func (p *program) courseKeyFile() string { return cmp.Or(p.student.key, p.Getenv("LABRUN_COURSE_KEY")) }

// state is the folder of what outlives a run of the student who plays.
func (p *program) state() (string, error) {
	who, err := p.who()
	if err != nil {
		return "", err
	}
	state, err := run.StateFolder(p.Getenv, who.Playing())
	if err != nil {
		return "", &environmentError{err}
	}
	return state, nil
}
