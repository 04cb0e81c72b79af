package attach

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// Gate is a class's socket, to which the runs of its students report, those of other users of
// this computer, too.
type Gate struct {
	path     string
	listener *net.UnixListener

	mu    sync.Mutex
	calls map[string]call // by what who comes back has to say
	of    map[int]int     // connections, by user
}

// call is somebody who waits for a run to come back.
type call struct {
	uid  int
	come chan *net.UnixConn
}

// OpenGate makes the socket, which everybody can reach who reaches its folder: a run can only
// tell of itself there. The caller closes it.
func OpenGate(path string) (*Gate, error) {
	if conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"}); err == nil {
		conn.Close()
		return nil, fmt.Errorf("listen at %s: another class listens there", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		os.Remove(path) // a class that was killed has left it
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	if err != nil {
		if listener != nil {
			listener.Close()
		}
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	return &Gate{path: path, listener: listener, calls: map[string]call{}, of: map[int]int{}}, nil
}

// Close takes the socket away; Serve returns.
func (g *Gate) Close() error { return g.listener.Close() }

// The bounds of what strangers may open: connections of one user (all students of a course may
// share an account), and how long they may take to say who they are.
const (
	mostOfUser = 4000
	helloTime  = 10 * time.Second
)

// Serve has each run that reports taken, on a goroutine of its own, until ctx ends or the gate
// is closed; it returns when all of these have.
func (g *Gate) Serve(ctx context.Context, take func(context.Context, *Caller)) error {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { g.listener.Close() })()
	for {
		conn, err := g.listener.AcceptUnix()
		switch {
		case ctx.Err() != nil, errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			host.Sleep(ctx, time.Second) // until some have gone
			continue
		case err != nil:
			return fmt.Errorf("listen at %s: %w", g.path, err)
		}
		uid, err := host.PeerUID(conn)
		if err != nil || !g.enter(uid) {
			conn.Close()
			continue
		}
		tasks.Go(func() {
			defer g.leave(uid)
			g.receive(ctx, conn, uid, take)
		})
	}
}

func (g *Gate) enter(uid int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of[uid] >= mostOfUser {
		return false
	}
	g.of[uid]++
	return true
}

func (g *Gate) leave(uid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of[uid]--; g.of[uid] == 0 {
		delete(g.of, uid)
	}
}

// receive hears who has come, and what for.
func (g *Gate) receive(ctx context.Context, conn *net.UnixConn, uid int, take func(context.Context, *Caller)) {
	conn.SetDeadline(time.Now().Add(helloTime))
	kind, payload, err := readFrame(conn)
	var said greeting
	if err != nil || kind != frameRequest || json.Unmarshal(payload, &said) != nil {
		conn.Close()
		return
	}
	conn.SetDeadline(time.Time{})
	if said.Op == "back" && g.hand(conn, uid, said.Call) {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if said.Op == "report" {
		said.Session = cut(said.Session, longestTitle)
		take(ctx, &Caller{Reporting: said.Reporting, UID: uid, gate: g, conn: conn})
	}
}

// hand gives the connection of a run that has come back to whoever has called it.
func (g *Gate) hand(conn *net.UnixConn, uid int, said string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, waited := g.calls[said]
	if !waited || c.uid != uid {
		return false
	}
	delete(g.calls, said)
	c.come <- conn // which has room
	return true
}

// Caller is a run that reports to a class. Its methods can be called at the same time.
type Caller struct {
	Reporting
	UID int // whose it is, by the kernel's word

	gate    *Gate
	conn    *net.UnixConn
	writing sync.Mutex
}

// longestTold bounds a line of what a run reports, in bytes.
const longestTold = 64 << 10

// Hear has each line told that the run reports, a JSON object without its end, to be read before
// tell returns; the first have of them were kept before, and are left out. It returns when the run
// is over; whoever hears it returns from Gate.Serve's function when all is kept, which the run
// waits for. The error of a connection that breaks is none of the run's end.
func (c *Caller) Hear(have int, tell func(line []byte) error) error {
	if err := c.say(frameAnswer, called{Have: have}); err != nil {
		return err
	}
	return follow(c.conn, longestTold, tell)
}

// HangUp ends the connection, and Hear with it.
func (c *Caller) HangUp() { c.conn.Close() }

func (c *Caller) say(kind byte, what called) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(helloTime))
	return writeJSON(c.conn, kind, what)
}

// callTime is how long a run may take to come back.
const callTime = 10 * time.Second

// dial has the run come back: at the other end is its door, for a guest.
func (c *Caller) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	name, its := rand.Text(), call{c.UID, make(chan *net.UnixConn, 1)}
	c.gate.mu.Lock()
	c.gate.calls[name] = its
	c.gate.mu.Unlock()
	err := c.say(frameNote, called{Call: name})
	if err == nil {
		select {
		case conn := <-its.come:
			return conn, nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	c.gate.mu.Lock()
	delete(c.gate.calls, name)
	c.gate.mu.Unlock()
	select {
	case conn := <-its.come: // just now
		conn.Close()
	default:
	}
	return nil, fmt.Errorf("reach the run %s: %w", c.Session, err)
}

// Door offers the run's door in a folder of this computer's, which it makes, so that all that looks at a run
// finds it there (At, Sit, Events, Network); close takes it away. What may be done
// there is decided by the run: a class is its guest.
func (c *Caller) Door(ctx context.Context, folder string) (close func(), err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("open a door to %s: %w", c.Session, err)
	}
	listener, err := listen(folder)
	if err != nil {
		return nil, fmt.Errorf("open a door to %s: %w", c.Session, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			tasks.Go(func() {
				defer conn.Close()
				if uid, err := host.PeerUID(conn); err != nil || uid != os.Getuid() && uid != 0 {
					return
				}
				if run, err := c.dial(ctx); err == nil {
					join(ctx, conn, run)
				}
			})
		}
	})
	return func() {
		cancel()
		listener.Close()
		tasks.Wait()
		os.RemoveAll(folder)
	}, nil
}

// join carries what two ends say to one another until either hangs up.
func join(ctx context.Context, one *net.UnixConn, other net.Conn) {
	defer context.AfterFunc(ctx, func() { one.Close(); other.Close() })()
	var carrying sync.WaitGroup
	carrying.Go(func() {
		io.Copy(other, one)
		// Whoever leaves a console has said all, and hears the rest.
		other.(*net.UnixConn).CloseWrite()
	})
	io.Copy(one, other)
	one.Close()
	other.Close()
	carrying.Wait()
}
