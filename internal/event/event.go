// Package event owns the typed records of a run: what happened, to which
// machine, in which step. Whoever does something emits an event; package
// report turns events into text and pages. Nothing here prints.
package event

// Event is one thing that happened. Kind is the name it has in machine-readable
// output; it never changes once published.
type Event interface{ Kind() string }

// RunStarted opens a run.
type RunStarted struct {
	Mission string `json:"mission"` // file name of the script
	Title   string `json:"title"`
	Steps   int    `json:"steps"`
	Minutes int    `json:"minutes,omitempty"` // what the author expects of a student
	Guided  bool   `json:"guided,omitempty"`  // a student is led through it
	Student string `json:"student,omitempty"` // the ID of who plays; empty: they have said none
	As      string `json:"as,omitempty"`      // whose mission an author plays, as that student would
	Course  string `json:"course,omitempty"`  // the fingerprint of its key; empty: it has none
	// Titles are those of all steps: a report also names what was not reached.
	Titles []string `json:"titles,omitempty"`
	// Challenges are the numbers of the steps that are challenges, counted from 1: those that
	// follow one another are a board.
	Challenges []int `json:"challenges,omitempty"`
}

// Notice is something the reader should know and need not act on: a stand-in
// image in use, emulation instead of KVM.
type Notice struct {
	Text string `json:"text"`
}

// Progress reports on long work of known or unknown length. Total is 0 when the
// length is unknown.
type Progress struct {
	Subject string `json:"subject"` // the image or machine worked on
	Phase   string `json:"phase"`   // «download», «build», «boot» …
	Note    string `json:"note,omitempty"`
	Done    int64  `json:"done"`
	Total   int64  `json:"total"`
}

// StepStarted and StepEnded bracket one step. Index counts from 1. A step that is
// replayed is one that the student has behind them: labrun plays it to bring the
// machines to where they were, or, if it is restored, has brought them there from a saved
// state.
type StepStarted struct {
	Index     int    `json:"index"`
	Total     int    `json:"total"`
	Title     string `json:"title"`
	Narration string `json:"narration,omitempty"`
	Replayed  bool   `json:"replayed,omitempty"`
	Restored  bool   `json:"restored,omitempty"`

	// Of a challenge: its number on its board, counted from 1, and how many there are on it.
	// One is started whenever the student enters it.
	Challenge  int `json:"challenge,omitempty"`
	Challenges int `json:"challenges,omitempty"`
}

// StepEnded closes a step; Error is empty if it passed.
type StepEnded struct {
	Index   int     `json:"index"`
	Total   int     `json:"total"`
	Title   string  `json:"title"`
	Passed  bool    `json:"passed"`
	Skipped bool    `json:"skipped,omitempty"` // labrun did it for the student
	Away    bool    `json:"away,omitempty"`    // the student has left the challenge, and may come again
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Acted records what labrun did to a machine: «boot», «type», «run» …
type Acted struct {
	Machine string `json:"machine"`
	Verb    string `json:"verb"`
	Text    string `json:"text,omitempty"`
}

// Checked records a check of the script that passed or failed.
type Checked struct {
	Builtin string `json:"builtin"`
	What    string `json:"what"`
	Passed  bool   `json:"passed"`
	Hint    string `json:"hint,omitempty"`
}

// Pictured tells of a picture of a machine's screen that was kept: by the script, which has
// named it, or where a step has ended.
type Pictured struct {
	Machine string `json:"machine"`
	Name    string `json:"name,omitempty"` // the script's; empty: a step has ended
	File    string `json:"file"`           // a PNG file in the records folder
}

// Said is a word of the script to its reader.
type Said struct {
	Text string `json:"text"`
}

// Asked is a question of the script, with the answer labrun gave in auto mode.
type Asked struct {
	Question string   `json:"question"`
	Choices  []string `json:"choices,omitempty"`
	Answer   string   `json:"answer,omitempty"`
}

// Machine reports a change in a machine's life: «booting», «ready», «stopped»,
// «failed». Seconds counts from its boot. The detail of the first two is «warm» if
// the machine was restored from a saved state instead.
type Machine struct {
	Name    string  `json:"name"`
	State   string  `json:"state"`
	Detail  string  `json:"detail,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

// RunEnded closes a run. Failed says why it did not pass; it is empty if it did.
type RunEnded struct {
	Passed   bool    `json:"passed"`
	Steps    int     `json:"steps"` // steps that passed
	Total    int     `json:"total"`
	Seconds  float64 `json:"seconds"`
	ExitCode int     `json:"exit_code"`
	Failed   string  `json:"failed,omitempty"`
	Records  string  `json:"records,omitempty"` // folder of the consoles' transcripts
}

func (RunStarted) Kind() string  { return "run_started" }
func (Notice) Kind() string      { return "notice" }
func (Progress) Kind() string    { return "progress" }
func (StepStarted) Kind() string { return "step_started" }
func (StepEnded) Kind() string   { return "step_ended" }
func (Acted) Kind() string       { return "acted" }
func (Checked) Kind() string     { return "checked" }
func (Pictured) Kind() string    { return "pictured" }
func (Said) Kind() string        { return "said" }
func (Asked) Kind() string       { return "asked" }
func (Machine) Kind() string     { return "machine" }
func (RunEnded) Kind() string    { return "run_ended" }
