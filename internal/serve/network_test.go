package serve

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// A page gets the drawing of the lab, and the packets of a network as a file.
func TestNetwork(t *testing.T) {
	x := newSite(t)
	x.runs("lab")
	for _, b := range []*browser{x.student(), x.watcher("lab")} {
		conn := b.opens("api/sessions/lab/network")
		if _, drawing, err := conn.Read(t.Context()); err != nil || !strings.Contains(string(drawing), `"kind":"drawing"`) {
			t.Errorf("%s, %v", drawing, err)
		}
		say(t, conn, "{}")
		if code := b.closes(conn); code != websocket.StatusPolicyViolation {
			t.Errorf("who says something is sent away with %d", code)
		}
		r := b.get("api/sessions/lab/capture?network=lan")
		if text := body(r); r.StatusCode != http.StatusOK || text != captured ||
			r.Header.Get("Content-Disposition") != `attachment; filename="lab-lan.pcapng"` {
			t.Errorf("%s %q %v", r.Status, text, r.Header)
		}
		for _, query := range []string{"wan", "", "../../etc/passwd", "x%22%0d%0ay"} {
			if r := b.get("api/sessions/lab/capture?network=" + query); r.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s", query, r.Status)
			}
		}
		if r := b.get("api/sessions/other/capture?network=lan"); r.StatusCode != http.StatusNotFound {
			t.Errorf("another session: %s", r.Status)
		}
	}
	b, _ := x.visits(x.at+"/", "")
	if r := b.get("api/sessions/lab/capture?network=lan"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %s", r.Status)
	}
	if code := b.closes(b.opens("api/sessions/lab/network")); code != closeLogin {
		t.Errorf("a stranger: %d", code)
	}
}
