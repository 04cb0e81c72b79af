package image

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// docs/images-lock.md tells of every key there is, and its example is one.
func TestLockPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/images-lock.md")
	if err != nil {
		t.Fatal(err)
	}
	var look func(reflect.Type)
	look = func(s reflect.Type) {
		switch s.Kind() {
		case reflect.Slice:
			look(s.Elem())
		case reflect.Struct:
			for i := range s.NumField() {
				f := s.Field(i)
				key := f.Tag.Get("toml")
				if key != "" && key != "-" && !strings.Contains(string(page), "`"+key+"`") && !strings.Contains(string(page), "."+key+"]") &&
					!strings.Contains(string(page), key+" = ") {
					t.Errorf("docs/images-lock.md does not tell of %s", key)
				}
				if strings.HasPrefix(f.Type.String(), "image.") || f.Type.Kind() == reflect.Slice || f.Type.Kind() == reflect.Struct {
					look(f.Type)
				}
			}
		}
	}
	look(reflect.TypeFor[entry]())
	for _, values := range [][]string{NICModels, DiskBuses, Displays, Media, Boards, Firmwares, Arches, diskFormats} {
		for _, v := range values {
			if !strings.Contains(string(page), "`"+v+"`") {
				t.Errorf("docs/images-lock.md does not tell of %s", v)
			}
		}
	}
	example := regexp.MustCompile("(?ms)^```toml\n(.*?)^```$").FindSubmatch(page)
	own, err := ParseLock([]byte(goodLock))
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseLock(example[1], LockFileName, own, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := l.Profile("freedos"); !ok || !p.Console.ShellPrompt.MatchString(`A:\>`) || p.Console.ShellPrompt.MatchString(`A:\>dir`) {
		t.Errorf("its FreeDOS: %+v", p)
	}
}
