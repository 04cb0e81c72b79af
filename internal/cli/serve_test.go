package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// served is `labrun serve` as a process would be, until its end is called.
type served struct {
	lines *bufio.Scanner // what it says on standard output
	err   *strings.Builder
	env   map[string]string
	end   func() int
}

func startServe(t *testing.T, env map[string]string, args ...string) *served {
	t.Helper()
	out, write := io.Pipe()
	s := &served{lines: bufio.NewScanner(out), err: &strings.Builder{}, env: env}
	p := &program{Surroundings: Surroundings{
		In: strings.NewReader(""), Out: write, Err: s.err, Getenv: func(name string) string { return env[name] },
	}}
	root := p.command()
	root.SetArgs(append([]string{"serve"}, args...))
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- p.explain(ctx, root.ExecuteContext(ctx))
		write.Close()
	}()
	s.end = func() int {
		cancel()
		go io.Copy(io.Discard, out)
		return <-code
	}
	return s
}

// address is the next that it tells.
func (s *served) address(t *testing.T) string {
	t.Helper()
	for s.lines.Scan() {
		if at := regexp.MustCompile(`https?://\S+\?key=\w+`).FindString(s.lines.Text()); at != "" {
			return at
		}
	}
	t.Fatalf("it says no address; but: %s", s.err)
	return ""
}

func homeEnv(t *testing.T) map[string]string {
	t.Setenv("LABRUN_CACHE", t.TempDir())
	return map[string]string{"HOME": t.TempDir()}
}

// serve says where it is, with the key, and opens a browser there; with another key, since
// all users of the computer see that.
func TestServe(t *testing.T) {
	env := homeEnv(t)
	opened := filepath.Join(t.TempDir(), "opened")
	browser := filepath.Join(t.TempDir(), "browser")
	if err := syscall.Mkfifo(opened, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(browser, fmt.Appendf(nil, "#!/bin/sh\necho \"$1\" >%s\n", opened), 0o700); err != nil {
		t.Fatal(err)
	}
	env["BROWSER"] = browser + ":other"
	env["CODESPACE_NAME"], env["GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN"] = "a-b", "app.example.dev"
	s := startServe(t, env, "--port", "0", "--origin", "https://lab.example.org/os", "week1")
	local := s.address(t)
	if got := s.address(t); !strings.HasPrefix(got, "https://lab.example.org/os/?key=") {
		t.Errorf("behind the proxy: %s", got)
	}
	if got := s.address(t); !regexp.MustCompile(`^https://a-b-\d+\.app\.example\.dev/\?key=`).MatchString(got) {
		t.Errorf("in the codespace: %s", got)
	}
	s.lines.Scan() // how it is ended
	data, err := os.ReadFile(opened)
	if err != nil {
		t.Fatal(err)
	}
	started := strings.TrimSpace(string(data))
	if started == local || !strings.HasPrefix(started, local[:strings.Index(local, "key=")]) {
		t.Errorf("the browser is at %s, and the lab at %s", started, local)
	}
	for _, address := range []string{local, started} {
		jar, _ := cookiejar.New(nil)
		r, err := (&http.Client{Jar: jar}).Get(address)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", address, r.Status)
		}
	}
	// An explicit port that is taken is an error.
	_, port, _ := net.SplitHostPort(strings.Split(local, "/")[2])
	other := startServe(t, env, "--no-open", "--port", port)
	if other.lines.Scan() {
		t.Error(other.lines.Text())
	}
	if code := other.end(); code != exitEnvironment || !strings.Contains(other.err.String(), "say another --port") {
		t.Errorf("exit code %d: %s", code, other.err)
	}
	if code := s.end(); code != exitPassed {
		t.Errorf("exit code %d: %s", code, s.err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"week99"}, "there is no such mission"}, {[]string{"week1", "week1"}, "is named twice"},
		{[]string{"--origin", "lab.example.org"}, "say it as a browser does"},
		{[]string{"--origin", "https://*.example.org"}, "say it as a browser does"},
		{[]string{"--jupyterhub"}, "JUPYTERHUB_USER is not set"}, {[]string{"--idle", "-1h"}, "say a time such as 1h"},
		{[]string{"--jupyterhub", "--port", "1"}, "jupyterhub port"},
	} {
		s := startServe(t, env, append(test.args, "--no-open")...)
		if s.lines.Scan() {
			t.Error(s.lines.Text())
		}
		if code := s.end(); code != exitUsage || !strings.Contains(s.err.String(), test.want) {
			t.Errorf("%q: exit code %d: %s", test.args, code, s.err)
		}
	}
}
