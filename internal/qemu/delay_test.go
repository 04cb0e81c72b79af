package qemu

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
	tasks := t.TempDir()
	if got := delay(tasks); got != 0 {
		t.Errorf("without threads: %v", got)
	}
	for thread, text := range map[string]string{"10": "9000000000 1000000 5\n", "11": "1 2500000000 7\n", "12": "", "13": "a b c\n"} {
		if err := os.Mkdir(filepath.Join(tasks, thread), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tasks, thread, "schedstat"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := delay(tasks); got != 2500*time.Millisecond {
		t.Errorf("the longest of four threads: %v, want 2.5s", got)
	}
}
