package guestos

import "regexp"

// panicLine is how Linux announces its end on the console (kernel/panic.c); with
// printk's time stamp, so that nobody panics a machine with echo.
var panicLine = regexp.MustCompile(`\[ *\d+\.\d{6}\](?:\[[^]]*\])? (Kernel panic - not syncing[^\r\n]*)[\r\n]`)

// WatchPanics returns a watcher of what a console prints, in pieces of any size, that
// calls found for each panic of the kernel with what it says.
func WatchPanics(found func(message string)) func([]byte) {
	const longest = 512
	var carry []byte
	return func(chunk []byte) {
		carry = append(carry, chunk...)
		if match := panicLine.FindSubmatch(carry); match != nil {
			found(string(match[1]))
			carry = carry[:0]
		}
		if extra := len(carry) - longest; extra > 0 {
			carry = append(carry[:0], carry[extra:]...)
		}
	}
}
