package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompletion(t *testing.T) {
	isolate(t)
	t.Chdir(t.TempDir())
	for _, name := range []string{"lab.star", "notes.txt", "labs/dns.star", "labs/deep/web.star", ".hidden.star"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	absolute, err := filepath.Abs("labs/")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		begun        string // the last word may be empty
		with, but    string // words that are offered, and that are not
		andNoFurther bool   // these alone
	}{
		{"", "week1 permissions permissions2 processes kernel packets bare-metal jungle lab.star labs/ check doc new", "notes.txt .hidden.star", false},
		{"w", "week1", "lab.star", true},
		{"labs/", "labs/dns.star labs/deep/", "week1", true},
		{absolute + "/", absolute + "/dns.star " + absolute + "/deep/", "", true},
		{"lab.star ", "", "lab.star", true},
		{"check ", "week1 permissions permissions2 processes kernel packets bare-metal jungle lab.star labs/", "notes.txt", true},
		{"check lab.star ", "week1 permissions permissions2 processes kernel packets bare-metal jungle lab.star labs/", "", true},
		{"doc wait", "wait_for wait_port wait_prompt wait_screen", "", true},
		{"doc wait_for ", "", "", true},
		{"images fetch debian a", "alpine", "", true},
		{"images add ", "alpine debian debian-tty grub mini mini-arm64 mini-riscv64 router7 tiny", "", true},
		{"images remove r", "router7", "", true},
		{"images push r", "router7", "", true},
		{"images pull r", "", "router7", true},
		{"images pull --as r", "router7", "", true},
		{"images export week1.tar r", "router7", "", true},
		{"new ", "", "lab.star", true},
		{"--allow ", "host", "", true},
	}
	for _, test := range tests {
		t.Run(test.begun, func(t *testing.T) {
			got := invoke(append([]string{"__complete"}, strings.Split(test.begun, " ")...)...)
			var offered []string
			for line := range strings.Lines(got.out) {
				if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(word, ":") {
					offered = append(offered, word)
				}
			}
			for _, word := range strings.Fields(test.with) {
				if !slices.Contains(offered, word) {
					t.Errorf("%s is not offered: %q", word, offered)
				}
			}
			for _, word := range strings.Fields(test.but) {
				if slices.Contains(offered, word) {
					t.Errorf("%s is offered: %q", word, offered)
				}
			}
			// The shell keeps of these what the word begins with.
			words := strings.Split(test.begun, " ")
			kept := slices.DeleteFunc(offered, func(w string) bool { return !strings.HasPrefix(w, words[len(words)-1]) })
			if test.andNoFurther && len(kept) != len(strings.Fields(test.with)) {
				t.Errorf("offered: %q, want %s only", kept, test.with)
			}
		})
	}
}
