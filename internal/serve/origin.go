package serve

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/labrun/labrun/internal/markdown"
)

// protect sets what a browser has to keep to. Styles may be inline because xterm.js makes
// its own as it runs, with the sizes that it measured and the colours of its theme. Scripts
// and workers are further sources of these; empty: there are none.
func (s *Server) protect(h http.Header, scripts, workers string) {
	ancestors := "'none'"
	if len(s.Origins) > 0 {
		ancestors = "'self'"
		for _, origin := range s.Origins {
			ancestors += " " + origin.Scheme + "://" + origin.Host
		}
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' "+scripts+"; "+
		"worker-src 'self' "+workers+"; style-src 'self' 'unsafe-inline'; "+
		"connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; "+
		"frame-ancestors "+ancestors)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// wrongHost says why a request is refused that does not name this computer; empty: it
// does. A site whose name was made to lead here, as in DNS rebinding, is its own to the
// browser, which then lets it do what it likes.
func (s *Server) wrongHost(r *http.Request) string {
	name := hostname(r.Host)
	if name == "localhost" || name == "127.0.0.1" || name == "::1" {
		return ""
	}
	for _, origin := range s.Origins {
		if sameHost(r.Host, origin.Host) {
			return ""
		}
	}
	shown := strings.Join(strings.Fields(markdown.Clean(r.Host)), "")
	return fmt.Sprintf("labrun serve does not know that it is called %s.\n"+
		"If that is how its page is reached, as behind a proxy, start it with --origin https://%s", shown, shown)
}

// sameHost reports whether two hosts are one. Some proxies name the port that a browser
// leaves out.
func sameHost(a, b string) bool {
	plain := func(host string) string { return strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80") }
	return strings.EqualFold(plain(a), plain(b))
}

// hostname is a host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// wrongOrigin says why a request is refused that another site's page makes; empty: it is
// the page's own, or no browser's.
func (s *Server) wrongOrigin(r *http.Request) string {
	from := r.Header.Get("Origin")
	if from == "" {
		return ""
	}
	origin, err := url.Parse(from)
	if err != nil || origin.Scheme != "http" && origin.Scheme != "https" || origin.Host == "" {
		return "labrun serve was asked by a page without an address, such as a file's: open it by its own address"
	}
	if sameHost(origin.Host, r.Host) {
		return ""
	}
	for _, known := range s.Origins {
		if sameHost(origin.Host, known.Host) && origin.Scheme == known.Scheme {
			return ""
		}
	}
	shown := strings.Join(strings.Fields(markdown.Clean(from)), "")
	return fmt.Sprintf("labrun serve was asked by a page of %s, and it is called %s. "+
		"If that is how its page is reached, as behind a proxy, start it with --origin %s",
		shown, markdown.Clean(r.Host), shown)
}

// public reports whether the browser reaches the page by https, as far as that is known.
func (s *Server) public(r *http.Request) bool {
	for _, origin := range s.Origins {
		if sameHost(r.Host, origin.Host) && origin.Scheme == "https" {
			return true
		}
	}
	// The hub's proxy says it, and whatever is before that.
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return s.Hub != nil && strings.TrimSpace(first) == "https"
}
