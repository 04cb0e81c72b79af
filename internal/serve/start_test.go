package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/guide"
)

func guideDone(step string) guide.Record { return guide.Record{Step: step, State: guide.Done} }

// starts asks for a mission's start, and returns the session.
func (b *browser) starts(mission, more string) string {
	b.x.t.Helper()
	r := b.post("api/start", fmt.Sprintf(`{"mission":%q%s}`, mission, more))
	var started struct{ Session string }
	text := body(r)
	if json.Unmarshal([]byte(text), &started); r.StatusCode != http.StatusOK || started.Session == "" {
		b.x.t.Fatal(r.Status, text)
	}
	return started.Session
}

// A mission is started once, however often that is asked for; its run is stopped at a
// student's word, and when the server ends.
func TestStarting(t *testing.T) {
	x := newSite(t)
	b := x.student()
	lab := x.mission("lab")
	var asking sync.WaitGroup
	var sessions [5]string
	for i := range sessions {
		asking.Go(func() { sessions[i] = b.starts(lab, `,"language":"en","anew":true`) })
	}
	asking.Wait()
	if found := attach.Find(t.Context(), x.Sessions); len(found) != 1 || fmt.Sprint(sessions) != "[lab lab lab lab lab]" {
		t.Fatalf("%v run, as %v", found, sessions)
	}
	if got := b.starts(lab, ""); got != "lab" {
		t.Errorf("once more: %q", got)
	}
	if got := b.home().Missions[0].Session; got != "lab" {
		t.Errorf("in the list: %q", got)
	}
	events := readSocket(b.opens("api/sessions/lab/guide"))
	told := events.until(t, "notice")
	if got := told["text"]; got != "--guide --headless --lang en --restart -- "+lab {
		t.Errorf("it was started with %q", got)
	}
	if r := b.post("api/stop", `{"session":"lab"}`); r.StatusCode != http.StatusOK {
		t.Error(r.Status, body(r))
	}
	if got := events.closed(); got != closeOver {
		t.Errorf("closed with %d", got)
	}
	if r := b.post("api/stop", `{"session":"lab"}`); r.StatusCode != http.StatusNotFound {
		t.Error("stopped twice:", r.Status)
	}
	if got := b.home().Missions[0].Session; got != "" {
		t.Errorf("it still runs as %q", got)
	}
	b.starts(lab, "")
	x.end()
	found := attach.Find(t.Context(), x.Sessions)
	if len(found) != 0 || len(x.told) == 0 || !strings.HasPrefix(x.told[0], "stopping ") {
		t.Errorf("at the end: %v, %q", found, x.told)
	}
	if len(x.starts.children) > 0 {
		t.Error("not all of its children were waited for")
	}
}

// A server that is started anew finds the runs of the one before, and leaves them alone at
// its own end.
func TestRunsOutliveTheServer(t *testing.T) {
	root := t.TempDir()
	first := serveIn(t, root)
	lab := first.mission("lab")
	first.student().starts(lab, "")
	second := serveIn(t, root) // the first one is not asked any more, as if it was killed
	b := second.student()
	if got := b.home().Missions[0].Session; got != "lab" {
		t.Errorf("it runs as %q", got)
	}
	if got := b.starts(lab, ""); got != "lab" {
		t.Errorf("started again as %q", got)
	}
	second.end()
	if found := attach.Find(t.Context(), first.Sessions); len(found) != 1 {
		t.Errorf("%v run", found)
	}
}

// Students who share an account have a server each, and are shown their own labs alone.
func TestRunsOfOtherStudents(t *testing.T) {
	x := newSite(t, func(o *Options) { o.Student = "ann" })
	l := x.runs("lab")
	b := x.student()
	for student, status := range map[string]int{"bob": http.StatusNotFound, "": http.StatusNotFound, "ann": http.StatusOK} {
		l.mu.Lock()
		l.student = student
		l.mu.Unlock()
		if r := b.get("api/watch?session=lab"); r.StatusCode != status {
			t.Errorf("a lab of %q is shown to ann: %s", student, r.Status)
		}
	}
	if h := b.home(); h.Student != "ann" {
		t.Errorf("the page says that %q plays", h.Student)
	}
}

// What a run says that cannot begin is what the student is told.
func TestStartingFails(t *testing.T) {
	x := newSite(t)
	b := x.student()
	for mission, want := range map[string]struct {
		status int
		text   string
	}{
		x.mission("broken"):       {500, "labrun: there is no room for [31mthat"},
		x.mission("host"):         {409, "--allow host"},
		x.mission("mistake"):      {409, "cannot be loaded"},
		x.mission("other"):        {404, "no such mission"},
		"../../etc/passwd":        {404, "no such mission"},
		x.mission("lab") + "\x00": {404, "no such mission"},
	} {
		text, _ := json.Marshal(map[string]string{"mission": mission})
		r := b.post("api/start", string(text))
		if got := body(r); r.StatusCode != want.status || !strings.Contains(got, want.text) {
			t.Errorf("%q: %s %s", mission, r.Status, got)
		}
	}
	huge := `{"mission":"` + strings.Repeat("x", longestBody) + `"}`
	if r := b.post("api/start", huge); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a huge body: %s", r.Status)
	}
	if r := b.post("api/start", `{"mission":`); r.StatusCode != http.StatusBadRequest {
		t.Errorf("half a body: %s", r.Status)
	}
	if r := b.get("api/start"); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("by GET: %s", r.Status)
	}
	logs, _ := filepath.Glob(filepath.Join(x.State, "serve", "*.log"))
	if len(logs) != 1 {
		t.Errorf("the logs: %q", logs)
	} else if info, _ := os.Stat(logs[0]); info.Mode().Perm() != 0o600 {
		t.Errorf("the log's mode: %v", info.Mode())
	}
}
