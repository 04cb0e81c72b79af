package serve

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/jupyterhub"
)

// In a JupyterHub the hub says who comes in: no secret does, only a link for watching. The
// user whose server this is, is the student; others whom the hub lets in, as it may teachers,
// look on. A class is a service there, and whom the hub lets into it is a teacher. All have one
// host there, so cookies have this one's path.

// guests are the browsers, and programs with a token, that the hub has let in. Who is forgotten
// logs in again, which a browser does without a word.
type guests struct {
	mu sync.Mutex
	by map[string]*guest // by the key in their cookie, or by their token
}

// guest is one of them.
type guest struct {
	key, token, browser string

	mu      sync.Mutex
	owner   bool      // the server is theirs; a class is nobody's
	session string    // the hub's, which changes when they log out there
	asked   time.Time // when the hub was asked of them
	heard   time.Time // when it last said that they may come in
}

const (
	// trust is how long the hub's word holds, as in jupyterhub-singleuser.
	trust = 5 * time.Minute
	// longTrust is how long it holds where the hub does not answer, since it is restarted
	// perhaps, and again is how long it is left alone then.
	longTrust, again = time.Hour, 10 * time.Second
	// mostGuests bounds how many are kept.
	mostGuests = 1000
)

// hubCookie and loginCookie name the cookies: the latter lives from the way to the hub to the
// way back, and has the login's state in its name, so that several tabs can log in at once.
func (s *Server) hubCookie() string               { return "labrun-" + s.Hub.ClientID }
func (s *Server) loginCookie(state string) string { return s.hubCookie() + "-" + state }
func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, MaxAge: age, Path: s.Hub.Prefix, HttpOnly: true, Secure: s.public(r),
		SameSite: http.SameSiteLaxMode, // a visit that began at another site goes on by the hub, back to here
	})
}

// guest tells whom the hub has let in of those who make requests.
func (s *Server) guest(r *http.Request) (v visitor, known bool) {
	g := s.guestOf(r)
	if g == nil {
		return visitor{}, false
	}
	owner, known := s.stillIn(r.Context(), g, hubSession(r))
	s.guests.mu.Lock()
	defer s.guests.mu.Unlock()
	if known {
		s.guests.keep(g)
	} else {
		delete(s.guests.by, g.key)
	}
	return visitor{browser: g.browser, student: owner, all: true, teacher: s.Class != nil}, known
}

// hubSession is what the hub changes when a browser logs out.
func hubSession(r *http.Request) string {
	if cookie, err := r.Cookie("jupyterhub-session-id"); err == nil {
		return cookie.Value
	}
	return ""
}

// guestOf is who makes a request; nil: nobody is known.
func (s *Server) guestOf(r *http.Request) *guest {
	s.guests.mu.Lock()
	defer s.guests.mu.Unlock()
	if cookie, err := r.Cookie(s.hubCookie()); err == nil {
		if g := s.guests.by[cookie.Value]; g != nil {
			return g
		}
	}
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token == "" || !strings.EqualFold(kind, "token") && !strings.EqualFold(kind, "bearer") {
		return nil
	}
	if g := s.guests.by[token]; g != nil {
		return g
	}
	return &guest{key: token, token: token, browser: rand.Text()}
}

// keep keeps a guest whom the hub has let in. Its caller holds mu.
func (n *guests) keep(g *guest) {
	if n.by == nil || n.by[g.key] == nil && len(n.by) >= mostGuests {
		n.by = map[string]*guest{}
	}
	n.by[g.key] = g
}

// stillIn asks the hub about a guest, if its last word is old.
func (s *Server) stillIn(ctx context.Context, g *guest, session string) (owner, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); now.Sub(g.asked) > trust || session != g.session {
		name, err := s.Hub.Who(ctx, g.token)
		switch {
		case err == nil:
			g.owner, g.session, g.asked, g.heard = name == s.Hub.User, session, now, now
		case errors.Is(err, jupyterhub.ErrNotLetIn):
			g.asked, g.heard = time.Time{}, time.Time{}
		case ctx.Err() == nil:
			g.asked = now.Add(again - trust)
		}
	}
	return g.owner, time.Since(g.heard) < longTrust
}

// hubHome is where students stop their server, and log out; empty: there is no hub.
func (s *Server) hubHome() string {
	if s.Hub == nil {
		return ""
	}
	return s.Hub.Home
}

// toHub sends a browser to the hub to log in.
func (s *Server) toHub(w http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text(), jupyterhub.NewVerifier()
	back := base64.RawURLEncoding.EncodeToString([]byte(r.URL.RequestURI()))
	s.setCookie(w, r, s.loginCookie(state), verifier+"."+back, int(loginTime.Seconds()))
	s.sendTo(w, s.Hub.Authorize(state, verifier))
}

// loginTime is how long somebody may take to log in.
const loginTime = 15 * time.Minute

var loginState = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// fromHub lets a browser in that comes back from the hub.
func (s *Server) fromHub(w http.ResponseWriter, r *http.Request, _ visitor, _ []string) {
	if s.Hub == nil {
		http.NotFound(w, r)
		return
	}
	state, code := r.URL.Query().Get("state"), r.URL.Query().Get("code")
	login, err := r.Cookie(s.loginCookie(state))
	if !loginState.MatchString(state) || err != nil || code == "" { // an old tab, or another site's doing
		s.message(w, r, http.StatusBadRequest, "serve hub again", s.say(r, "serve hub try"), false)
		return
	}
	s.setCookie(w, r, login.Name, "", -1)
	verifier, back, _ := strings.Cut(login.Value, ".")
	token, err := s.Hub.Token(r.Context(), code, verifier)
	g := &guest{key: rand.Text(), token: token, browser: rand.Text()}
	if err == nil {
		if _, known := s.stillIn(r.Context(), g, hubSession(r)); !known {
			err = jupyterhub.ErrNotLetIn
		}
	}
	switch {
	case errors.Is(err, jupyterhub.ErrNotLetIn):
		closed := "serve hub closed"
		if s.Class != nil {
			closed = "serve hub teachers"
		}
		s.message(w, r, http.StatusForbidden, closed, s.say(r, "serve hub try"), false)
		return
	case err != nil:
		s.Tell("note: let a browser in: %v", err)
		s.message(w, r, http.StatusServiceUnavailable, "serve hub silent", s.say(r, "serve hub try"), false)
		return
	}
	s.guests.mu.Lock()
	s.guests.keep(g)
	s.guests.mu.Unlock()
	s.setCookie(w, r, s.hubCookie(), g.key, 0)
	address, err := base64.RawURLEncoding.DecodeString(back)
	if err != nil || !strings.HasPrefix(string(address), s.Hub.Prefix) {
		address = []byte(s.Hub.Prefix)
	}
	s.sendTo(w, string(address))
}

// greetHub tells the hub which version of its contract this is: its own, which is the one that
// is kept to. It warns of a server that says none.
func (s *Server) greetHub(h http.Header) {
	h.Set("X-JupyterHub-Version", s.Hub.Version)
}
