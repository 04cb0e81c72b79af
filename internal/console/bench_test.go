package console

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// benchmarkExpect waits through 64 MB for what never comes.
func benchmarkExpect(b *testing.B, chunk int, cond Condition) {
	const total = 64 << 20
	text := strings.Repeat("drwxr-xr-x  2 root root  4096 Sep  1 23:27 inventory [ok] enp0s3\r\n", 1+chunk/64)[:chunk]
	b.SetBytes(total)
	for b.Loop() {
		c := New(&source{chunk: []byte(text), left: total}, Options{})
		if _, err := c.Expect(context.Background(), cond); !errors.Is(err, ErrClosed) {
			b.Fatal(err)
		}
		c.Close()
	}
}

func BenchmarkExpectText(b *testing.B) { benchmarkExpect(b, 64<<10, Text("absent text")) }

func BenchmarkExpectTextSmallChunks(b *testing.B) { benchmarkExpect(b, 61, Text("absent text")) }

func BenchmarkExpectPattern(b *testing.B) { benchmarkExpect(b, 64<<10, pattern(`inet (\d+\.){3}\d+`)) }

func BenchmarkExpectPatternWithoutPrefix(b *testing.B) {
	benchmarkExpect(b, 64<<10, pattern(`(?m)^[a-z]+[0-9]: .*\bmtu\b`))
}

func BenchmarkExpectPatternSmallChunks(b *testing.B) {
	benchmarkExpect(b, 61, pattern(`(?m)^[a-z]+[0-9]: .*\bmtu\b`))
}
