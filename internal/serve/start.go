package serve

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/markdown"
)

// starts are the runs that this server starts, and has started.
type starts struct {
	mu       sync.Mutex
	ending   bool
	under    map[string]*starting // by the mission's name
	children map[*child]struct{}
}

// child is a run that this server has started.
type child struct {
	*exec.Cmd
	mission string
	ended   chan struct{}
}

// starting is a start under way. Whoever wants the same waits for it, too.
type starting struct {
	done    chan struct{}
	session string
	err     error
}

// doorTime is how long a run may take to open its door: it loads a script, no more.
const doorTime = time.Minute

// start starts a mission, or finds that it runs.
func (s *Server) start(w http.ResponseWriter, r *http.Request, _ visitor, _ []string) {
	var wanted struct {
		Mission, Language string
		Anew              bool
	}
	if !s.read(w, r, &wanted) {
		return
	}
	if !slices.Contains(s.Missions, wanted.Mission) {
		s.refuse(w, http.StatusNotFound, s.say(r, "serve no mission"))
		return
	}
	l := s.list(r.Context(), wanted.Mission, s.languageOf(r), attach.Find(r.Context(), s.Sessions))
	switch {
	case l.Session != "":
		s.answer(w, http.StatusOK, map[string]string{"session": l.Session})
		return
	case l.Refused != "":
		s.refuse(w, http.StatusConflict, l.Refused)
		return
	}
	begun := s.begin(l, wanted.Language, wanted.Anew)
	select {
	case <-begun.done:
	case <-r.Context().Done():
		return // it goes on: the page finds it when it comes back
	}
	if begun.err != nil {
		s.refuse(w, http.StatusInternalServerError, s.say(r, "serve not started", begun.err))
		return
	}
	s.answer(w, http.StatusOK, map[string]string{"session": begun.session})
}

// begin begins to start a mission, or finds that it is being started.
func (s *Server) begin(l listed, language string, anew bool) *starting {
	s.starts.mu.Lock()
	defer s.starts.mu.Unlock()
	if under := s.starts.under[l.Name]; under != nil {
		return under
	}
	begun := &starting{done: make(chan struct{})}
	s.starts.under[l.Name] = begun
	s.tasks.Go(func() {
		begun.session, begun.err = s.spawn(l, language, anew)
		s.starts.mu.Lock()
		delete(s.starts.under, l.Name)
		s.starts.mu.Unlock()
		close(begun.done)
	})
	return begun
}

// spawn starts a run, which the server's end does not end, and waits until its door is open.
func (s *Server) spawn(l listed, language string, anew bool) (session string, err error) {
	log, err := s.openLog(l.Name)
	if err != nil {
		return "", err
	}
	defer log.Close()
	c, err := s.launch(s.command(l, language, anew), l.Name, log)
	if err != nil {
		return "", err
	}
	patience := time.NewTimer(doorTime)
	defer patience.Stop()
	look := time.NewTicker(s.pace.look)
	defer look.Stop()
	for {
		over := false
		select {
		case <-look.C:
		case <-c.ended:
			over = true // perhaps because another started it meanwhile, and has it
		case <-patience.C:
			c.Process.Kill()
			return "", fmt.Errorf("start %s: it opened no door within %v; what it said: %s", l.Name, doorTime, words(log))
		}
		found := attach.Find(s.ctx, s.Sessions)
		for _, run := range found {
			if run.PID == c.Process.Pid {
				return run.Session(), nil
			}
		}
		if over {
			if session := s.list(s.ctx, l.Name, "", found).Session; session != "" {
				return session, nil
			}
			return "", fmt.Errorf("%s", words(log))
		}
	}
}

// command is how a mission is started.
func (s *Server) command(l listed, language string, anew bool) *exec.Cmd {
	args := append(slices.Clone(s.Command[1:]), "--guide", "--headless")
	env := os.Environ()
	switch {
	case slices.Contains(l.Languages, language):
		args = append(args, "--lang", language)
	case language != "": // the mission is not told in it, which --lang would not take; labrun's own words are
		env = append(env, "LC_ALL="+language)
	}
	if anew {
		args = append(args, "--restart")
	}
	command := exec.Command(s.Command[0], append(args, "--", l.Name)...)
	command.Env = env
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // neither Ctrl-C nor the terminal's end reaches it
	return command
}

// launch starts a child and has it waited for.
func (s *Server) launch(command *exec.Cmd, mission string, log *os.File) (*child, error) {
	command.Stdout, command.Stderr = log, log // a file, so that the child depends on nobody who reads
	s.starts.mu.Lock()
	defer s.starts.mu.Unlock()
	if s.starts.ending {
		return nil, errEnding
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", mission, err)
	}
	c := &child{command, mission, make(chan struct{})}
	s.starts.children[c] = struct{}{}
	go func() {
		c.Wait()
		s.starts.mu.Lock()
		delete(s.starts.children, c)
		s.starts.mu.Unlock()
		close(c.ended)
	}()
	return c, nil
}

var errEnding = errors.New("labrun serve is ending")

// endTime is how long a run may take to end.
const endTime = 30 * time.Second

// stopAll ends the runs that this server has started, and waits for them.
func (s *Server) stopAll() {
	s.starts.mu.Lock()
	s.starts.ending = true
	children := slices.Collect(maps.Keys(s.starts.children))
	s.starts.mu.Unlock()
	patience := time.After(endTime)
	for _, c := range children {
		s.Tell("stopping %s; its progress is kept", c.mission)
		c.Process.Signal(syscall.SIGTERM)
	}
	for _, c := range children {
		select {
		case <-c.ended:
		case <-patience:
			s.Tell("%s does not end within %v: it is process %d", c.mission, endTime, c.Process.Pid)
		}
	}
	for _, run := range attach.Find(context.Background(), s.Sessions) {
		switch {
		case !run.Guided || run.Student != s.Student:
		case s.Hub != nil: // one before this was killed, and the hub takes it that nothing is left
			ctx, cancel := context.WithTimeout(context.Background(), endTime)
			if err := attach.Stop(ctx, run.Folder); err != nil {
				s.Tell("%v", err)
			}
			cancel()
		default:
			s.Tell("%s goes on: the next labrun serve finds it, and `labrun stop %s` ends it", run.Session(), run.Session())
		}
	}
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// openLog opens the file for what a mission's run says outside of its dialogue.
func (s *Server) openLog(mission string) (*os.File, error) {
	folder := filepath.Join(s.State, "serve")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("keep what %s says: %w", mission, err)
	}
	base := notInName.ReplaceAllString(strings.TrimSuffix(filepath.Base(mission), ".star"), "-")
	sum := sha256.Sum256([]byte(mission))
	log, err := os.OpenFile(filepath.Join(folder, fmt.Sprintf("%.40s-%x.log", base, sum[:4])),
		os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep what %s says: %w", mission, err)
	}
	return log, nil
}

// lastWords bounds what is passed on of a log, in bytes.
const lastWords = 2 << 10

// words are the last lines of a log.
func words(log *os.File) string {
	tail := make([]byte, lastWords)
	from := int64(0)
	if info, err := log.Stat(); err == nil {
		from = max(0, info.Size()-lastWords)
	}
	n, _ := log.ReadAt(tail, from)
	text := tail[:n]
	if from > 0 { // it begins in a line
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return cmp.Or(strings.TrimSpace(markdown.Clean(string(text))), "it ended without a word")
}

// stopTime is how long somebody waits for a run's end.
const stopTime = time.Minute

// stop ends a run.
func (s *Server) stop(w http.ResponseWriter, r *http.Request, v visitor, _ []string) {
	var wanted struct{ Session string }
	if !s.read(w, r, &wanted) {
		return
	}
	run, found := s.find(r.Context(), v, wanted.Session)
	if !found {
		s.refuse(w, http.StatusNotFound, s.say(r, "serve no session"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), stopTime)
	defer cancel()
	if err := attach.Stop(ctx, run.Folder); err != nil {
		s.refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	s.answer(w, http.StatusOK, struct{}{})
}
