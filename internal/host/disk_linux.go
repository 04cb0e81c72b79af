package host

import (
	"bufio"
	"io/fs"
	"strings"
	"syscall"
)

// StateOf returns the state of a file that was looked at.
func StateOf(info fs.FileInfo) FileState {
	st := info.Sys().(*syscall.Stat_t)
	return FileState{st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim}
}

// mounts returns the folders at which something is mounted.
func mounts() (at []string, err error) {
	f, err := proc.Open("self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// The fifth field is the mount point, with blanks escaped.
		if fields := strings.Fields(lines.Text()); len(fields) > 4 {
			at = append(at, unescapeMount(fields[4]))
		}
	}
	return at, lines.Err()
}

func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
