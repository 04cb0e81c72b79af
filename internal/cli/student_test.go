package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/course"
)

// A flag says who plays, else the environment; an author's --as comes before both.
func TestWho(t *testing.T) {
	key := write(t, "os.key", "0123456789abcdef\n")
	for _, tt := range []struct {
		flags studentFlags
		env   map[string]string
		want  course.Student
		wrong string
	}{
		{studentFlags{}, nil, course.Student{}, ""},
		{studentFlags{}, map[string]string{"LABRUN_STUDENT": "ann"}, course.Student{ID: "ann"}, ""},
		{studentFlags{id: "bob", key: key}, map[string]string{"LABRUN_STUDENT": "ann", "LABRUN_COURSE_KEY": "nowhere"},
			course.Student{ID: "bob", Key: course.Key("0123456789abcdef")}, ""},
		{studentFlags{as: "eve"}, map[string]string{"LABRUN_STUDENT": "ann"}, course.Student{ID: "eve", Imagined: true}, ""},
		{studentFlags{as: "eve", id: "bob"}, nil, course.Student{}, "leave one of them out"},
		{studentFlags{id: ".."}, nil, course.Student{}, `--student: ".." is no student's ID`},
		{studentFlags{}, map[string]string{"LABRUN_STUDENT": "a/b"}, course.Student{}, `LABRUN_STUDENT: "a/b" is no student's ID`},
		{studentFlags{}, map[string]string{"LABRUN_COURSE_KEY": "nowhere"}, course.Student{}, "nowhere"},
	} {
		p := &program{student: tt.flags, Surroundings: Surroundings{Getenv: func(name string) string { return tt.env[name] }}}
		got, err := p.who()
		switch {
		case tt.wrong == "" && (err != nil || got.ID != tt.want.ID || got.Imagined != tt.want.Imagined || !slices.Equal(got.Key, tt.want.Key)):
			t.Errorf("%+v, %v: %+v, %v", tt.flags, tt.env, got, err)
		case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("%+v, %v: %v, want: %s", tt.flags, tt.env, err, tt.wrong)
		}
	}
}

// What labrun serve starts is the same student's, and what an author plays is nobody's.
func TestStudentGoesOn(t *testing.T) {
	home := t.TempDir()
	p := &program{
		student:      studentFlags{id: "ann", key: write(t, "os.key", "0123456789abcdef")},
		Surroundings: Surroundings{Getenv: func(name string) string { return map[string]string{"HOME": home}[name] }},
	}
	command, err := p.again()
	if err != nil || !slices.Equal(command[1:], []string{"--student", "ann", "--course-key", p.student.key}) {
		t.Errorf("it goes on with %q, %v", command, err)
	}
	for flags, want := range map[studentFlags]string{
		{}:          filepath.Join(home, ".local/state/labrun"),
		{id: "ann"}: filepath.Join(home, ".local/state/labrun/students/ann"),
		{as: "ann"}: filepath.Join(home, ".local/state/labrun"),
	} {
		p.student = flags
		if state, err := p.state(); err != nil || state != want {
			t.Errorf("%+v: the state is in %s, %v; want %s", flags, state, err, want)
		}
	}
}
