package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labrun/labrun/internal/class"
	"github.com/labrun/labrun/internal/jupyterhub"
	"github.com/labrun/labrun/internal/mission"
)

// Options are what a server needs of its surroundings.
type Options struct {
	Page     fs.FS      // page/index.html and what it needs, in page/ and npm/
	Missing  string     // why the page lacks something; empty: it does not
	Secret   string     // who knows it may come in
	Origins  []*url.URL // where else than on this computer browsers find the page
	Version  string
	Language string   // of what is said to whoever asks for no other
	Missions []string // as labrun's command line names them
	// Load loads one of them in a language; empty: its original.
	Load     func(ctx context.Context, name, language string) (*mission.Mission, error)
	State    string   // the folder of progress and of the runs' logs
	Sessions string   // the folder of the sessions
	States   string   // the folder of what machines in pages go on from
	Command  []string // how labrun is started, up to what says which mission
	Owner    int      // the user who runs the server
	Student  string   // the ID of who plays; runs of others on this account are not shown
	// Hub is the JupyterHub that lets browsers in, instead of the secret; nil: there is none.
	Hub *jupyterhub.Contract
	// Idle is how long nobody may be at work before the server ends itself; 0: for ever.
	Idle time.Duration
	// Class is the course whose teacher this serves, with its runs' doors as Sessions; nil: it serves a student.
	Class *class.Class
	// Tell says something to the user at the terminal.
	Tell func(format string, args ...any)
}

// Server answers browsers. Make one with New.
type Server struct {
	Options
	port    string // in the cookie's name: browsers tell cookies of one host apart by nothing else
	opening string // a key that is good for the owner's own browsers only, since ps shows it to all
	pace    pace
	sockets sockets
	starts  starts
	guests  guests
	active  atomic.Int64 // when somebody was last at work, in nanoseconds of Unix time

	missions sync.Map // of the students that were met: by student, their names

	ctx    context.Context // ends when browsers are sent away
	cancel context.CancelFunc
	tasks  sync.WaitGroup // the websockets, and the starts under way
}

// New returns a server for a listener's port.
func New(o Options, port string) *Server {
	s := &Server{Options: o, port: port, opening: rand.Text(), pace: usualPace}
	s.starts.under, s.starts.children = map[string]*starting{}, map[*child]struct{}{}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Opening is the key with which this user's browser is started: other users of this computer
// see how programs are started, and it is of no use to them.
func (s *Server) Opening() string { return s.opening }

// The bounds of what a stranger may send before anything is known of them.
const (
	longestHead = 32 << 10
	headTime    = 10 * time.Second
	idleTime    = 2 * time.Minute
)

// farewell is how long requests that are being answered may take at the end.
const farewell = 2 * time.Second

// Serve answers on a listener until ctx ends, or nobody has been at work for too long. Then it stops the runs that it started, tells
// their last words to those who listen, and returns when all that it began has ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s, MaxHeaderBytes: longestHead, ReadHeaderTimeout: headTime, IdleTimeout: idleTime,
	}
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	s.touch()
	s.tasks.Go(func() { s.watchActivity(ctx, leave) })
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.stopAll()
	s.cancel()
	closing, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if server.Shutdown(closing) != nil {
		server.Close()
	}
	s.tasks.Wait()
	if err == nil {
		err = <-failed
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}
