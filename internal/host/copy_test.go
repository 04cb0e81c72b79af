package host

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
)

func TestCopySparse(t *testing.T) {
	dir := t.TempDir()
	from, err := os.Create(dir + "/from")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	want := make([]byte, 40<<20+100) // ends in a hole, and begins in zeros that are no hole
	copy(want[5<<20+7:], "in the middle of a block")
	copy(want[20<<20:], bytes.Repeat([]byte("data"), 1<<18))
	for _, part := range []struct{ at, size int }{{0, 1 << 20}, {5 << 20, 1 << 20}, {20 << 20, 1 << 20}} {
		if _, err := from.WriteAt(want[part.at:part.at+part.size], int64(part.at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := from.Truncate(int64(len(want))); err != nil {
		t.Fatal(err)
	}
	var told []int64
	if err := CopySparse(t.Context(), dir+"/to", from, func(at int64) { told = append(told, at) }); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dir + "/to"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d are copied, or others, %v", len(got), len(want), err)
	}
	if got := DiskUsage(dir + "/to"); got > 4<<20 {
		t.Errorf("the copy takes %d bytes on disk", got)
	}
	if len(told) == 0 || told[len(told)-1] != int64(len(want)) {
		t.Errorf("told is %v", told)
	}

	if err := from.Truncate(3); err != nil {
		t.Fatal(err)
	}
	if err := CopySparse(t.Context(), dir+"/to", from, nil); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(dir + "/to"); err != nil || !bytes.Equal(got, want[:3]) {
		t.Errorf("over a longer file: %d bytes, %v", len(got), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := CopySparse(ctx, dir+"/late", from, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
