package host

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// CacheDir is the user's folder for what can be made anew, by the XDG Base
// Directory Specification; getenv looks into the environment.
func CacheDir(getenv func(string) string) (string, error) {
	return folder(getenv, "XDG_CACHE_HOME", ".cache")
}

// StateDir is the user's folder for what outlives a run, by the same.
func StateDir(getenv func(string) string) (string, error) {
	return folder(getenv, "XDG_STATE_HOME", ".local/state")
}

func folder(getenv func(string) string, variable, below string) (string, error) {
	if dir := getenv(variable); filepath.IsAbs(dir) { // one that is not absolute is to be ignored
		return dir, nil
	}
	home := getenv("HOME")
	if home == "" {
		// As in many a container and service: the list of users knows it.
		u, err := user.LookupId(strconv.Itoa(os.Getuid()))
		if err != nil || !filepath.IsAbs(u.HomeDir) {
			return "", errHomeless
		}
		home = u.HomeDir
	}
	return filepath.Join(home, below), nil
}

// errHomeless says that there is no folder of the user's own.
var errHomeless = errors.New("HOME is not set and this user has no home folder: set HOME")
