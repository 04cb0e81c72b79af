package course

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	for _, good := range []string{"a", "B12345678", "ann.lee@uni.example", "x+1", "_", strings.Repeat("a", 64)} {
		if id, err := ParseID(good); err != nil || string(id) != good {
			t.Errorf("ParseID(%q) = %q, %v", good, id, err)
		}
	}
	for _, bad := range []string{
		"", ".", "..", "-x", ".x", "a/b", "a b", "a\n", "\x00", "é", "學生", "a:b", strings.Repeat("a", 65),
	} {
		if id, err := ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) = %q", bad, id)
		}
	}
}

// What a student has drawn stands in handed-in files and in teachers' heads: it must never
// become another.
func TestDrawsStay(t *testing.T) {
	ann := Student{ID: "ann", Key: Key("0123456789abcdef")}
	if got := ann.Draw("ports", "port", 1000); got != 158 {
		t.Errorf("the draw has become %d", got)
	}
	if got := ann.Secret("ports", "flag"); got != "8wc8w87y4g3fmyqq8ya9" {
		t.Errorf("the secret has become %s", got)
	}
	if got := ann.Key.Fingerprint(); got != "0282e309d2324dca" {
		t.Errorf("the fingerprint has become %s", got)
	}
	if got := Key(nil).Fingerprint(); got != "" {
		t.Errorf("no key has the fingerprint %s", got)
	}
	if got := (Student{}).Draw("ports", "port", 1000); got != 881 {
		t.Errorf("nobody's draw has become %d", got)
	}
	if ann.Playing() != "ann" {
		t.Error("ann does not play herself")
	}
	ann.Imagined = true
	if ann.Playing() != "" {
		t.Error("what comes of an imagined student is somebody's progress")
	}
	if got := ann.Draw("ports", "port", 1000); got != 158 {
		t.Errorf("who plays as ann draws %d", got)
	}
}

func TestDrawDependsOnAll(t *testing.T) {
	const many = 1 << 60
	of := Student{ID: "ann", Key: Key("0123456789abcdef")}
	drawn := map[int]string{of.Draw("ports", "port", many): "the first"}
	for what, got := range map[string]int{
		"another student":       Student{ID: "bob", Key: of.Key}.Draw("ports", "port", many),
		"another key":           Student{ID: "ann", Key: Key("0123456789abcdeg")}.Draw("ports", "port", many),
		"another mission":       of.Draw("users", "port", many),
		"another name":          of.Draw("ports", "user", many),
		"words cut otherwise":   Student{ID: "tann", Key: of.Key}.Draw("por", "sport", many),
		"words cut otherwise 2": Student{ID: "ann", Key: of.Key}.Draw("portsport", "", many),
	} {
		if same, ok := drawn[got]; ok {
			t.Errorf("%s draws as %s", what, same)
		}
		drawn[got] = what
	}
}

// The expectation is that of chance: with 3,000 students and 3 values, each is drawn a
// thousand times, and 150 more or less would be more than five standard deviations.
func TestDrawIsEven(t *testing.T) {
	var counts [3]int
	letters := map[rune]int{}
	for n := range 3000 {
		who := Student{ID: ID("s" + strings.Repeat("i", n%50) + string(rune('a'+n/50%26)) + string(rune('a'+n/1300)))}
		counts[who.Draw("ports", "port", 3)]++
		for _, letter := range who.Secret("ports", "flag") {
			letters[letter]++
		}
	}
	for value, n := range counts {
		if n < 850 || n > 1150 {
			t.Errorf("%d is drawn %d times of 3000", value, n)
		}
	}
	if len(letters) != len(characters) {
		t.Errorf("secrets are of %d characters, want %d", len(letters), len(characters))
	}
	for letter, n := range letters { // 1935 each
		if n < 1700 || n > 2170 {
			t.Errorf("%c is in secrets %d times", letter, n)
		}
	}
	for n := range 100 {
		if v := (Student{}).Draw("ports", "port", n+1); v < 0 || v > n {
			t.Errorf("of %d: %d", n+1, v)
		}
	}
}

func TestReadKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	for content, want := range map[string]string{
		strings.Repeat("x", 16):   "",
		strings.Repeat("x", 4096): "",
		"":                        "has 0 bytes",
		"short":                   "has 5 bytes",
		strings.Repeat("x", 4097): "has more than 4096 bytes",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := ReadKey(file)
		switch {
		case want == "" && (err != nil || string(key) != content):
			t.Errorf("a key of %d bytes: %v", len(content), err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("a key of %d bytes: %v, want: %s", len(content), err, want)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 16)+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := ReadKey(file); err != nil || len(key) != 16 {
		t.Errorf("a key in a line of its own: %q, %v", key, err)
	}
	if _, err := ReadKey(file + "s"); err == nil {
		t.Error("a key that is not there was read")
	}
	if _, err := ReadKey("/dev/zero"); err == nil {
		t.Error("an endless key was read")
	}
}
