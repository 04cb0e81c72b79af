package grade

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/handin"
)

// A Mission is what is graded, with what its steps are worth.
type Mission struct {
	Name   string // without folder and .star, as submissions name it
	Title  string
	Steps  []Step
	Points Points
}

// A Step is a step of a mission.
type Step struct{ Name, Title string } // Name: of its function

// Points are what a course gives for the steps of a mission.
type Points struct {
	Step   float64            `toml:"step"`   // for a step that Steps does not name
	Hint   float64            `toml:"hint"`   // less for each hint that was asked for
	Helped float64            `toml:"helped"` // the share of a step, from 0 to 1, that labrun had a part in
	Steps  map[string]float64 `toml:"steps"`  // by the name of a step's function
}

// PointsBeside is the file beside a mission that says its points, if there is one.
func PointsBeside(mission string) string {
	return strings.TrimSuffix(mission, ".star") + ".points.toml"
}

// ReadPoints reads the points of a mission from a TOML file. Without one (an error that is
// fs.ErrNotExist, of a file that nobody named) each step gives a point, less for no hint,
// and nothing where labrun helped.
func ReadPoints(file string, steps []Step) (Points, error) {
	p := Points{Step: 1}
	data, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	meta, err := toml.Decode(string(data), &p)
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return p, fmt.Errorf("%s:%d: %s", file, parse.Position.Line, strings.TrimPrefix(parse.Message, "toml: "))
	} else if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return p, fmt.Errorf("%s: nothing is called %s%s", file, unknown[0],
			builtins.Suggest(unknown[0].String(), []string{"step", "hint", "helped", "steps"}))
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Steps)) {
		if !slices.Contains(names, name) {
			return p, fmt.Errorf("%s: [steps] %s: the mission has no such step%s", file, name, builtins.Suggest(name, names))
		}
		if !sensible(p.Steps[name]) {
			return p, fmt.Errorf("%s: [steps] %s = %v: want from 0 to %d", file, name, p.Steps[name], mostPoints)
		}
	}
	switch {
	case !sensible(p.Step):
		return p, fmt.Errorf("%s: step = %v: want from 0 to %d", file, p.Step, mostPoints)
	case !sensible(p.Hint):
		return p, fmt.Errorf("%s: hint = %v: want from 0 to %d, which is taken off for each hint", file, p.Hint, mostPoints)
	case !sensible(p.Helped) || p.Helped > 1:
		return p, fmt.Errorf("%s: helped = %v: want a share of the step's points, from 0 to 1", file, p.Helped)
	}
	return p, nil
}

// mostPoints bounds a slip of the keyboard.
const mostPoints = 10000

func sensible(points float64) bool { return points >= 0 && points <= mostPoints } // NaN is neither

// most is what a step gives at best.
func (p Points) most(step string) float64 {
	if points, ok := p.Steps[step]; ok {
		return points
	}
	return p.Step
}

// of is what a step gives that has ended like that.
func (p Points) of(step string, end handin.StepEnd) float64 {
	points := p.most(step)
	switch {
	case end.State == string(guide.Skipped) || end.State == string(guide.Done) && end.Helped > 0:
		points *= p.Helped
	case end.State != string(guide.Done):
		return 0
	}
	return round(max(0, points-p.Hint*float64(end.Hints)))
}

// round takes away what binary fractions add to decimal ones.
func round(points float64) float64 { return math.Round(points*1000) / 1000 }
