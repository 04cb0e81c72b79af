package guestos

import (
	"bytes"
	"regexp"
)

// stamp is printk's time stamp. What the kernel says is told by it, so that nobody panics a
// machine with echo.
const stamp = `\[ *\d+\.\d{6}\](?:\[[^]]*\])? `

var (
	// panicLine is how Linux announces its end on the console (kernel/panic.c).
	panicLine = regexp.MustCompile(stamp + `(Kernel panic - not syncing.*)`)

	// fatal is a panic after an exception in the kernel, which was told just before: what it
	// was, and at which instruction (arch/*/kernel/traps.c and mm/fault.c).
	fatal     = regexp.MustCompile(`: Fatal exception`)
	exception = regexp.MustCompile(stamp + `((?:BUG: |kernel BUG at |Unable to handle kernel |Internal error: |general protection fault|divide error|invalid opcode|Oops).*)`)
	place     = regexp.MustCompile(stamp + `(?:RIP: 0010:|EIP: |pc : |epc : )(\w\S*\+0x[0-9a-f]+)`)
)

// WatchPanics returns a watcher of what a console prints, in pieces of any size, that
// calls found for each panic of the kernel with what it says, and, where it follows an
// exception, with what that was and in which function.
func WatchPanics(found func(message string)) func([]byte) {
	const longest = 512
	var line []byte      // what has come of it
	var cause, at string // of the last exception
	judge := func() {
		find := func(re *regexp.Regexp) string {
			if match := re.FindSubmatch(line); match != nil {
				return string(match[1])
			}
			return ""
		}
		if what := find(exception); what != "" && (cause == "" || at != "") { // its first line says most
			cause, at = what, ""
		}
		if where := find(place); where != "" && at == "" {
			at = where
		}
		message := find(panicLine)
		if message == "" {
			return
		}
		if fatal.MatchString(message) && cause != "" {
			message += " (" + cause
			if at != "" {
				message += ", in " + at
			}
			message += ")"
		}
		cause, at = "", ""
		found(message)
	}
	return func(chunk []byte) {
		for len(chunk) > 0 {
			end := bytes.IndexAny(chunk, "\r\n")
			rest := chunk
			if end >= 0 {
				rest, chunk = chunk[:end], chunk[end+1:]
			} else {
				chunk = nil
			}
			line = append(line, rest...)
			line = line[max(0, len(line)-longest):] // the kernel may speak up in the middle of one
			if end >= 0 {
				judge()
				line = line[:0]
			}
		}
	}
}
