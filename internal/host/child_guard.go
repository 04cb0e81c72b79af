//go:build darwin || guard

package host

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// guard runs before a child, in its process group: a reader of a pipe that labrun holds the
// other end of. When that closes, because labrun has ended, however it did, the guard ends the
// group, whose number is nobody else's as long as the guard is in it. It closes what the child
// inherits (descriptors below $1), since who waits for the end of one waits for all who
// have it. Other shells than bash know no descriptor above 9.
const guard = `last=$1; shift
(trap '' HUP INT TERM; for ((n = 3; n < last; n++)); do eval "exec $n<&-"; done; read -r _; kill -s KILL 0) <&0 >/dev/null 2>&1 &
exec "$0" "$@" </dev/null`

// StartChild starts a command that ends when this program does, however it ends, in a session
// of its own: Ctrl-C at the terminal does not reach it. It has no standard input.
//
// Only Linux tells a child that its parent has ended; so a shell waits for that beside it. On
// Linux the tag guard has this file tested.
func StartChild(cmd *exec.Cmd) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	alive, err := life()
	if err != nil {
		return err
	}
	last := strconv.Itoa(3 + len(cmd.ExtraFiles))
	cmd.Args = append([]string{"bash", "-c", guard, cmd.Path, last}, cmd.Args[1:]...)
	cmd.Path, cmd.Stdin = "/bin/bash", alive
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// life is the end of a pipe whose other end closes when this program ends: nobody writes to it.
var life = sync.OnceValues(func() (alive *os.File, err error) {
	alive, held, err = os.Pipe()
	return alive, err
})

// held is that other end, which has to stay open.
var held *os.File
