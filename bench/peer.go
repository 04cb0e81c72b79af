package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/Netflix/go-expect"
	"github.com/creack/pty"

	"github.com/labrun/labrun/internal/console"
)

// asPeer plays a part in the console's measurement, each in a process of its own, so that its CPU time is known:
//
//	source CHUNK TOTAL                       prints so many bytes, in writes of so many
//	peer NAME pty|socket SOURCE CHUNK TOTAL PATTERN   reads them and says what it took
//
// It returns false if args ask for neither.
func asPeer(args []string) bool {
	var err error
	switch args[0] {
	case "source":
		err = source(args[1], args[2])
	case "peer":
		err = peer(args[1], args[2], exec.Command(args[3], "source", args[4], args[5]), regexp.MustCompile(args[6]))
	default:
		return false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func source(chunkText, totalText string) error {
	chunk, err := strconv.Atoi(chunkText)
	if err != nil {
		return err
	}
	total, err := strconv.Atoi(totalText)
	if err != nil {
		return err
	}
	const line = "drwxr-xr-x  2 root root  4096 Sep  1 23:27 inventory [ok] enp0s3\n"
	text := strings.Repeat(line, chunk/len(line)+2)
	for at := 0; at < total; {
		from := at % len(line)
		n, err := os.Stdout.WriteString(text[from : from+min(chunk, total-at)])
		if err != nil {
			return err
		}
		at += n
	}
	_, err = fmt.Println("\nfinished 42")
	return err
}

func peer(name, through string, cmd *exec.Cmd, re *regexp.Regexp) error {
	start := time.Now()
	var matched bool
	if name == "go-expect" {
		c, err := expect.NewConsole()
		if err != nil {
			return err
		}
		defer c.Close()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Tty(), c.Tty(), c.Tty()
		if err := cmd.Start(); err != nil {
			return err
		}
		c.Tty().Close()
		_, err = c.Expect(expect.Regexp(re))
		matched = err == nil
		if err != nil && !errors.Is(err, syscall.EIO) {
			return err
		}
	} else {
		stream, err := open(through, cmd)
		if err != nil {
			return err
		}
		defer stream.Close()
		if name == "labrun" {
			c := console.New(stream, console.Options{Transcript: io.Discard})
			_, err := c.Expect(context.Background(), console.Pattern(re))
			matched = err == nil
			if err != nil && !errors.Is(err, console.ErrClosed) && !errors.Is(err, syscall.EIO) {
				return err
			}
			defer c.Close()
		} else {
			buf := make([]byte, 64<<10)
			var end []byte
			for {
				n, err := stream.Read(buf)
				if n > 0 {
					end = append(end[:0], buf[max(0, n-20):n]...)
				}
				if err != nil {
					break
				}
			}
			matched = re.Match(end)
		}
	}
	seconds := time.Since(start).Seconds()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(reading{seconds, float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9, matched})
}

// open starts the source on a pty or on a socket, as QEMU's serial ports are.
func open(through string, cmd *exec.Cmd) (io.ReadWriteCloser, error) {
	if through == "pty" {
		return pty.Start(cmd)
	}
	own, its, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer its.Close()
	cmd.Stdin, cmd.Stdout = its, its
	return own, cmd.Start()
}
