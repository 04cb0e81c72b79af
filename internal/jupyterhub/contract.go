// Package jupyterhub owns what a JupyterHub and a single-user server, or a service, say to each
// other: what the hub puts into its environment, and what it asks of the hub's API. It knows
// nothing of browsers' requests: that is serve's.
//
// The contract is JupyterHub's documentation: «The JupyterHub single-user server», «JupyterHub
// and OAuth», and «Services» with their environment. It is the same in JupyterHub 2 to 5.
package jupyterhub

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Contract is what the hub expects of one single-user server, which is one user's, or of one of
// its services, which is nobody's.
type Contract struct {
	User     string // whose server it is; empty: it is a service
	Server   string // its name among the user's; empty: the usual one
	ClientID string // of the server or service as an OAuth client, unlike that of all others
	Prefix   string // the path below which browsers find it, with a slash at both ends
	Home     string // the hub's own page, where a user starts and stops servers
	Listen   string // the address that it has to answer at, host:port
	Version  string // the hub's, once it was met

	api      string        // the hub's API, without a slash at the end
	token    string        // the server's own, for that
	activity string        // where to say that somebody is at work; empty: nowhere
	every    time.Duration // how often to say it
	scopes   []string      // one of them lets a user in
	oauth    oauth2.Config
}

// usualActivity is how often activity is told if the environment says nothing, as
// jupyterhub-singleuser does.
const usualActivity = 5 * time.Minute

// Read reads the contract of a single-user server from its spawner's environment; getenv looks
// into that.
func Read(getenv func(string) string) (*Contract, error) {
	c, err := readBoth(getenv, "JUPYTERHUB_USER")
	if err != nil {
		return nil, err
	}
	c.User, c.Server = getenv("JUPYTERHUB_USER"), getenv("JUPYTERHUB_SERVER_NAME")
	if len(c.scopes) == 0 { // else nobody could come in
		c.scopes = []string{fmt.Sprintf("access:servers!server=%s/%s", c.User, c.Server), "access:servers!user=" + c.User}
	}
	return c, nil
}

// ReadService reads the contract of a service that the hub manages, from its environment.
func ReadService(getenv func(string) string) (*Contract, error) {
	c, err := readBoth(getenv, "JUPYTERHUB_SERVICE_NAME")
	if err == nil && len(c.scopes) == 0 {
		c.scopes = []string{"access:services!service=" + getenv("JUPYTERHUB_SERVICE_NAME")}
	}
	return c, err
}

// readBoth reads what servers and services are both told; named is the variable that says which one it is.
func readBoth(getenv func(string) string, named string) (*Contract, error) {
	need := func(name string) (string, error) {
		if value := getenv(name); value != "" {
			return value, nil
		}
		return "", fmt.Errorf("read what JupyterHub says: %s is not set: let a hub start this, "+
			"as deploy/jupyterhub/jupyterhub_config.py does", name)
	}
	var values []string
	for _, name := range []string{
		named, "JUPYTERHUB_CLIENT_ID", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_API_URL",
		"JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_BASE_URL",
	} {
		value, err := need(name)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	if getenv("JUPYTERHUB_SSL_CERTFILE") != "" {
		return nil, fmt.Errorf("read what JupyterHub says: it wants TLS between itself and labrun, which labrun " +
			"cannot: leave c.JupyterHub.internal_ssl out of the hub's configuration")
	}
	c := &Contract{
		ClientID: values[1], Prefix: "/" + strings.Trim(values[4], "/") + "/",
		token: values[2], api: strings.TrimSuffix(values[3], "/"), activity: getenv("JUPYTERHUB_ACTIVITY_URL"),
		every: usualActivity,
	}
	at, err := url.Parse(values[5])
	if err != nil || at.Host == "" {
		return nil, fmt.Errorf("read what JupyterHub says: JUPYTERHUB_SERVICE_URL=%s is no address to listen at", values[5])
	}
	if c.Listen = at.Host; at.Port() == "" {
		c.Listen = net.JoinHostPort(at.Hostname(), map[string]string{"http": "80", "https": "443"}[at.Scheme])
	}
	if text := getenv("JUPYTERHUB_ACTIVITY_INTERVAL"); text != "" { // in seconds
		if c.every, err = time.ParseDuration(text + "s"); err != nil || c.every <= 0 {
			return nil, fmt.Errorf("read what JupyterHub says: JUPYTERHUB_ACTIVITY_INTERVAL=%s is no number of seconds", text)
		}
	}
	for _, name := range []string{"JUPYTERHUB_OAUTH_ACCESS_SCOPES", "JUPYTERHUB_OAUTH_SCOPES"} { // the latter before 3.0
		if text := getenv(name); text != "" && c.scopes == nil {
			if err := json.Unmarshal([]byte(text), &c.scopes); err != nil {
				return nil, fmt.Errorf("read what JupyterHub says: %s: %w", name, err)
			}
		}
	}
	hub := getenv("JUPYTERHUB_HOST") + "/" + strings.TrimPrefix(strings.TrimSuffix(values[6], "/")+"/hub", "/")
	c.Home = hub + "/home"
	callback := getenv("JUPYTERHUB_OAUTH_CALLBACK_URL")
	if callback == "" {
		callback = c.Prefix + "oauth_callback"
	}
	c.oauth = oauth2.Config{
		ClientID: c.ClientID, ClientSecret: c.token, RedirectURL: callback,
		Endpoint: oauth2.Endpoint{
			AuthURL: hub + "/api/oauth2/authorize", TokenURL: c.api + "/oauth2/token", AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	return c, nil
}

// Every is how often the hub wants to hear of activity.
func (c *Contract) Every() time.Duration { return c.every }

// lets reports whether scopes of a token let its bearer in. All scopes in the contract are for
// this server or service; one without a filter is for all of them.
func (c *Contract) lets(scopes []string) bool {
	return slices.ContainsFunc(c.scopes, func(wanted string) bool {
		all, _, _ := strings.Cut(wanted, "!")
		return slices.Contains(scopes, wanted) || slices.Contains(scopes, all)
	})
}
