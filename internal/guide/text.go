package guide

// Text is what is said to the student, in the language that they read when it is shown:
// they may have chosen another one by then. A nil one says nothing. It can be asked
// concurrently.
type Text func() string

// String says it in the language of this moment.
func (t Text) String() string {
	if t == nil {
		return ""
	}
	return t()
}

// Plain is a text that is the same in every language.
func Plain(text string) Text { return func() string { return text } }

// said says texts in the language of this moment.
func said(texts []Text) []string {
	var said []string
	for _, t := range texts {
		said = append(said, t.String())
	}
	return said
}
