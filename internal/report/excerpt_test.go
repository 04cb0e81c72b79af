package report

import (
	"encoding/json"
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
		if err := o.readCast(strings.NewReader(recording), &boot{Name: "router7"}); err != nil {
			t.Fatal(err)
		}
		if got := o.Steps[0].Consoles; len(got) != 1 || got[0].Text != c.want {
			t.Errorf("the excerpt is %+v, want %q", got, c.want)
		}
	}
}
