package console

import "unicode/utf8"

// Plain returns the text of a guest's output, cleaned as a console cleans it.
func Plain(output []byte) string {
	var text plainText
	var c cleaner
	c.write(output, &text)
	c.end(&text)
	return string(text)
}

type plainText []byte

func (t *plainText) text(b []byte) { *t = append(*t, b...) }

func (t *plainText) erase() {
	_, size := utf8.DecodeLastRune(*t)
	*t = (*t)[:len(*t)-size]
}
