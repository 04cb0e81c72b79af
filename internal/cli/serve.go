package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/jupyterhub"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/serve"
	"github.com/labrun/labrun/web"
)

// usualPort is where the page is if nobody says otherwise: always the same, so that one that
// is open comes back when serve was ended and started again.
const usualPort = 8017

type serveFlags struct {
	port    int
	origins []string
	noOpen  bool
	hub     bool
	idle    time.Duration
}

func (p *program) newServe() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve [MISSION…]",
		Short: "show labs in a browser: the guide, the consoles and the network side by side",
		Long: `serve shows labs in a browser on this computer: the guide on the left, the machines' consoles on the right.
It says the address to open; whoever has that address may do all that you may do in the lab, so keep it to yourself. It
offers the missions that are named, or else those that are built in. Ctrl-C ends it and stops the labs that it has
started; their progress is kept. docs/serve.md tells of cloud IDEs, proxies, and links for watching.`,
		Example: `  labrun serve                 offer all missions that are built in
  labrun serve week1 my.star   offer these two
  labrun serve --student ann   with progress of her own; another student's labs are not shown
  labrun serve --origin https://lab.example.org/os/   where a proxy shows it there
  labrun serve --jupyterhub --idle 1h     as a JupyterHub's spawner starts it`,
		RunE: func(c *cobra.Command, args []string) error { return p.serve(c.Context(), c, args, f) },
	}
	c.Flags().IntVar(&f.port, "port", usualPort, "listen on this `port` of 127.0.0.1, and on no other")
	c.Flags().StringArrayVar(
		&f.origins, "origin", nil, "the `URL` at which browsers find the page, if a proxy leads there; may be repeated",
	)
	c.Flags().BoolVar(&f.noOpen, "no-open", false, "open no browser")
	c.Flags().BoolVar(&f.hub, "jupyterhub", false, "be a JupyterHub user's server: the hub lets browsers in (docs/class.md)")
	c.Flags().DurationVar(
		&f.idle, "idle", 0, "end, and keep the progress, when nobody has been at work for this `time`, such as 1h; 0: never",
	)
	for _, flag := range []string{"port", "origin"} { // the hub says both
		c.MarkFlagsMutuallyExclusive("jupyterhub", flag)
	}
	return c
}

// firstMission is where a beginner begins, whatever the alphabet says.
const firstMission = "week1"

func (p *program) serve(ctx context.Context, c *cobra.Command, names []string, f serveFlags) error {
	origins, err := parseOrigins(f.origins)
	if err != nil {
		return err
	}
	if f.idle < 0 {
		return &usageError{fmt.Sprintf("--idle %v: say a time such as 1h, or 0 for never", f.idle)}
	}
	var hub *jupyterhub.Contract
	if f.hub {
		if hub, err = p.hub(ctx, jupyterhub.Read); err != nil {
			return err
		}
		p.student.id = hub.User // whatever the environment says
	}
	lock, err := p.lock()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = missionNames()
		if i := slices.Index(names, firstMission); i > 0 {
			names = slices.Insert(slices.Delete(names, i, i+1), 0, firstMission)
		}
	}
	load := func(ctx context.Context, name, language string) (*mission.Mission, error) {
		m, _, err := p.find(ctx, c, name, func(o *mission.Options) { o.Language = language })
		return m, err
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return &usageError{fmt.Sprintf("serve: %s is named twice", name)}
		}
		if _, err := load(ctx, name, ""); err != nil {
			return err // now, and not to a student
		}
	}
	store, err := p.store(lock, nil)
	if err != nil {
		return err
	}
	sessions, states := lab.Sessions(store), lab.States(store)
	store.Close() // a run has the cache to itself while it changes it
	state, err := p.state()
	if err != nil {
		return err
	}
	who, err := p.who()
	if err != nil {
		return err
	}
	secret, err := serve.Secret(state)
	if err != nil {
		return &environmentError{err}
	}
	command, err := p.again()
	if err != nil {
		return err
	}
	listener, err := p.listen(hub, f.port, c.Flags().Changed("port"))
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	origins = append(origins, p.codespace(port)...)
	server := serve.New(serve.Options{
		Page: web.Files(), Missing: web.Missing(), Secret: secret, Origins: origins, Version: version(),
		Language: p.spoken(), Missions: names, Load: load, State: state, Sessions: sessions, States: states, Command: command,
		Owner: os.Getuid(), Student: string(who.Playing()), Hub: hub, Idle: f.idle,
		Tell: func(format string, args ...any) { p.tell(p.Err, format, args...) },
	}, port)
	if missing := web.Missing(); missing != "" {
		p.tell(p.Err, "note: %s", missing)
	}
	if hub == nil {
		p.announce(server, "lab", port, secret, origins, f.noOpen)
		p.tell(p.Out, "Ctrl-C ends it and stops the labs that were started here; their progress is kept")
	} else {
		p.tell(p.Out, "the lab of %s is at %s, as JupyterHub %s says", hub.User, hub.Prefix, hub.Version)
	}
	if err := server.Serve(ctx, listener); err != nil {
		return &environmentError{fmt.Errorf("serve: %w", err)}
	}
	return nil
}

// announce says where the page of what (the lab, the class) is, and opens it.
func (p *program) announce(server *serve.Server, what, port, secret string, origins []*url.URL, noOpen bool) {
	local := &url.URL{Scheme: "http", Host: "127.0.0.1:" + port, Path: "/"}
	for _, at := range append([]*url.URL{local}, origins...) {
		p.tell(p.Out, "the %s is at %s?key=%s", what, at, secret)
	}
	if !noOpen {
		p.openBrowser(local.String() + "?key=" + server.Opening())
	}
}

// hub reads and meets the JupyterHub that has started this.
func (p *program) hub(
	ctx context.Context, read func(getenv func(string) string) (*jupyterhub.Contract, error),
) (*jupyterhub.Contract, error) {
	hub, err := read(p.Getenv)
	if err != nil {
		return nil, &usageError{"--jupyterhub: " + err.Error()}
	}
	if err := hub.Meet(ctx); err != nil {
		return nil, &environmentError{fmt.Errorf("--jupyterhub: %w", err)}
	}
	return hub, nil
}

// parseOrigins reads the URLs at which browsers find the page.
func parseOrigins(texts []string) ([]*url.URL, error) {
	var origins []*url.URL
	for _, text := range texts {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(u.Host, " ;,'\"*") {
			return nil, &usageError{
				fmt.Sprintf("--origin %s: say it as a browser does, for instance https://lab.example.org/os/", text),
			}
		}
		u = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
		if !strings.HasSuffix(u.Path, "/") {
			u.Path += "/"
		}
		origins = append(origins, u)
	}
	return origins, nil
}

// again is how this labrun is started once more, up to what is to be done.
func (p *program) again() ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, &environmentError{fmt.Errorf("find labrun's own file: %w", err)}
	}
	command := []string{program}
	if p.lockFile != "" {
		command = append(command, "--lock", p.lockFile)
	}
	if p.strict {
		command = append(command, "--strict")
	}
	return append(command, p.student.again()...), nil
}

// listen listens where a hub says; where there is none, on a port of this computer alone, or, if
// it was not asked for, on the next that is free.
func (p *program) listen(hub *jupyterhub.Contract, port int, asked bool) (net.Listener, error) {
	if hub != nil {
		l, err := net.Listen("tcp", hub.Listen)
		if err != nil {
			return nil, &environmentError{fmt.Errorf("listen where JupyterHub says: %w", err)}
		}
		return l, nil
	}
	for next := port; ; next++ {
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(next)))
		switch {
		case err == nil && next != port:
			p.tell(p.Err, "note: port %d is taken, perhaps by another labrun serve; this one is on port %d", port, next)
			return l, nil
		case err == nil:
			return l, nil
		case asked:
			return nil, &environmentError{fmt.Errorf("listen on port %d: %w: say another --port, or none", port, err)}
		case !errors.Is(err, syscall.EADDRINUSE) || next == port+mostPorts:
			return nil, &environmentError{fmt.Errorf("listen on port %d: %w", next, err)}
		}
	}
}

// mostPorts is how many ports behind the usual one are tried.
const mostPorts = 100

// codespace is where GitHub shows a port of a codespace, if this is one.
func (p *program) codespace(port string) []*url.URL {
	name, domain := p.Getenv("CODESPACE_NAME"), p.Getenv("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN")
	if name == "" || domain == "" {
		return nil
	}
	return []*url.URL{{Scheme: "https", Host: name + "-" + port + "." + domain, Path: "/"}}
}

// openBrowser shows an address in a browser, if there is one here: $BROWSER, which cloud IDEs
// set to a program that opens it on their user's computer, or the desktop's. It lives as
// long as it likes, so nobody waits for it; that there is none is no error, since the
// address was told.
func (p *program) openBrowser(address string) {
	browser, _, _ := strings.Cut(p.Getenv("BROWSER"), ":")
	if browser == "" && p.Getenv("DISPLAY")+p.Getenv("WAYLAND_DISPLAY") != "" {
		browser = "xdg-open"
	}
	if browser == "" {
		return
	}
	command := exec.Command(browser, address)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is not meant for it
	if command.Start() == nil {
		go command.Wait()
	}
}
