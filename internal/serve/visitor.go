package serve

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/markdown"
)

// visitor is who has come in.
type visitor struct {
	browser string // tells browsers apart
	student bool   // they may do all; else they look at one run
	all     bool   // they look at all runs, as teachers do whom a hub lets in
	teacher bool   // they look on at all runs, and type where a student has invited them
	watched string // the run that they look at, as named by runName
}

// sees reports whether a visitor may see a run.
func (v visitor) sees(run attach.Found) bool { return v.student || v.all || v.watched == runName(run) }

// runName tells a run from all others, also from later ones whose session is called the same.
func runName(run attach.Found) string {
	return run.Session() + "." + strconv.FormatInt(run.Started.UnixNano(), 36)
}

// sign is what only who knows the secret can put to a text.
func (s *Server) sign(parts ...string) string {
	mac := hmac.New(sha256.New, []byte(s.Secret))
	mac.Write([]byte(strings.Join(parts, "\n")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// watchToken lets its bearer look at a run.
func (s *Server) watchToken(run string) string { return run + "." + s.sign("watch", run) }

// watchedBy is the run that a token is for; empty: it is none.
func (s *Server) watchedBy(token string) string {
	at := strings.LastIndexByte(token, '.')
	if at < 0 || !same(token[at+1:], s.sign("watch", token[:at])) {
		return ""
	}
	return token[:at]
}

func (s *Server) cookieName() string {
	if s.Hub != nil { // which gives the server another port each time
		return s.hubCookie() + "-watch"
	}
	return "labrun-" + s.port
}

// A cookie has whose browser it is, the run that it may look at (empty: it is a student's),
// and the signature of both.
const cookieParts = 3

// visitor tells who makes a request; false: nobody who was let in.
func (s *Server) visitor(r *http.Request) (v visitor, known bool) {
	if s.Hub != nil {
		if v, known := s.guest(r); known {
			return v, true
		}
	}
	for _, cookie := range r.CookiesNamed(s.cookieName()) { // below one prefix there may be another's
		parts := strings.Split(cookie.Value, "!")
		if len(parts) == cookieParts && same(parts[2], s.sign("cookie", parts[0], parts[1])) {
			v := visitor{browser: parts[0], watched: parts[1]}
			if keyed := parts[1] == ""; s.Class == nil {
				v.student = keyed
			} else {
				v.teacher, v.all = keyed, keyed
			}
			return v, true
		}
	}
	return visitor{}, false
}

// place is a folder that only one browser knows.
var place = regexp.MustCompile(`/at-[A-Z2-7]{26}/`)

// letIn gives a browser its cookie. It has no path: a browser takes that of the page, with
// a prefix that the server may never see. Browsers send a cookie to all ports of a host, so
// on this computer they would to another user's server as well; there each is first sent
// to a place of its own, which no other server can ask it for.
func (s *Server) letIn(w http.ResponseWriter, r *http.Request, watched string) {
	if s.Hub == nil && !s.public(r) && !place.MatchString(r.URL.Path) {
		s.sendTo(w, "./at-"+rand.Text()+"/?"+r.URL.RawQuery)
		return
	}
	browser := rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: browser + "!" + watched + "!" + s.sign("cookie", browser, watched),
		MaxAge: 400 * 24 * 60 * 60, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.public(r),
	})
	s.sendTo(w, "./")
}

// sendTo sends a browser to an address that is relative to the one that it has:
// http.Redirect would make it absolute, without the proxy's prefix.
func (s *Server) sendTo(w http.ResponseWriter, address string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

// index lets browsers in and sends them the page.
func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	if r.Method != "GET" && r.Method != "HEAD" {
		http.Error(w, "this is asked for by GET", http.StatusMethodNotAllowed)
		return
	}
	v, known := s.visitor(r)
	query := r.URL.Query()
	if key := query.Get("key"); s.Hub == nil && (same(key, s.Secret) || same(key, s.opening) && s.ownBrowser(r)) {
		s.letIn(w, r, "")
		return
	}
	// Students who try the link that they give to others stay students.
	if run := s.watchedBy(query.Get("watch")); run != "" && !(known && (v.student || v.all)) {
		s.letIn(w, r, run)
		return
	}
	name, data := s.file("/page/index.html")
	switch {
	case !known && s.Hub != nil:
		s.toHub(w, r)
	case !known:
		s.closed(w, r)
	case data == nil:
		http.Error(w, s.Missing, http.StatusNotFound)
	default:
		s.atWork(v)
		s.send(w, r, name, data)
	}
}

// ownBrowser reports whether the program at the other end is run by the user who runs the
// server, on the same computer.
func (s *Server) ownBrowser(r *http.Request) bool {
	here, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	there, err := netip.ParseAddrPort(r.RemoteAddr)
	if here == nil || err != nil {
		return false
	}
	uid, err := host.TCPPeerUID(here.AddrPort(), there)
	return err == nil && uid == s.Owner
}

// closedPage is what others see. The server gives no cookie to a page that another site
// leads to (SameSite=Strict); then the page comes back by itself, and has it.
var closedPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="{{.Language}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">{{if .Again}}<meta http-equiv="refresh" content="0;url=./">{{end}}
<title>labrun</title>
<style>body{font:1.1rem/1.6 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}</style>
<h1>{{.Title}}</h1>
{{.Text}}
{{if .Try}}<p><a href="./">{{.Try}}</a></p>
{{end}}</html>
`))

// closed tells somebody without a cookie how to get in.
func (s *Server) closed(w http.ResponseWriter, r *http.Request) {
	try := ""
	if s.public(r) || place.MatchString(r.URL.Path) { // else no cookie is for here
		try = s.say(r, "serve try")
	}
	s.message(w, r, http.StatusUnauthorized, "serve closed", try, r.Header.Get("Sec-Fetch-Site") == "cross-site")
}

// message answers with a page that says something, with a link that tries again if try is not
// empty, which is done at once if again says so.
func (s *Server) message(w http.ResponseWriter, r *http.Request, status int, phrase, try string, again bool) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	closedPage.Execute(w, map[string]any{
		"Language": s.languageOf(r), "Title": s.say(r, phrase+" title"),
		"Text": template.HTML(markdown.HTML(s.say(r, phrase))), "Try": try, "Again": again,
	})
}

// watch makes a link by which others can look at a run.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, v visitor, _ []string) {
	run, found := s.find(r.Context(), v, r.URL.Query().Get("session"))
	switch {
	case !v.student:
		s.refuse(w, http.StatusForbidden, s.say(r, "serve watching"))
	case !found:
		s.refuse(w, http.StatusNotFound, s.say(r, "serve no session"))
	default:
		up := "" // out of the student's own place
		if place.MatchString(r.URL.Path) {
			up = "../"
		}
		s.answer(w, http.StatusOK, map[string]string{"url": up + "?watch=" + s.watchToken(runName(run))})
	}
}
