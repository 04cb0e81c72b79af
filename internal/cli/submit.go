package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/run"
)

func (p *program) newSubmit() *cobra.Command {
	var out, newKey string
	c := &cobra.Command{
		Use:   "submit MISSION",
		Short: "make the one file that you hand in of what you have done in a mission",
		Long: `submit puts what you have done of a mission with labrun --guide into one file, MISSION-ID.labrun: what you typed at
the machines' consoles (their passwords too), when, and what they showed; your answers; the hints that you took.
Nothing else of your computer is in it. It can be played again, which is how it is graded.`,
		Example: `  labrun --student b10901001 submit week1
  labrun submit --new-key course.key    for a teacher: LABRUN_SIGN_KEY=course.key signs what is made, course.key.pub proves it`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case newKey != "" && len(args) == 0:
				if err := handin.NewKey(newKey); err != nil {
					return &usageError{"--new-key: " + err.Error()}
				}
				p.tell(p.Out, "%s signs (LABRUN_SIGN_KEY=%s): keep it where no student can read it\n%s.pub proves the signatures (--key %s.pub)",
					newKey, newKey, newKey, newKey)
				return nil
			case len(args) != 1 || newKey != "":
				return &usageError{"submit: say one mission, such as `labrun submit week1`"}
			}
			return p.submit(c.Context(), c, args[0], out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "the `file` to make instead of MISSION-ID.labrun in this folder")
	c.Flags().StringVar(&newKey, "new-key", "", "make a key that signs what is handed in, in this `file`, and do nothing else")
	return c
}

func (p *program) submit(ctx context.Context, c *cobra.Command, name, out string) error {
	m, lock, err := p.find(ctx, c, name)
	if err != nil {
		return err
	}
	state, err := p.state()
	if err != nil {
		return err
	}
	progress, _ := run.LookAtProgress(state, m)
	say := phrase.In(p.spoken()).Say
	if len(progress.Runs) == 0 {
		return &usageError{say("submit nothing", m.Title(), name)}
	}
	claim, err := p.claim(m, progress, lock)
	if err != nil {
		return err
	}
	key, err := p.signingKey()
	if err != nil {
		return err
	}
	var content bytes.Buffer
	if err := handin.Write(&content, claim, progress.Runs, key); err != nil {
		return &environmentError{fmt.Errorf("submit: %w", err)}
	}
	file := cmp.Or(out, claim.FileName())
	if err := host.WriteFile(file, content.Bytes(), 0o600); err != nil {
		return &environmentError{fmt.Errorf("submit: %w", err)}
	}
	p.tellSubmission(file, content.Len(), claim, key != nil)
	return nil
}

// claim is what a submission says of itself, but for what its runs say.
func (p *program) claim(m *mission.Mission, progress *guide.Progress, lock *image.Lock) (*handin.Claim, error) {
	claim := &handin.Claim{
		Student: string(m.Who.Playing()), Course: m.Who.Key.Fingerprint(),
		Mission: handin.MissionClaim{Name: handin.MissionName(m.File), Title: m.Title()},
		Images:  map[string]string{}, Labrun: version(), Written: time.Now().UTC().Truncate(time.Second),
		Steps: handin.StepsOf(m.GuideSteps(), progress),
	}
	var err error
	if claim.Mission.Files, err = m.Files(); err != nil {
		return nil, &environmentError{fmt.Errorf("submit: %w", err)}
	}
	store, err := p.store(lock, nil)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	for _, machine := range m.Declared().Machines {
		if img, ok := store.Cached(machine.Image); ok {
			claim.Images[machine.Image] = img.Digest
		}
	}
	return claim, nil
}

// signingKey is the key that signs, if there is one.
func (p *program) signingKey() (ed25519.PrivateKey, error) {
	file := p.Getenv("LABRUN_SIGN_KEY")
	if file == "" {
		return nil, nil
	}
	key, err := handin.SigningKey(file)
	if err != nil {
		return nil, &environmentError{fmt.Errorf("LABRUN_SIGN_KEY: %w", err)}
	}
	return key, nil
}

// tellSubmission says what was made and what is in it.
func (p *program) tellSubmission(file string, size int, c *handin.Claim, signed bool) {
	say := phrase.In(p.spoken()).Say
	done, hints := 0, 0
	for _, s := range c.Steps {
		hints += s.Hints
		if s.State == string(guide.Done) || s.State == string(guide.Skipped) {
			done++
		}
	}
	p.tell(p.Out, "%s", say("submit made", filepath.ToSlash(file), (size+1023)/1024))
	if c.Student == "" {
		p.tell(p.Out, "%s", say("submit nobody"))
	} else {
		p.tell(p.Out, "%s", say("submit student", c.Student))
	}
	p.tell(p.Out, "%s", say("submit steps", c.Mission.Title, done, len(c.Steps), hints))
	p.tell(p.Out, "%s", say("submit holds", len(c.Runs)))
	if signed {
		p.tell(p.Out, "%s", say("submit signed"))
	}
	if done < len(c.Steps) {
		p.tell(p.Out, "%s", say("submit more"))
	}
}
