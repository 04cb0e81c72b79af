package serve

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// proxied is the page's URL behind a proxy that shows it below a prefix, as nginx and
// JupyterHub do: with the browser's Host, and with the prefix taken away or not. Cookies
// are the paths of those that were set on the way.
func (x *site) proxied(prefix string, stripped bool) (at string, cookies func() []string) {
	x.t.Helper()
	target, err := url.Parse(x.at)
	if err != nil {
		x.t.Fatal(err)
	}
	var mu sync.Mutex
	var set []string
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host
			if stripped {
				r.Out.URL.Path = "/" + strings.TrimPrefix(r.In.URL.Path, prefix)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			mu.Lock()
			defer mu.Unlock()
			for _, c := range r.Cookies() {
				set = append(set, c.Name)
			}
			return nil
		},
	}
	front := httptest.NewServer(proxy)
	x.t.Cleanup(front.Close)
	return front.URL + prefix, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return set
	}
}
