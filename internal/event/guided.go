package event

import "time"

// The events of a run in which a student is led. They are the dialogue as its views see
// it: all that a terminal, a page or another program needs to show is in them, in the
// student's language, and nothing of how it is shown.

// Welcomed opens the dialogue and says where the student begins.
type Welcomed struct {
	Title    string `json:"title"`
	Language string `json:"language"` // of labrun's own words, a BCP 47 tag
	Steps    int    `json:"steps"`
	Minutes  int    `json:"minutes,omitempty"`  // what the author expects it to take
	From     int    `json:"from"`               // the step, counted from 1
	Why      string `json:"why,omitempty"`      // "resumed", "finished" or "changed"; empty: at the first step, as asked
	Finished string `json:"finished,omitempty"` // the day on which the student has come to the end before
	// A board begins at From, or goes on there: how many challenges it has, and how many are
	// solved.
	Challenges int `json:"challenges,omitempty"`
	Solved     int `json:"solved,omitempty"`

	Damaged string `json:"damaged,omitempty"` // where a file of progress is that could not be read
	Class   bool   `json:"class,omitempty"`   // the run reports to a class
}

// Translated says that all is in another language from here on, and what of the mission
// stands before the student's eyes: whoever folds events has these titles from then on.
// What the student is asked follows, told anew in the new language (Retold): the Instructed
// with its number, so that what is said about it stays valid, the hints that were given for
// it, and why it is not done yet. So does an edition of the mission in other words (Edited).
type Translated struct {
	Language  string   `json:"language"` // of labrun's own words, a BCP 47 tag
	Title     string   `json:"title"`    // of the mission
	Titles    []string `json:"titles"`   // of all steps
	At        int      `json:"at"`       // the present step, counted from 1; 0: none has begun
	Narration string   `json:"narration,omitempty"`
	Edited    bool     `json:"edited,omitempty"` // the mission's author did it, and the language is the one before
}

// Returned says that the machines are as they were when the step began that the student
// goes on at, or at a board, as the student left them.
type Returned struct {
	Seconds float64 `json:"seconds"`
	Board   bool    `json:"board,omitempty"`
}

// Redone says that the present step begins again.
type Redone struct {
	Restored bool `json:"restored"` // the machines are as they were when it began; else as they are now
}

// Instructed says what a student is asked to do: the builtin, what that asks for in
// words, such as "type" (empty: the builtin's name says it), the console it is about
// (empty: none), and the text to type, if there is one.
type Instructed struct {
	Number  int    `json:"number"` // counts the instructions of a run, so that a command can name the one it is about
	Console string `json:"console,omitempty"`
	Verb    string `json:"verb"`
	Words   string `json:"words,omitempty"`
	Text    string `json:"text,omitempty"`
	Keys    bool   `json:"keys,omitempty"`  // what is to be typed is not followed by Enter
	Press   string `json:"press,omitempty"` // what a terminal sends for the key that is to be pressed

	Say      string   `json:"say,omitempty"`      // the same as a sentence to the student
	Goal     string   `json:"goal,omitempty"`     // what Say announces, in Markdown; then hints are Markdown, too
	Block    string   `json:"block,omitempty"`    // lines to show as they are, below it
	Question bool     `json:"question,omitempty"` // an answer is asked for: one of Choices, or if there are none in own words
	Choices  []string `json:"choices,omitempty"`
	Hints    int      `json:"hints,omitempty"`  // how many there are
	May      []string `json:"may,omitempty"`    // the commands that are taken now
	Known    bool     `json:"known,omitempty"`  // the student was told already: it is what comes of an earlier one
	Retold   bool     `json:"retold,omitempty"` // it takes the place of the one of that number: see Translated
}

// Fulfilled says that the last instruction that was not Known has ended.
type Fulfilled struct {
	Number int    `json:"number"`
	By     string `json:"by"` // "student", "labrun"; "nobody" if it was given up
}

// Missed says why what is asked for is not done yet.
type Missed struct {
	Reason string `json:"reason"`
	Again  bool   `json:"again,omitempty"` // it is the same as the time before
	Retold bool   `json:"retold,omitempty"`
}

// Told is a word to the student, of labrun's or of the script's.
type Told struct {
	Text     string `json:"text"`
	Markdown bool   `json:"markdown,omitempty"`
}

// Answered is a student's answer. Verdict is "right", "wrong", or "open" for a question
// that has no one answer.
type Answered struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
	Verdict  string `json:"verdict"`
}

// Hinted is a hint that a student asked for: number Level of Of, counted from 1; the last
// one is the whole answer.
type Hinted struct {
	Level  int    `json:"level"`
	Of     int    `json:"of"`
	Text   string `json:"text"`
	Retold bool   `json:"retold,omitempty"` // it was given before: see Translated
}

// Helped records that labrun does something at a student's word: "do", "skip", "redo",
// "restart", "reset".
type Helped struct {
	Word string `json:"word"`
	With string `json:"with,omitempty"` // the instruction or machine it was about
}

// Invited says that the student lets the teacher of their class type at the consoles, or not
// any more.
type Invited struct {
	On bool `json:"on"`
}

// Recalled records how a student did a step in an earlier run, when labrun is about to
// replay it. The verdicts of the answers are not known any more.
type Recalled struct {
	State   string     `json:"state"` // "done", "skipped" or "left"
	Seconds float64    `json:"seconds"`
	Hints   int        `json:"hints,omitempty"`  // how many were asked for
	Helped  int        `json:"helped,omitempty"` // how often labrun did something for the student
	Answers []Answered `json:"answers,omitempty"`
}

// Completed says that the student has come to the end of the mission.
type Completed struct {
	Done   int   `json:"done"` // steps, by whomever
	Of     int   `json:"of"`
	Helped []int `json:"helped,omitempty"` // the steps that labrun had a part in, counted from 1
}

// Paused says that the student stops before the end; the progress is kept.
type Paused struct {
	At     int  `json:"at"`               // the step to go on at, counted from 1
	Board  bool `json:"board,omitempty"`  // it is the first challenge of a board
	Solved int  `json:"solved,omitempty"` // of that, so far
}

// Board tells how the challenges of a board stand: when the student comes to it, whenever it
// is looked at again, and at its end. Those that were solved have been checked just before.
type Board struct {
	First      int         `json:"first"` // the step that is its first challenge, counted from 1
	Solved     int         `json:"solved"`
	Challenges []Challenge `json:"challenges"`
}

// Challenge is how one challenge of a board stands.
type Challenge struct {
	Title   string    `json:"title"`
	State   string    `json:"state"`             // "done", "skipped", "begun" or "ahead"
	Passed  time.Time `json:"passed,omitzero"`   // when it was solved, which stays
	Changed bool      `json:"changed,omitempty"` // its check does not hold any more
}

func (Welcomed) Kind() string   { return "welcomed" }
func (Translated) Kind() string { return "translated" }
func (Returned) Kind() string   { return "returned" }
func (Redone) Kind() string     { return "redone" }
func (Instructed) Kind() string { return "instructed" }
func (Fulfilled) Kind() string  { return "fulfilled" }
func (Missed) Kind() string     { return "missed" }
func (Told) Kind() string       { return "told" }
func (Answered) Kind() string   { return "answered" }
func (Hinted) Kind() string     { return "hinted" }
func (Helped) Kind() string     { return "helped" }
func (Invited) Kind() string    { return "invited" }
func (Recalled) Kind() string   { return "recalled" }
func (Completed) Kind() string  { return "completed" }
func (Paused) Kind() string     { return "paused" }
func (Board) Kind() string      { return "board" }
