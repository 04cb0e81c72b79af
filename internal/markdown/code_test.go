package markdown

import (
	"slices"
	"testing"
)

func TestCode(t *testing.T) {
	got := Code("Type `ls -l\n/srv`, then ``echo `id` ``:\n\n    cat a\n\n    cat b\n\n*not* this")
	if want := []string{"ls -l /srv", "echo `id`", "cat a", "cat b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
