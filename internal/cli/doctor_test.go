package cli

import (
	"slices"
	"testing"
)

// Who only plays labs does not get a browser, nor npm's hundreds of packages; labrun's own tests have all.
func TestNeededTools(t *testing.T) {
	for _, test := range []struct {
		wanted        use
		npm, chromium bool
	}{{labs, false, false}, {page, true, false}, {test, true, true}} {
		has := func(pkg string) bool {
			return slices.ContainsFunc(needed(test.wanted), func(t tool) bool { return t.pkg == pkg })
		}
		if !has("qemu-utils") || has("npm") != test.npm || has("chromium") != test.chromium {
			t.Errorf("for use %d: %v", test.wanted, needed(test.wanted))
		}
	}
}
