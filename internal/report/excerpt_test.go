package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExcerptWithoutNoise: what a console's daemons say is left out of what a student sees
// of a step, and is all there is where nobody else says anything.
func TestExcerptWithoutNoise(t *testing.T) {
	const log = "2026/11/27 05:14:32 dns.go:177: probe\r\n"
	for _, c := range []struct{ noise, printed, want string }{
		{`"\\d{4}/\\d\\d/\\d\\d "`, "/ # " + log + log + "uname\r\n7.1.2\r\n/ # " + log, "/ # uname\n7.1.2\n/ #"},
		{`"\\d{4}/\\d\\d/\\d\\d "`, log + "[   1.000000] Kernel panic\r\n", "[   1.000000] Kernel panic"},
		{`"\\d{4}/\\d\\d/\\d\\d "`, log, strings.TrimSpace(log)},
		{`null`, "uname\r\n" + log, "uname\n" + strings.TrimSpace(log)},
	} {
		printed, _ := json.Marshal(c.printed)
		recording := `{"version": 2, "started": "2026-11-27T05:00:00Z", "noise": [` + c.noise + "]}\n" + `[1.0, "o", ` + string(printed) + "]\n"
		o := &outline{Steps: []*step{{spans: []span{{}}}}}
		if err := o.readCast(strings.NewReader(recording), "router7"); err != nil {
			t.Fatal(err)
		}
		if got := o.Steps[0].Consoles; len(got) != 1 || got[0].Text != c.want {
			t.Errorf("the excerpt is %+v, want %q", got, c.want)
		}
	}
}

// TestExcerptsOfFurtherConsoles: a machine's further consoles have excerpts of their own, by boot.
func TestExcerptsOfFurtherConsoles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"debian", "debian.niko", "debian-2", "debian-2.niko", "debian-2.spare-1"} {
		recording := `{"version": 2, "started": "2026-11-27T05:00:00Z"}` + "\n" + `[1.0, "o", "at ` + name + `\r\n"]` + "\n"
		if err := os.WriteFile(filepath.Join(dir, name+".cast"), []byte(recording), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := &outline{Steps: []*step{{spans: []span{{}}}}, Boots: []*boot{{Name: "debian", Number: 1}, {Name: "debian", Number: 2}}}
	if err := o.addExcerpts(dir); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range o.Steps[0].Consoles {
		got = append(got, e.Console+": "+e.Text)
	}
	want := []string{
		"debian: at debian", "debian/niko: at debian.niko", "debian, boot 2: at debian-2",
		"debian/niko, boot 2: at debian-2.niko", "debian/spare-1, boot 2: at debian-2.spare-1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the excerpts are %q, want %q", got, want)
	}
}
