package qemu

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func kernel(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gokrazy/kernel.amd64").Output()
	if err != nil {
		t.Fatalf("find the pinned kernel: %v (go mod download fetches it)", err)
	}
	return strings.TrimSpace(string(out)) + "/vmlinuz"
}

func TestProbe(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	v, err := Probe(ctx, kernel(t), dir)
	t.Log(v, err)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	again, err := Probe(ctx, kernel(t), dir)
	t.Log(again, err, time.Since(start))
}
