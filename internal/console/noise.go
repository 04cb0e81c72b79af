package console

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"
)

// kernelStamp is what printk puts before each line: seconds since the boot, and
// with CONFIG_PRINTK_CALLER the thread or CPU.
const kernelStamp = `\[ {0,4}\d{1,8}\.\d{6}\](\[ *[TC]\d+\])? `

// longestStamp is within how many bytes a noise pattern must have matched.
const longestStamp = 64

type noiseFind uint8

const (
	noNoise noiseFind = iota
	noiseStarts
	noiseMayStart
)

// noise finds where log lines start.
type noise struct {
	stamp *dfa
	first [256]bool // bytes a stamp can start with
	only  int       // the one such byte, or -1
}

// newNoises returns the kernel's noise, and that of daemons, if they have any.
func newNoises(daemons []*regexp.Regexp) ([]*noise, error) {
	var stamps []string
	for _, re := range daemons {
		if !re.MatchString("") { // else all text were noise
			stamps = append(stamps, re.String())
		}
	}
	kernel, err := newNoise(kernelStamp)
	if err != nil || len(stamps) == 0 {
		return []*noise{kernel}, err
	}
	theirs, err := newNoise(stamps...)
	return []*noise{kernel, theirs}, err
}

func newNoise(alternatives ...string) (*noise, error) {
	d, err := newDFA("(?:"+strings.Join(alternatives, ")|(?:")+")", true)
	if err != nil {
		return nil, err
	}
	n := &noise{stamp: d, only: -1}
	count := 0
	for b := range utf8.RuneSelf {
		if !d.step(d.start, rune(b)).dead() {
			n.first[b] = true
			n.only = b
			count++
		}
	}
	if count != 1 {
		n.only = -1
	}
	return n, nil
}

// find returns where the next stamp in b starts, or may start if its end is
// not there yet; and len(b) if there is none.
func (n *noise) find(b []byte) (int, noiseFind) {
	for i := 0; i < len(b); i++ {
		if n.only >= 0 {
			k := bytes.IndexByte(b[i:], byte(n.only))
			if k < 0 {
				break
			}
			i += k
		} else if !n.first[b[i]] {
			continue
		}
		if what := n.at(b[i:]); what != noNoise {
			return i, what
		}
	}
	return len(b), noNoise
}

func (n *noise) at(b []byte) noiseFind {
	s := n.stamp.start
	for i := 0; i < len(b); {
		if i >= longestStamp {
			return noNoise
		}
		r, size := utf8.DecodeRune(b[i:])
		s = n.stamp.step(s, r)
		switch {
		case s.final || s.matched:
			return noiseStarts
		case s.dead():
			return noNoise
		}
		i += size
	}
	return noiseMayStart
}
