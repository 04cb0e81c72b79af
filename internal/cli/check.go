package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/analysis"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/report"
)

func (p *program) newCheck() *cobra.Command {
	var asJSON, strict bool
	c := &cobra.Command{
		Use:   "check FILE…",
		Short: "load missions and report their mistakes, without QEMU",
		Long: `check loads missions without booting anything, and looks for mistakes that a run
would meet, or that a student would stumble over.

A finding is one line: FILE:LINE:COLUMN: what is wrong: how to mend it [rule]. A
comment on that line or on the one above silences it: # lint: RULE because REASON`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{"check: which missions? Name their files"}
			}
			worst := exitPassed
			for _, file := range args {
				worst = max(worst, p.check(c, file, asJSON, strict))
			}
			if worst != exitPassed {
				return errReported(worst)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write the findings as JSON lines, for editors")
	p.student.imagined(c)
	c.Flags().BoolVar(&strict, "werror", false, "let warnings count as errors")
	return c
}

// check looks at one mission and returns its exit code.
func (p *program) check(c *cobra.Command, file string, asJSON, strict bool) int {
	lock, err := p.lockFor(file)
	var faults *image.LockError
	if errors.As(err, &faults) && asJSON {
		for _, f := range faults.Faults {
			at := analysis.Place{Line: f.Line, Column: 1}
			p.tellFinding(analysis.Finding{
				File: faults.File, Span: analysis.Span{From: at, To: at}, Rule: analysis.RuleLoad,
				Severity: analysis.SeverityError, Message: f.Text,
			}, true)
		}
		return exitScript
	}
	if err != nil {
		return p.explain(c.Context(), err)
	}
	if err := lock.CheckPackages(); err != nil {
		return p.explain(c.Context(), &mission.Error{Kind: mission.Script, Message: err.Error(), Cause: err})
	}
	findings := lint(file, imagesOf(lock))
	options, err := p.loading(lock)
	if err != nil {
		return p.explain(c.Context(), err)
	}
	options.Derivable = lock.CheckDerivationNames
	m, err := p.load(c.Context(), c, file, options)
	var failed *mission.Error
	if err != nil && (!errors.As(err, &failed) || failed.Kind != mission.Script) {
		return p.explain(c.Context(), err)
	}
	code := exitPassed
	if m != nil {
		translations, err := analysis.CheckTranslations(m.Script)
		if err != nil {
			code = p.explain(c.Context(), err)
		}
		findings = append(findings, translations...)
	}
	if m != nil {
		findings = append(findings, analysis.PackNotes(m.Script)...)
	}
	if failed != nil {
		// A mission that cannot be loaded has errors enough.
		findings = slices.DeleteFunc(
			findings, func(f analysis.Finding) bool { return f.Severity != analysis.SeverityError },
		)
		code = exitScript
	}
	if failed != nil && asJSON {
		findings = append(findings, onOtherLines(analysis.Findings(failed), findings)...)
	} else if failed != nil {
		p.explain(c.Context(), failed)
		findings = onOtherLines(findings, analysis.Findings(failed))
	}
	for _, f := range findings {
		if f.Severity == analysis.SeverityError || strict && f.Severity == analysis.SeverityWarning {
			code = exitScript
		}
		p.tellFinding(f, asJSON)
	}
	if code == exitPassed && !asJSON {
		d := m.Declared()
		fmt.Fprintf(
			p.Out, "%s: ok: %s, %s\n", file, report.Count(len(d.Steps), "step"),
			report.Count(len(d.Machines), "machine"),
		)
	}
	return code
}

func (p *program) tellFinding(f analysis.Finding, asJSON bool) {
	if asJSON {
		line, _ := json.Marshal(f) // it has nothing that JSON has not
		fmt.Fprintf(p.Out, "%s\n", line)
	} else {
		p.tell(p.Err, "%v", f)
	}
}

// imagesOf returns what the analysis of scripts has to know of the images.
func imagesOf(lock *image.Lock) analysis.Images {
	images := analysis.Images{}
	for _, name := range lock.Names() {
		profile, _ := lock.Profile(name)
		images[name] = profile.Console.Line
	}
	return images
}

// lint looks at a mission's text: a file, or the name of one that is built in. One
// that there is not is left for loading to complain about.
func lint(name string, images analysis.Images) []analysis.Finding {
	findings, err := analysis.LintFile(name, images)
	if err != nil && !strings.ContainsRune(name, '/') {
		if _, err := fs.Stat(labrun.Missions(), name+".star"); err == nil {
			return analysis.Lint(labrun.Missions(), name+".star", name+".star", images)
		}
	}
	return findings
}

// onOtherLines drops the findings about lines that have been told of.
func onOtherLines(findings, told []analysis.Finding) []analysis.Finding {
	return slices.DeleteFunc(findings, func(f analysis.Finding) bool {
		return slices.ContainsFunc(told, func(told analysis.Finding) bool {
			return told.File == f.File && told.Span.From.Line == f.Span.From.Line
		})
	})
}
