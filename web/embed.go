// Package web owns labrun's page: what a browser loads. The files in page/ are labrun's own. Those in npm/ are libraries
// that `make` gets from npm; a program that was built without them has a page that says so.
package web

import (
	"embed"
	"io/fs"
)

//go:embed page npm
var files embed.FS

// Files returns the page's files: page/index.html and what it loads from page/ and npm/.
func Files() fs.FS { return files }

// Missing says why the page cannot be shown and what to do; it is empty if nothing is missing.
func Missing() string { return missing(files) }

func missing(files fs.FS) string {
	if _, err := fs.Stat(files, "npm/package-lock.json"); err != nil { // copied last
		return "this labrun was built without its page's libraries: install npm, run make in labrun's source, and start it again"
	}
	return ""
}
