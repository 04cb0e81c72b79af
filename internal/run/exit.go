package run

import (
	"cmp"
	"errors"

	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
)

// Exit codes, part of the interface: how a run ended, by who can mend it. They are also
// in its records.
const (
	ExitPassed      = 0
	ExitCheck       = 1
	ExitUsage       = 2
	ExitScript      = 3
	ExitEnvironment = 4
	ExitTimeout     = 5
	ExitInterrupted = 130
)

// Unfinished is a guided run whose student came to its end and left steps out, or
// stopped before. They know that, so there is nothing to tell.
type Unfinished struct{ Stopped bool }

func (u *Unfinished) Error() string {
	if u.Stopped {
		return "the student stopped"
	}
	return "not all steps were done"
}

// ExitCode is what labrun exits with because of an error of a run.
func ExitCode(err error) int {
	var failed *mission.Error
	var unfinished *Unfinished
	var environment *lab.EnvironmentError
	switch {
	case err == nil:
		return ExitPassed
	case errors.As(err, &unfinished) && unfinished.Stopped:
		return ExitInterrupted
	case errors.As(err, &unfinished):
		return ExitCheck
	case errors.As(err, &failed):
		return cmp.Or(exitCodes[failed.Kind], ExitScript)
	case errors.As(err, &environment):
		return ExitEnvironment
	}
	return ExitUsage
}

var exitCodes = map[mission.Kind]int{
	mission.Check:       ExitCheck,
	mission.Usage:       ExitUsage,
	mission.Script:      ExitScript,
	mission.Environment: ExitEnvironment,
	mission.Timeout:     ExitTimeout,
	mission.Interrupted: ExitInterrupted,
}
