package lan

import (
	"cmp"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// ageLimit is how long a silent station is remembered: IEEE 802.1D's default.
	ageLimit = 300 * time.Second
	// tableSize bounds the memory a guest can take by inventing addresses.
	tableSize = 4096
	// sweepEvery spares a full table from being searched for every frame that
	// bears a new address, while all ports wait for it.
	sweepEvery = time.Second
)

// An Entry is one address the switch has learned.
type Entry struct {
	MAC  net.HardwareAddr
	Port string
	Age  time.Duration // since a frame came from it
}

// A table knows which port each station is behind.
type table struct {
	mu       sync.RWMutex
	stations map[mac]*station // guarded by mu
	swept    time.Duration    // guarded by mu; when the aged were last forgotten
}

type station struct {
	port *Port // guarded by table.mu
	// seen is a time since the network began. Atomic, because every frame
	// renews it and readers should share the lock.
	seen atomic.Int64
}

// route learns that src is behind from and returns the port dst is behind, or
// nil when that is unknown or dst is a group. now is since the network began.
func (t *table) route(from *Port, dst, src mac, now time.Duration) *Port {
	t.mu.RLock()
	s := t.stations[src]
	known := s != nil && s.port == from
	if known {
		s.seen.Store(int64(now))
	}
	var to *Port
	if d := t.stations[dst]; d != nil && now-time.Duration(d.seen.Load()) < ageLimit {
		to = d.port
	}
	t.mu.RUnlock()
	if !known && !src.group() {
		t.learn(from, src, now)
	}
	return to
}

// learn notes a new station or one that moved. A full table first forgets the
// aged; if it stays full the station remains unknown, and is flooded to.
func (t *table) learn(from *Port, src mac, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stations[src]
	if s == nil {
		if len(t.stations) >= tableSize && now-t.swept >= sweepEvery {
			t.swept = now
			t.forget(func(s *station) bool { return now-time.Duration(s.seen.Load()) >= ageLimit })
		}
		if len(t.stations) >= tableSize {
			return
		}
		s = &station{}
		t.stations[src] = s
	}
	s.port = from
	s.seen.Store(int64(now))
}

// knows reports whether a station has been heard and not been forgotten.
func (t *table) knows(address mac) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.stations[address] != nil
}

// forget removes the stations that match. The caller holds mu.
func (t *table) forget(match func(*station) bool) {
	for address, s := range t.stations {
		if match(s) {
			delete(t.stations, address)
		}
	}
}

// forgetPort removes what is behind a port that lost its peer.
func (t *table) forgetPort(p *Port) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(func(s *station) bool { return s.port == p })
}

// entries lists the stations that have not aged out, by address.
func (t *table) entries(now time.Duration) []Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var list []Entry
	for address, s := range t.stations {
		if age := now - time.Duration(s.seen.Load()); age < ageLimit {
			var b [8]byte
			binary.BigEndian.PutUint64(b[:], uint64(address))
			list = append(list, Entry{MAC: b[2:], Port: s.port.name, Age: max(age, 0)})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Compare(a.MAC.String(), b.MAC.String()) })
	return list
}
