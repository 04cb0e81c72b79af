package attach

import "regexp"

// question is what a terminal would answer by typing: device status and cursor
// reports, and device attributes (ECMA-48 DSR and DA, xterm's variants).
var question = regexp.MustCompile(`\x1b\[[0-9;?>=]*[nc]`)

// longestQuestion bounds how much of an unfinished sequence is held back.
const longestQuestion = 16

// filter takes questions out of a guest's output, also when reads split them. What it holds
// back are the last bytes that came, as they came.
type filter struct{ held []byte }

// begun is a question, or another sequence, whose end has not come.
var begun = regexp.MustCompile(`\x1b(\[[0-9;?>=]*)?$`)

func (f *filter) pass(chunk []byte) []byte {
	if len(f.held) > 0 {
		chunk = append(f.held, chunk...)
		f.held = nil
	}
	tail := chunk[max(0, len(chunk)-longestQuestion):]
	if at := begun.FindIndex(tail); at != nil {
		cut := len(chunk) - len(tail) + at[0]
		f.held = append([]byte(nil), chunk[cut:]...)
		chunk = chunk[:cut]
	}
	return question.ReplaceAll(chunk, nil)
}
