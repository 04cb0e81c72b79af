package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/attach"
)

// How a websocket is closed, if not because the other end is gone: the page knows from
// that whether to come back.
const (
	closeOver     = websocket.StatusNormalClosure // the run has ended
	closeAgain    = websocket.StatusTryAgainLater // the run's door has sent this one away, or the server ends
	closeLogin    = websocket.StatusCode(4401)
	closeNotFound = websocket.StatusCode(4404) // there is no such run, machine or screen
)

// pace is how often what happens that nobody asks for. Tests are in more of a hurry.
type pace struct {
	ping   time.Duration // proxies cut what is silent for a minute
	pong   time.Duration // a laptop may sleep, and a tab in the background is slow
	status time.Duration // of the machines
	look   time.Duration // for a run that was started
}

var usualPace = pace{
	ping: 25 * time.Second, pong: 5 * time.Minute, status: 3 * time.Second, look: 50 * time.Millisecond,
}

// The bounds of how many websockets there are: of one browser, a lab has one for the
// guide, one for the network and one for each console and screen, and several pages may be
// open.
const mostOfBrowser, mostSockets = 100, 2000

// sockets counts the websockets of each browser.
type sockets struct {
	mu    sync.Mutex
	of    map[string]int
	total int
}

func (n *sockets) enter(browser string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of[browser] >= mostOfBrowser || n.total >= mostSockets {
		return false
	}
	if n.of == nil {
		n.of = map[string]int{}
	}
	n.of[browser]++
	n.total++
	return true
}

func (n *sockets) leave(browser string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of[browser]--; n.of[browser] == 0 {
		delete(n.of, browser)
	}
	n.total--
}

// turnAway closes a websocket that nobody will use. A page is not told why a websocket was
// not opened, so it is opened for that.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, code websocket.StatusCode, reason string) {
	if conn, leave, ok := s.accept(w, r, ""); ok {
		conn.Close(code, reason)
		leave()
	}
}

// accept opens a websocket of a browser's, if it does not have too many; strangers together
// count as one browser. Its origin was looked at already: see wrongOrigin. Leave must be
// called when the websocket is used no more.
func (s *Server) accept(
	w http.ResponseWriter, r *http.Request, browser string,
) (conn *websocket.Conn, leave func(), ok bool) {
	if !s.sockets.enter(browser) {
		http.Error(w, "this browser has too many pages open here", http.StatusTooManyRequests)
		return nil, nil, false
	}
	s.tasks.Add(1)
	leave = func() {
		s.sockets.leave(browser)
		s.tasks.Done()
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil { // it was told
		leave()
		return nil, nil, false
	}
	return conn, leave, true
}

// link is a websocket that is used.
type link struct {
	conn *websocket.Conn
	ctx  context.Context // ends when it is closed without further words
	// tasks are waited for when it is closed. Whoever hears or speaks may start some.
	tasks *sync.WaitGroup
	// atWork notes that the person at the other end does something.
	atWork func()
}

// say sends a message of text, JSON.
func (l *link) say(value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return l.conn.Write(l.ctx, websocket.MessageText, data)
}

// bridge carries what is said between a browser and a run's door.
type bridge struct {
	longest int64 // bytes that a message of the browser's may have
	// hear takes a message of the browser's. Its error ends the connection.
	hear func(ctx context.Context, kind websocket.MessageType, message []byte) error
	// speak says what comes from the run until that is over, or ctx ends. Its error says how
	// the connection is closed: see ending.
	speak func(ctx context.Context) error
}

// connect opens a websocket to a run that its visitor may see, and has a bridge carry what
// is said until one end is gone.
func (s *Server) connect(w http.ResponseWriter, r *http.Request, v visitor, session string,
	between func(l *link, run attach.Found) bridge) {
	run, found := s.find(r.Context(), v, session)
	if !found {
		s.turnAway(w, r, closeNotFound, "no such session")
		return
	}
	conn, leave, ok := s.accept(w, r, v.browser)
	if !ok {
		return
	}
	defer leave()
	ctx, cancel := context.WithCancel(s.ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	l := &link{conn, ctx, &tasks, func() { s.atWork(v) }}
	b := between(l, run)
	conn.SetReadLimit(b.longest)
	tasks.Go(func() { s.keepAlive(ctx, conn) })
	talking, hangUp := context.WithCancel(ctx)
	tasks.Go(func() {
		defer hangUp()
		l.listen(talking, b.hear)
	})
	err := b.speak(talking)
	hangUp()
	conn.Close(ending(err)) // listen takes the browser's answer to that; so its context has to go on until then
}

// listen has messages heard until there are none any more.
func (l *link) listen(ctx context.Context, hear func(context.Context, websocket.MessageType, []byte) error) {
	for {
		kind, message, err := l.conn.Read(l.ctx)
		if err == nil {
			if err = hear(ctx, kind, message); err != nil && ctx.Err() == nil {
				l.conn.Close(websocket.StatusPolicyViolation, "this cannot be understood")
			}
		}
		if err != nil {
			return
		}
	}
}

// ending is how a connection is closed after an error of a run's door.
func ending(err error) (websocket.StatusCode, string) {
	var unknown *attach.UnknownMachineError
	var refused *attach.RefusedError
	switch {
	case err == nil, errors.Is(err, attach.ErrOver):
		return closeOver, "over"
	case errors.As(err, &unknown):
		return closeNotFound, "no such machine"
	case errors.As(err, &refused): // a screen that is none
		return closeNotFound, "no such screen"
	}
	return closeAgain, "the connection to the lab broke"
}

// keepAlive pings until ctx ends, and closes a connection whose browser is long gone. A
// ping waits for its pong, and the next ones do not wait for it.
func (s *Server) keepAlive(ctx context.Context, conn *websocket.Conn) {
	var pings sync.WaitGroup
	defer pings.Wait()
	tick := time.NewTicker(s.pace.ping)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			pings.Go(func() {
				patient, cancel := context.WithTimeout(ctx, s.pace.pong)
				defer cancel()
				if conn.Ping(patient) != nil && ctx.Err() == nil {
					conn.CloseNow()
				}
			})
		}
	}
}
