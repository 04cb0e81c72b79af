package cli

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/replay"
	"github.com/labrun/labrun/internal/report"
)

type replayFlags struct {
	missions     []string
	key, records string
	json         bool
	changed      bool
	allow        consent
}

func (p *program) newReplay() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "play what a student has handed in again, and say whether it comes to what they claim",
		Long: `replay plays a file that labrun submit has made: on fresh machines, it types what the student typed when
the machines wait as they did, answers what they answered, and has all checks made anew.

Exit codes: 0 confirmed, 1 it differs, 2 it is refused (damaged, changed, of another mission …), 4 the host
cannot play it, 5 it was stopped before its end, 130 interrupted.`,
		Example: `  labrun replay week1-b10901001.labrun                        a mission that came with labrun
  labrun replay --mission my-lab.star my-lab-b10901001.labrun
  labrun replay --key course.pub --json FILE                  only what that key has signed, for a program`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{"replay: one file at a time; `labrun grade FOLDER` judges many"}
			}
			return p.replay(c.Context(), c, args[0], f)
		},
	}
	c.Flags().StringArrayVar(&f.missions, "mission", nil, "a mission that it may be of, a `file` or name; several may be given")
	c.Flags().StringVar(&f.key, "key", "", "refuse what is not signed by the key of this public `file`")
	c.Flags().StringVar(&f.records, "records", "", "keep the records of the runs that are played in this `folder`")
	c.Flags().BoolVar(&f.json, "json", false, "write the verdict as one JSON object")
	c.Flags().BoolVar(&f.changed, "changed", false, "play it also if the mission's files are others by now")
	f.allow.flag(c)
	return c
}

// replay plays a submission again. With --json the verdict is all that is written to standard
// output, whatever happens.
func (p *program) replay(ctx context.Context, c *cobra.Command, file string, f replayFlags) error {
	who, err := p.who()
	if err != nil {
		return err
	}
	o := replay.Options{Student: p.student.id, Key: who.Key, Changed: f.changed, Records: f.records}
	if f.key != "" {
		var key ed25519.PublicKey
		if key, err = handin.PublicKey(f.key); err != nil {
			return &usageError{"--key: " + err.Error()}
		}
		o.Signer = key
	}
	name, err := p.named(file, f.missions)
	if err != nil {
		return err
	}
	var lock *image.Lock
	if name != "" {
		if lock, err = p.lockFor(name); err != nil {
			return err
		}
		if o.Store, err = p.store(lock, nil); err != nil {
			return err
		}
		defer o.Store.Close()
	}
	o.Load = func(ctx context.Context, _ string, who course.Student, language string) (*mission.Mission, error) {
		if name == "" {
			return nil, nil
		}
		options, err := p.loading(lock)
		if err != nil {
			return nil, err
		}
		options.Who, options.Language = who, language
		m, err := p.load(ctx, c, name, options)
		if err == nil && f.allow.missing(m) {
			err = &usageError{fmt.Sprintf("%s wants to run commands on this computer: if you trust it, say --allow host", name)}
		}
		return m, err
	}
	v := replay.Judge(ctx, file, o)
	if f.json {
		err = json.NewEncoder(p.Out).Encode(v)
	} else {
		p.tellVerdict(file, v)
	}
	if code := verdictCode(ctx, v); err == nil && code != exitPassed {
		return errReported(code)
	}
	return err
}

// named finds the mission that a submission is of among those that were given, or without any,
// among those that came with labrun; empty: it is of none, or cannot be read.
func (p *program) named(file string, missions []string) (string, error) {
	s, err := handin.Open(file, handin.Usual)
	if err != nil {
		return "", nil // which is told with the verdict
	}
	defer s.Close()
	if len(missions) == 0 {
		if _, err := fs.Stat(labrun.Missions(), s.Claim.Mission.Name+".star"); err != nil {
			return "", &usageError{fmt.Sprintf("replay: %s is of the mission %s, which did not come with labrun: say --mission FILE", file, s.Claim.Mission.Name)}
		}
		return s.Claim.Mission.Name, nil
	}
	for _, name := range missions {
		if handin.MissionName(name) == s.Claim.Mission.Name {
			return name, nil
		}
	}
	return "", nil
}

func verdictCode(ctx context.Context, v *handin.Verdict) int {
	switch {
	case v.Judgement == handin.Confirmed:
		return exitPassed
	case v.Judgement == handin.Differs:
		return exitCheck
	case v.Judgement == handin.Refused:
		return exitUsage
	case ctx.Err() != nil:
		return exitInterrupted
	case v.Cause == handin.TimedOut:
		return exitTimeout
	}
	return exitEnvironment
}

// tellVerdict says for people what playing a submission again came to.
func (p *program) tellVerdict(file string, v *handin.Verdict) {
	whose := v.Student
	if whose == "" {
		whose = "a student without a name"
	}
	switch v.Judgement {
	case handin.Refused:
		p.tell(p.Out, "%s: refused: %s", file, v.Reason)
		return
	case handin.Failed:
		p.tell(p.Out, "%s: could not be played again: %s", file, v.Reason)
	default:
		p.tell(p.Out, "%s: %s, by %s: %s", file, v.Title, whose, v.Judgement)
	}
	for _, s := range v.Steps {
		state := s.Found.State
		if state == "" {
			state = "not reached"
		}
		p.tell(p.Out, "  %2d. %s: %s, %s", s.Index, s.Title, state, report.Count(s.Found.Hints, "hint"))
		if s.Differs != "" {
			p.tell(p.Out, "      differs: %s", s.Differs)
		}
	}
}
