//go:build measure

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var install = flag.Bool("install", false, "TestAClassFromNothing may set up a class on this computer")

// TestAClassFromNothing carries out what docs/class.md says, as root on a fresh Debian with systemd, and then plays a student and
// a teacher by HTTP. It installs packages, an account and a service, and leaves them: it is for a machine that is thrown away.
//
//	go test -tags measure -run AClassFromNothing -v ./cmd/labrun -install
func TestAClassFromNothing(t *testing.T) {
	if !*install {
		t.Skip("it sets up a class on this computer: say -install where that is welcome")
	}
	began := time.Now()
	step := func(what string) { t.Logf("%4.0f s: %s", time.Since(began).Seconds(), what) }
	carryOut(t, "## From nothing to a class in an hour")
	step("the document's commands are carried out")

	h := &hub{
		t: t, folder: "/var/lib/labrun-class", at: "http://127.0.0.1:8000", passwords: map[string]string{}, said: &buffer{},
	}
	passwords, err := os.ReadFile("/root/passwords.csv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(passwords)) {
		name, password, _ := strings.Cut(strings.TrimSpace(line), ",")
		h.passwords[name] = password
	}
	up := func() {
		h.until("the hub answers", func() bool {
			r, err := http.Get(h.at + "/hub/login")
			if err != nil {
				return false
			}
			r.Body.Close()
			return r.StatusCode == http.StatusOK
		})
	}
	up()
	step("the hub answers")

	ann, lee := h.logsIn(t, "ann"), h.logsIn(t, "lee")
	ann.comes()
	step("ann has logged in and sees the missions")
	lesson := ann.follows(ann.starts())
	lesson.says("answer", "2", lesson.at(1, "ask"))
	router7 := lesson.bootsTheRouter()
	step("ann has done two steps of week 1")
	lee.seesInClass("ann")
	if at, status, _ := ann.visit("/services/class/"); status != http.StatusForbidden {
		t.Errorf("ann visits the class: %s, %d", at, status)
	}

	runs(t, "systemctl restart labrun-hub")
	up()
	router7.goesOn("after the hub")
	h.until("the class is back", func() bool { _, status, _ := lee.visit("/services/class/"); return status == http.StatusOK })
	lee.seesInClass("ann")
	step("the hub was started anew, and all went on")

	ann.stops()
	carryOut(t, "### In a hub")
	grades, err := os.ReadFile(h.folder + "/grades/grades.csv")
	if err != nil || !strings.Contains(string(grades), "confirmed") {
		t.Errorf("the grades: %v\n%s", err, grades)
	}
	step("her lab is saved, handed in and graded")
	ann.comes()
	if first, _ := ann.home(); first.Done != 2 || first.Session != "" {
		t.Errorf("ann finds %+v", first)
	}
	lesson = ann.follows(ann.starts())
	lesson.at(3, "boot")
	step("she goes on at the third step")
	ann.stops()
	carryOut(t, "## Who sees what")
	up()
	step("ben is forgotten")
	runs(t, "systemctl stop labrun-hub")
	if left := h.runs(); len(left) > 0 {
		t.Errorf("these go on: %+v", left)
	}
}

// carryOut gives a shell the commands below a heading of docs/class.md, in the repository's folder.
func carryOut(t *testing.T, heading string) {
	t.Helper()
	for _, commands := range commandsBelow(t, heading) {
		runs(t, commands)
	}
}

// runs has a shell run commands, and says what it has said if one fails.
func runs(t *testing.T, commands string) {
	t.Helper()
	c := exec.Command("bash", "-exc", commands)
	c.Dir = "../.."
	_, path, _ := strings.Cut(os.Getenv("PATH"), ":") // without the tests' own labrun
	c.Env = append(os.Environ(), "PATH="+path)
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
}

// seesInClass waits until a teacher sees that a student is at work.
func (p *pupil) seesInClass(student string) {
	p.t.Helper()
	p.h.waits(p.t, student+" is seen in the class", func() bool {
		if _, status, _ := p.visit("/services/class/"); status != http.StatusOK {
			return false
		}
		_, _, text := p.visit("/services/class/api/class")
		var class struct {
			Students []struct {
				Student string
				Live    bool
				Done    int
			}
		}
		json.Unmarshal([]byte(text), &class)
		for _, s := range class.Students {
			if s.Student == student && s.Live && s.Done == 2 {
				return true
			}
		}
		return false
	})
}

// stops stops the student's server as the button in the hub's page does.
func (p *pupil) stops() {
	p.t.Helper()
	r, err := http.NewRequest("DELETE", p.h.at+"/hub/api/users/"+p.name+"/server", &bytes.Buffer{})
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Referer", p.h.at+"/hub/home") // JupyterHub 3
	hub, _ := url.Parse(p.h.at + "/hub/")
	for _, cookie := range p.Jar.Cookies(hub) {
		if cookie.Name == "_xsrf" { // JupyterHub 4.1 and later
			r.Header.Set("X-XSRFToken", cookie.Value)
		}
	}
	answer, err := p.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted && answer.StatusCode != http.StatusNoContent {
		p.t.Fatalf("%s stops their server: %s", p.name, answer.Status)
	}
	p.h.waits(p.t, "the server of "+p.name+" is stopped", func() bool {
		for _, run := range p.h.runs() {
			if run.Student == p.name {
				return false
			}
		}
		return true
	})
}
