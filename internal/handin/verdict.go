package handin

// VerdictFormat is the number of Verdict's form. It grows when a reader of the old form
// would misunderstand the new one.
const VerdictFormat = 1

// Judgement says in a word what came of a submission.
type Judgement string

// The judgements.
const (
	Confirmed Judgement = "confirmed" // played again, it came to what it claims
	Differs   Judgement = "differs"   // played again, it came to something else
	Refused   Judgement = "refused"   // it cannot be judged: damaged, hostile, of another mission …
	Failed    Judgement = "failed"    // labrun could not judge it: the computer, the time limit
)

// Cause says in a word why a submission is refused or could not be judged, for programs
// that count; Verdict.Reason says it in a sentence.
type Cause string

// The causes. The last two are of what has failed, all others of what is refused.
const (
	Damaged  Cause = "damaged"  // it is not whole, or not of a format that this labrun knows
	Hostile  Cause = "hostile"  // it is larger than any lab's, or its names lead elsewhere
	Unsigned Cause = "unsigned" // a signature is asked for, and it has none
	Altered  Cause = "altered"  // its chain of hashes or its signature does not hold
	Mission  Cause = "mission"  // it is of another mission, or of one whose files have changed since
	Student  Cause = "student"  // it names nobody, or nobody who can be
	Course   Cause = "course"   // it was played with another course's key
	Host     Cause = "host"     // this computer could not play it
	TimedOut Cause = "timeout"  // it was not played to its end within its time limit
)

// Verdict is what playing a submission again came to. `labrun replay --json` prints it, and
// the rows of a grade, feedback and the view of a class are made of it.
type Verdict struct {
	Format    int       `json:"format"`
	Judgement Judgement `json:"verdict"`
	Cause     Cause     `json:"cause,omitempty"`
	Reason    string    `json:"reason,omitempty"` // one sentence; empty if it is confirmed

	// What the submission says of itself, as far as it can be read.
	Student  string `json:"student,omitempty"`
	Language string `json:"language,omitempty"` // the student's, a BCP 47 tag
	Mission  string `json:"mission,omitempty"`
	Title    string `json:"title,omitempty"`
	Signed   bool   `json:"signed,omitempty"` // by the key that was asked for

	Seconds float64       `json:"seconds,omitempty"` // what playing it again took
	Played  int           `json:"played,omitempty"`  // how often that was: once more if a run went another way than the student's
	Steps   []StepVerdict `json:"steps,omitempty"`   // all of the mission, in its order; none if it is refused
}

// StepVerdict is what playing one step again came to.
type StepVerdict struct {
	Index   int      `json:"index"` // counted from 1
	Title   string   `json:"title"`
	Claimed StepEnd  `json:"claimed"`
	Found   StepEnd  `json:"found"`
	Answers []Answer `json:"answers,omitempty"`

	Differs string `json:"differs,omitempty"` // what is not as claimed, one sentence
	Console string `json:"console,omitempty"` // where it parted
	Line    int    `json:"line,omitempty"`    // of the events, counted from 1; 0: not known
}

// StepEnd is how a step has ended, or how it is said to have.
type StepEnd struct {
	State   string  `json:"state,omitempty"` // of package guide: "done", "skipped", "left"; empty: it was not reached
	Hints   int     `json:"hints,omitempty"`
	Helped  int     `json:"helped,omitempty"` // how often labrun did something for the student
	Seconds float64 `json:"seconds,omitempty"`
}

// Answer is a student's answer to a question, as it was judged then and now.
type Answer struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
	Claimed  string `json:"claimed"` // "right", "wrong" or "open"
	Found    string `json:"found"`
}
