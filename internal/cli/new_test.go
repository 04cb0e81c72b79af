package cli

import (
	"os"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	isolate(t)
	t.Chdir(t.TempDir())
	invoke("new", "my-first-lab").want(t, 0, "my-first-lab.star is a small lab that works", "")
	checked := invoke("check", "--werror", "my-first-lab.star")
	checked.want(t, 0, "my-first-lab.star: ok: 1 step, 1 machine\n", "")
	if checked.err != "" {
		t.Errorf("check finds fault with the new mission:\n%s", checked.err)
	}
	before, err := os.ReadFile("my-first-lab.star")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(before); !strings.Contains(text, `title = "My first lab"`) || strings.Contains(text, "TITLE") || strings.Contains(text, "FILE") {
		t.Errorf("the new mission is not filled in:\n%s", text)
	}

	if err := os.Mkdir("labs", 0o700); err != nil {
		t.Fatal(err)
	}
	invoke("new", "labs/dns.star").want(t, 0, "labs/dns.star", "")
	invoke("check", "labs/dns.star").want(t, 0, "ok", "")

	tests := []struct {
		args []string
		says string
	}{
		{[]string{"new"}, "new: what is the mission to be called?"},
		{[]string{"new", "a", "b"}, "new: what is the mission to be called?"},
		{[]string{"new", "my-first-lab"}, "new: my-first-lab.star is there already: take another name"},
		{[]string{"new", "my-first-lab.star"}, "new: my-first-lab.star is there already"},
		{[]string{"new", "My Lab"}, `new: "My Lab": a mission's name has lower-case letters`},
		{[]string{"new", ""}, "a mission's name has"},
		{[]string{"new", "../.."}, "a mission's name has"},
		{[]string{"new", "-lab"}, "unknown shorthand flag"},
		{[]string{"new", "nowhere/lab"}, "new: nowhere/lab.star: there is no folder nowhere: make it first"},
	}
	for _, test := range tests {
		invoke(test.args...).want(t, 2, "", test.says)
	}
	after, err := os.ReadFile("my-first-lab.star")
	if err != nil || string(after) != string(before) {
		t.Errorf("the mission was changed (%v)", err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 2 {
		t.Errorf("there are %v (%v), want the mission and the folder", left, err)
	}
}
