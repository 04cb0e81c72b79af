package host

import "errors"

// Processors fails: macOS tells its load only through Mach messages, which need a C compiler.
func Processors() (Load, error) {
	return Load{}, errors.New("the load of the processors is not known on macOS")
}
