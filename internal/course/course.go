// Package course owns who plays, and what is drawn for them: a course has a key, a student
// an ID, and of both, with the name of a mission, come the numbers, names and secrets in
// which one student's mission differs from another's. The same go in, the same comes out:
// nothing is kept, and whoever has the key can draw for anyone.
package course

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"regexp"
)

// ID names a student within a course. It is part of file names and addresses, so ParseID
// is strict. The empty one is nobody: who plays has not said a name.
type ID string

var id = regexp.MustCompile(`^[A-Za-z0-9_@+][A-Za-z0-9._@+-]{0,63}$`)

// ParseID returns the ID that a text is.
func ParseID(text string) (ID, error) {
	if !id.MatchString(text) {
		return "", fmt.Errorf(
			"%q is no student's ID: want 1 to 64 letters, digits and . _ - @ +, and neither . nor - first", text,
		)
	}
	return ID(text), nil
}

// Key is what only a course knows. The empty one is none: then a student's draws are the
// same in every course without a key, and anybody can work them out.
type Key []byte

// The bounds of a key, in bytes.
const shortestKey, longestKey = 16, 4 << 10

// ReadKey reads a course's key, which is all that is in a file but for the end of its last
// line: an editor adds one.
func ReadKey(file string) (Key, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the course's key: %w", err)
	}
	defer f.Close()
	key, err := io.ReadAll(io.LimitReader(f, longestKey+1))
	key = bytes.TrimRight(key, "\r\n")
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the course's key: %w", err)
	case len(key) < shortestKey || len(key) > longestKey:
		return nil, fmt.Errorf(
			"read the course's key: %s has %s: want from %d to %d, such as `openssl rand -hex 32` prints",
			file, size(len(key)), shortestKey, longestKey,
		)
	}
	return key, nil
}

func size(n int) string {
	if n > longestKey {
		return fmt.Sprintf("more than %d bytes", longestKey)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Fingerprint tells keys apart, and nothing of the key: 16 hexadecimal digits, empty for
// none.
func (k Key) Fingerprint() string {
	if len(k) == 0 {
		return ""
	}
	return fmt.Sprintf("%x", k.stream("fingerprint").block[:8])
}

// Student is who plays a mission. The zero one is nobody in particular, who is drawn for,
// too.
type Student struct {
	ID  ID
	Key Key

	// Imagined says that they do not play themselves: an author plays as they would, and
	// what comes of it is nobody's progress.
	Imagined bool
}

// Playing is whose progress it is that comes of their playing; empty: nobody's.
func (s Student) Playing() ID {
	if s.Imagined {
		return ""
	}
	return s.ID
}

// Draw draws a number from 0 to n-1, for one name of a mission; n is above 0. Of each n it
// is another draw. All numbers are equally likely.
func (s Student) Draw(mission, name string, n int) int {
	values := s.stream("draw", mission, name)
	most := ^uint64(0) - ^uint64(0)%uint64(n) // a multiple of n: what is not below it would favour small numbers
	for {
		if v := values.uint64(); v < most {
			return int(v % uint64(n))
		}
	}
}

// characters are those of secrets: none that is taken for another one when it is read or
// copied by hand.
const characters = "abcdefghjkmnpqrstuvwxyz23456789"

// secretLength is in characters. It gives about 99 bits.
const secretLength = 20

// Secret draws a text of 20 small letters and digits, for one name of a mission.
func (s Student) Secret(mission, name string) string {
	values, text := s.stream("secret", mission, name), make([]byte, 0, secretLength)
	for len(text) < secretLength {
		if v := int(values.byte()); v < 256-256%len(characters) {
			text = append(text, characters[v%len(characters)])
		}
	}
	return string(text)
}

func (s Student) stream(purpose, mission, name string) *stream {
	return s.Key.stream(purpose, mission, string(s.ID), name)
}

// stream returns bytes as from HMAC-SHA256 in counter mode. What it is of goes in with its
// lengths, so that no two lists of words are the same bytes.
func (k Key) stream(words ...string) *stream {
	of := []byte("labrun 1")
	for _, word := range words {
		of = binary.BigEndian.AppendUint32(of, uint32(len(word)))
		of = append(of, word...)
	}
	s := &stream{key: k, of: of}
	s.next()
	return s
}

// stream is an endless row of bytes that nobody without the key can tell from chance.
type stream struct {
	key   Key
	of    []byte
	count uint32 // blocks so far
	block [sha256.Size]byte
	read  int // of the block
}

func (s *stream) next() {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(s.of)
	mac.Write(binary.BigEndian.AppendUint32(nil, s.count))
	mac.Sum(s.block[:0])
	s.count++
	s.read = 0
}

func (s *stream) byte() byte {
	if s.read == len(s.block) {
		s.next()
	}
	s.read++
	return s.block[s.read-1]
}

func (s *stream) uint64() (v uint64) {
	for range 8 {
		v = v<<8 | uint64(s.byte())
	}
	return v
}
