//go:build !guard

package host

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// StartChild starts a command that the kernel kills when this program ends, however it
// ends. The command has a session of its own: Ctrl-C at the terminal does not reach
// it, and Linux shares the processors out by session (sched(7), autogroup), so that a
// child that computes holds up neither other children nor this program for longer than
// it must.
//
// The kernel delivers a parent-death signal when the thread that started the child ends,
// and Go ends threads as it likes. So all are started on one that lives as long as the
// program.
func StartChild(cmd *exec.Cmd) error {
	parent.once.Do(func() {
		parent.starts = make(chan start)
		go func() {
			runtime.LockOSThread()
			for s := range parent.starts {
				s.result <- s.cmd.Start()
			}
		}()
	})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	parent.starts <- start{cmd, result}
	return <-result
}

type start struct {
	cmd    *exec.Cmd
	result chan error
}

// parent is the thread that starts children.
var parent struct {
	once   sync.Once
	starts chan start
}
