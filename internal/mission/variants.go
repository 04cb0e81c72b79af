package mission

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
)

// ProveVariant plays the mission on the given lab as the student whom it was drawn for would
// who does what its solutions say. What it finds is a failed trial, whose remedy the caller
// has; its error is an *Error, as Prove's. It is run once.
func (m *Mission) ProveVariant(ctx context.Context, l *lab.Lab) (Trial, error) {
	trial, began := m.Variant(), time.Now()
	passed, err := m.Run(ctx, l, &event.Log{}, Start{}) // what happens is nobody's concern but the trial's
	trial.Seconds = time.Since(began).Seconds()
	if fatal(ctx, err) {
		return trial, err
	}
	if err != nil {
		step := m.Declared().Steps[passed]
		trial.Step, trial.Title, trial.Position = passed+1, step.Title, step.Position.String()
		trial.Failure = fmt.Sprintf("step %d, %s: %v", trial.Step, trial.Title, err)
	}
	return trial, nil
}

// Variant is a trial that was not made: it has only the student and what was drawn for them,
// without secrets.
func (m *Mission) Variant() Trial {
	var drawn []string
	for _, v := range m.Declared().Variants {
		if !v.Secret {
			drawn = append(drawn, v.Name+" = "+v.Value)
		}
	}
	who := string(m.Who.ID)
	t := Trial{As: who, Name: who, Position: m.File}
	if len(drawn) > 0 {
		t.Name += ": " + strings.Join(drawn, ", ")
	}
	return t
}
