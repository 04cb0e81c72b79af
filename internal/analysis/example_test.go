package analysis_test

import (
	"fmt"
	"testing/fstest"

	"github.com/labrun/labrun/internal/analysis"
)

func ExampleLint() {
	folder := fstest.MapFS{"lab.star": {Data: []byte(`mission(title = "Hello", api = 1)
pc = machine("pc", image = "debain")

def work():
    """Say hello

    Type echo hello.
    """
    send(pc, "echo hello")

step(work)
`)}}
	for _, finding := range analysis.Lint(folder, "lab.star", "lab.star", analysis.Images{"debian": 0}) {
		fmt.Printf("%d: %s [%s]\n", finding.Span.From.Line, finding.Message, finding.Rule)
	}
	// Output:
	// 2: image "debain" is not in images.lock (did you mean debian?) [unknown-image]
	// 4: the step work checks nothing [no-check]
	// 9: nothing in this step checks what this led to [unchecked-input]
	// 9: send: pc is not on [not-booted]
}

// An editor asks about a script that is being typed. The cursor is behind the dot.
func ExampleDraft_Complete() {
	text := "mission(title = \"Hello\", api = 1)\npc = machine(\"pc\", image = \"debian\")\ndef work():\n    say(pc.\n"
	draft := analysis.NewDraft(fstest.MapFS{}, "lab.star", "lab.star", text, analysis.Images{"debian": 0})
	for _, c := range draft.Complete(analysis.Place{Line: 4, Column: 12}) {
		fmt.Printf("%s: %s\n", c.Label, c.Doc)
	}
	// Output:
	// name: what it is called
	// image: what it boots, from images.lock
}
