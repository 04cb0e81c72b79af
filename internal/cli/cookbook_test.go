package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCookbook checks each snippet of docs/cookbook.md, with the machines that they
// speak of. Those that need files beside the script are marked as py.
func TestCookbook(t *testing.T) {
	isolate(t)
	text, err := os.ReadFile("../../docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?ms)^```python\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	if len(snippets) < 10 {
		t.Fatalf("%d snippets were found", len(snippets))
	}
	for _, s := range snippets {
		body := s[1]
		needs := ""
		if strings.Contains(body, "terminal(") {
			needs = `, needs = ["host"]`
		}
		lab := `mission(title = "Cookbook", api = 1` + needs + `)
lan = network("lan")
`
		for name, line := range map[string]string{
			"pc":     `pc = machine("pc", image = "grub", nics = [lan])`,
			"router": `router = machine("router7", nics = [uplink(), lan])`,
			"debian": `debian = machine("debian", nics = [lan])`,
			"alpine": `alpine = machine("alpine", nics = [lan])`,
			"grub":   `grub = machine("grub", nics = [lan])`,
		} {
			if regexp.MustCompile(`\b` + name + `\b`).MatchString(body) {
				lab += line + "\n"
			}
		}
		if strings.Contains(body, "= machine(") { // it has machines of its own
			lab, _, _ = strings.Cut(lab, "\n")
		} else if !strings.Contains(lab, "machine(") {
			lab = strings.Replace(lab, "lan = network(\"lan\")\n", "", 1)
		}
		got := invoke("check", write(t, "lab.star", lab+"\n"+body))
		if got.code != 0 {
			t.Errorf("exit %d in\n%s", got.code, body)
		}
		for line := range strings.Lines(got.err) {
			// A snippet has no story, and not every one is a whole step.
			if !strings.Contains(line, "[no-narration]") && !strings.Contains(line, "[no-check]") && !strings.Contains(line, "[unchecked-input]") {
				t.Errorf("%s in\n%s", line, body)
			}
		}
	}
}
