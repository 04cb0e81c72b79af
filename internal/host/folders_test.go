package host

import (
	"os"
	"os/user"
	"strconv"
	"testing"
)

func TestFolders(t *testing.T) {
	me, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil {
		t.Fatal("this user is in no list: ", err)
	}
	for _, test := range []struct {
		env          map[string]string
		cache, state string
	}{
		{map[string]string{"HOME": "/h"}, "/h/.cache", "/h/.local/state"},
		{map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c", "/s"},
		{map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "c", "XDG_STATE_HOME": "s"}, "/h/.cache", "/h/.local/state"},
		{nil, me.HomeDir + "/.cache", me.HomeDir + "/.local/state"},
	} {
		getenv := func(name string) string { return test.env[name] }
		cache, err := CacheDir(getenv)
		if err != nil || cache != test.cache {
			t.Errorf("%v: the cache is %s (%v), want %s", test.env, cache, err, test.cache)
		}
		state, err := StateDir(getenv)
		if err != nil || state != test.state {
			t.Errorf("%v: the state is %s (%v), want %s", test.env, state, err, test.state)
		}
	}
}
