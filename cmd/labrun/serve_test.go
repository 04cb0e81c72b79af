package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/web"
)

// classroom is a computer on which labrun serve runs, with progress, keys and runs of its own: other tests play the same
// missions at the same time.
type classroom struct {
	t        *testing.T
	port     int
	args     []string
	env      []string
	sessions string
	serving  *labrun
	way      *relay
}

// serves starts labrun serve with the user's images, and ends it and its labs with the test.
func serves(t *testing.T, args ...string) *classroom {
	t.Helper()
	return servesFrom(t, ownCache(t), args...)
}

// servesFrom is serves with the images of a cache.
func servesFrom(t *testing.T, cache string, args ...string) *classroom {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	if missing := web.Missing(); missing != "" {
		t.Fatal("`make web` gets what the page needs: ", missing)
	}
	c := &classroom{t: t, port: freePort(t), args: args, sessions: filepath.Join(cache, "sessions")}
	c.env = []string{"LABRUN_CACHE=" + cache, "XDG_STATE_HOME=" + t.ArtifactDir(), "LC_ALL=C.UTF-8"}
	t.Cleanup(c.close)
	c.way = newRelay(t, fmt.Sprintf("127.0.0.1:%d", c.port))
	c.serve()
	return c
}

// serve starts labrun serve, perhaps once more.
func (c *classroom) serve() {
	c.t.Helper()
	c.serving = command(c.t, append([]string{"serve", "--no-open", "--port", strconv.Itoa(c.port)}, c.args...)...)
	c.serving.Env = append(os.Environ(), c.env...)
	c.serving.begin(c.t)
	c.serving.says(c.t, "?key=")
}

// close ends labrun serve, which stops the labs that it has started, and those of its that outlived one before it.
func (c *classroom) close() {
	c.serving.Process.Signal(syscall.SIGTERM)
	<-c.serving.over
	for _, run := range attach.Find(context.Background(), c.sessions) {
		if err := attach.Stop(context.Background(), run.Folder); err != nil {
			c.t.Error("stop a run: ", err)
		}
		eventually(c.t, patience, func() bool { _, err := os.Stat(run.Folder); return err != nil },
			func() string { return "a run does not end: " + run.Folder })
	}
}

// kill ends labrun serve as a power cut would.
func (c *classroom) kill() {
	c.t.Helper()
	if err := c.serving.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	<-c.serving.over
}

// host is where the page is, as its requests name it.
func (c *classroom) host() string { return c.way.listener.Addr().String() }

// url is the address that labrun serve has printed, with its key, at the near end of the way there.
func (c *classroom) url() string {
	c.t.Helper()
	for word := range strings.FieldsSeq(c.serving.out.String()) {
		if strings.Contains(word, "?key=") {
			return strings.Replace(word, c.way.to, c.host(), 1)
		}
	}
	c.t.Fatal("it prints no address: ", c.serving.out.String())
	return ""
}

// run is the only run there is.
func (c *classroom) run() attach.Found {
	c.t.Helper()
	found := attach.Find(c.t.Context(), c.sessions)
	if len(found) != 1 {
		c.t.Fatalf("there are %d runs", len(found))
	}
	return found[0]
}

// ownCache returns a folder for LABRUN_CACHE with the user's images, and sessions and checkpoints of its own.
func ownCache(t *testing.T) string {
	t.Helper()
	users, err := image.Open(image.StoreOptions{Lock: &image.Lock{}})
	if err != nil {
		t.Fatal(err)
	}
	defer users.Close()
	entries, err := os.ReadDir(users.Dir())
	if err != nil {
		t.Fatal(err)
	}
	own := t.TempDir()
	for _, e := range entries {
		if e.Name() == "sessions" || e.Name() == "checkpoints" {
			continue
		}
		if err := os.Symlink(filepath.Join(users.Dir(), e.Name()), filepath.Join(own, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return own
}

// freePort is a port that nobody has now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// relay is a way to a server that can be interrupted, as a cloud IDE's forwarded port is and a network.
type relay struct {
	t        *testing.T
	listener net.Listener
	to       string
	tasks    sync.WaitGroup

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, listener: l, to: to, conns: map[net.Conn]bool{}}
	r.tasks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.tasks.Go(func() { r.carry(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.interrupt(true)
		r.tasks.Wait()
	})
	return r
}

// interrupt cuts all connections, and new ones until it is called with false.
func (r *relay) interrupt(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
	for conn := range r.conns {
		conn.Close()
	}
}

// carry carries one connection.
func (r *relay) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp4", r.to)
	if err != nil {
		return
	}
	defer far.Close()
	r.mu.Lock()
	if r.down {
		r.mu.Unlock()
		return
	}
	r.conns[near], r.conns[far] = true, true
	r.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(near, far)
		near.Close()
	})
	io.Copy(far, near)
	far.Close()
	back.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, near)
	delete(r.conns, far)
}
