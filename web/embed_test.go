package web

import (
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labrun/labrun/internal/phrase"
)

// The lock pins each package by a digest, and says of none where it is to be had from: npm takes it from wherever the
// machine is configured to.
func TestLockHasDigestsAndNoAddresses(t *testing.T) {
	data, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		t.Fatal(err)
	}
	if len(lock.Packages) < 2 {
		t.Fatalf("the lock has %d packages", len(lock.Packages))
	}
	for name, p := range lock.Packages {
		if p.Resolved != "" {
			t.Errorf("%s: the lock says where it was: run npm install in web/ again, which reads .npmrc", name)
		}
		if name != "" && !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s %s has no digest", name, p.Version)
		}
	}
}

// What is asked for is an exact version.
func TestVersionsAreExact(t *testing.T) {
	data, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var asked struct{ Dependencies map[string]string }
	if err := json.Unmarshal(data, &asked); err != nil {
		t.Fatal(err)
	}
	for name, version := range asked.Dependencies {
		if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(version) {
			t.Errorf("%s: %q is no exact version", name, version)
		}
	}
}

func TestMissing(t *testing.T) {
	if got := missing(fstest.MapFS{"npm/README.md": {}}); !strings.Contains(got, "install npm") {
		t.Errorf("without its libraries it says %q", got)
	}
	if got := missing(fstest.MapFS{"npm/package-lock.json": {}}); got != "" {
		t.Errorf("with its libraries it says %q", got)
	}
}

var (
	imports = regexp.MustCompile(`(?m)(?:^import|^} from|\bfrom|\bimport\()\s*\(?"([^"]+)"`)
	loads   = regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	inline  = regexp.MustCompile(`(?i)<script>|\son[a-z]+=|\sstyle=`)
)

// A module of the page imports files that are there, or that copy.mjs gets: no bare names, which browsers cannot
// load. index.html has no script of its own, which the page's policy forbids.
func TestPageLoadsWhatIsThere(t *testing.T) {
	copied, err := os.ReadFile("copy.mjs")
	if err != nil {
		t.Fatal(err)
	}
	copies := func(name string) bool { return strings.Contains(string(copied), `"`+name+`"`) }
	found := 0
	check := func(from, base string, names [][]string) {
		for _, match := range names {
			found++
			name := path.Join(base, match[1])
			npm, isNPM := strings.CutPrefix(name, "npm/")
			switch _, err := fs.Stat(files, name); {
			case !strings.HasPrefix(match[1], ".") && from != "page/index.html":
				t.Errorf("%s imports %s, which is no relative address", from, match[1])
			case isNPM && !copies(npm) && !copies(strings.TrimPrefix(npm, "lit-html/")) && !copies(path.Dir(npm)):
				t.Errorf("%s loads %s, which copy.mjs does not copy", from, name)
			case !isNPM && err != nil:
				t.Errorf("%s loads %s: %v", from, name, err)
			}
		}
	}
	modules, _ := fs.Glob(files, "page/*.js")
	for _, name := range modules {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, "page", imports.FindAllStringSubmatch(string(text), -1))
	}
	index, err := fs.ReadFile(files, "page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	check("page/index.html", ".", loads.FindAllStringSubmatch(string(index), -1))
	if found < 10 {
		t.Errorf("only %d addresses were found", found)
	}
	if bad := inline.FindString(string(index)); bad != "" {
		t.Errorf("index.html has %q", bad)
	}
}

var (
	said   = regexp.MustCompile("\\bsay\\(\\s*[\"`]([^\"`]+)[\"`]")
	quoted = regexp.MustCompile("[\"`](page [^\"`]+)[\"`]")
	within = regexp.MustCompile(`\$\{[^}]*\}`)
)

// What the page says is in the catalogue, and each phrase there that is for the page is said somewhere.
func TestPhrasesAreThereAndSaid(t *testing.T) {
	phrases, used := phrase.In("en").Phrases(), map[string]bool{}
	modules, _ := fs.Glob(files, "page/*.js")
	for _, name := range modules {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range append(said.FindAllSubmatch(text, -1), quoted.FindAllSubmatch(text, -1)...) {
			pattern := regexp.MustCompile("^" + within.ReplaceAllString(string(match[1]), ".+") + "$")
			found := false
			for known := range phrases {
				if pattern.MatchString(known) {
					found, used[known] = true, true
				}
			}
			if !found {
				t.Errorf("%s says %q, which is not in the catalogue", name, match[1])
			}
		}
	}
	for known := range phrases {
		if strings.HasPrefix(known, "page ") && !used[known] {
			t.Errorf("nothing says %q", known)
		}
	}
}
