package jupyterhub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// ErrNotLetIn says that the hub knows no user of a token, or that this user may not come in.
// Every other error means that the hub could not be asked.
var ErrNotLetIn = errors.New("the hub does not let them in")

// answerTime bounds how long the hub may take for an answer, and longestAnswer how much it may
// say.
const (
	answerTime    = 20 * time.Second
	longestAnswer = 1 << 20
)

// NewVerifier is a fresh secret of a login, for Authorize and Token.
func NewVerifier() string { return oauth2.GenerateVerifier() }

// Authorize is where a browser is sent to log in: it comes back to the server's
// oauth_callback with this state, which nobody else must be able to guess, and with a code.
func (c *Contract) Authorize(state, verifier string) string {
	return c.oauth.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)) // older hubs pass over the latter
}

// Token exchanges a browser's code for a token of its user's.
func (c *Contract) Token(ctx context.Context, code, verifier string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	token, err := c.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError:
		return "", fmt.Errorf("%w: %s", ErrNotLetIn, refused.ErrorCode)
	case err != nil:
		return "", fmt.Errorf("ask the hub for a token: %w", err)
	}
	return token.AccessToken, nil
}

// Who is the name of a token's user, who may come in.
func (c *Contract) Who(ctx context.Context, token string) (string, error) {
	var user struct {
		Name   string
		Scopes []string
	}
	if err := c.ask(ctx, "GET", c.api+"/user", token, nil, &user); err != nil {
		return "", err
	}
	if user.Name == "" || !c.lets(user.Scopes) {
		return "", fmt.Errorf("%w: %q has none of the scopes %q", ErrNotLetIn, user.Name, c.scopes)
	}
	return user.Name, nil
}

// Meet asks the hub for its version. A hub that cannot be reached now would let nobody in.
func (c *Contract) Meet(ctx context.Context) error {
	var hub struct{ Version string }
	if err := c.ask(ctx, "GET", c.api+"/", c.token, nil, &hub); err != nil {
		return err
	}
	c.Version = hub.Version
	return nil
}

// Active tells the hub when somebody was last at work in the server: a hub may end servers
// where nobody is.
func (c *Contract) Active(ctx context.Context, last time.Time) error {
	if c.activity == "" {
		return nil
	}
	at := map[string]string{"last_activity": last.UTC().Format(time.RFC3339Nano)}
	return c.ask(ctx, "POST", c.activity, c.token, map[string]any{
		"servers": map[string]any{c.Server: at}, "last_activity": at["last_activity"],
	}, nil)
}

// ask makes a request of the hub's API with a token. A nil answer is not read.
func (c *Contract) ask(ctx context.Context, method, address, token string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	text := []byte{}
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("ask the hub: %w", err)
	}
	r.Header.Set("Authorization", "token "+token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("ask the hub: %w", err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound: // which of them depends on the version
		return fmt.Errorf("%w: %s", ErrNotLetIn, response.Status)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("ask the hub: %s %s: %s", method, address, response.Status)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, longestAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("read the hub's answer: %w", err)
	}
	return nil
}
