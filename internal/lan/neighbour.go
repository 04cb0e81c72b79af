package lan

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ownMAC is the switch's own station, which asks and is answered, as a managed
// switch has one: a locally administered address that spells «labru».
const ownMAC mac = 0x02_6c_61_62_72_75

const (
	// claimsKept bounds what one station can have noted by claiming addresses.
	claimsKept = 8
	// askEvery is the time between two questions to a station that does not answer.
	askEvery = time.Second
	// detection is how long a station may take to begin to look for conflicts after
	// it was lent an address, and between two looks (RFC 5227, PROBE_WAIT and
	// PROBE_MAX; it is given half as much again, because emulated guests are slow).
	detection = 3 * time.Second
)

// A Neighbour is a station as those beside it on a network know it: which IPv4
// addresses it claims by ARP (RFC 826) and which it was lent by DHCP (RFC 2131).
// That needs no help of the station's. Its methods may be called from any goroutine.
type Neighbour struct {
	port    *Port
	station mac

	mu     sync.Mutex    // guards all below
	claims []claim       // the oldest first
	asks   bool          // by DHCP, and nobody has granted it anything since
	anew   bool          // it has sent a DHCP discover since: it has no lease that it could renew
	news   chan struct{} // closed when claims changes
}

// A claim is an address that a station was lent or speaks of as its own.
type claim struct {
	address netip.Addr
	lent    time.Time // when a DHCP server gave it; renewals do not count
	used    time.Time // when the station last spoke of it as its own
	checked time.Time // when the station last asked whether somebody else has it
}

// Neighbour begins to follow the station with the given address, six bytes, behind
// the port. It ends with the port. A station is followed at one port only, the last.
func (p *Port) Neighbour(address net.HardwareAddr) *Neighbour {
	n := &Neighbour{port: p, news: make(chan struct{})}
	var b [8]byte
	copy(b[2:], address)
	n.station = mac(binary.BigEndian.Uint64(b[:]))
	p.network.follow(n)
	return n
}

// Claims returns the addresses that the station has claimed or was lent and that no
// other has taken since, the oldest first.
func (n *Neighbour) Claims() []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	addresses := make([]netip.Addr, len(n.claims))
	for i, c := range n.claims {
		addresses[i] = c.address
	}
	return addresses
}

// Recall notes addresses that were claimed in an earlier life: of a machine that goes
// on from a saved state.
func (n *Neighbour) Recall(addresses []netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range addresses {
		n.claim(a)
	}
}

// News returns a channel that is closed when what is known of the station's addresses
// next changes, or the station next speaks of one.
func (n *Neighbour) News() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.news
}

// Await returns an address that the station has now: it has spoken of it as its own
// since the call, which every station does that is asked by ARP for an address it has.
// Those that it claims are asked for, the oldest first, and then the expected ones.
// Its error is ctx's cause.
//
// The questions are ARP probes (RFC 5227), to the station alone: no host
// notes who asks, and no other hears of it. A station that may be looking for
// conflicts itself is left alone, since it would take the question for one.
func (n *Neighbour) Await(ctx context.Context, expected ...netip.Addr) (netip.Addr, error) {
	since := time.Now()
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		n.mu.Lock()
		for _, c := range n.claims {
			if !c.used.Before(since) {
				n.mu.Unlock()
				return c.address, nil
			}
		}
		news := n.news
		n.mu.Unlock()
		select {
		case <-news:
		case <-again.C:
			again.Reset(n.ask(since, expected))
		case <-ctx.Done():
			return netip.Addr{}, context.Cause(ctx)
		}
	}
}

// ask asks for all addresses that the station may have and has not used since then, and
// returns after what time it is worth to ask again.
func (n *Neighbour) ask(since time.Time, expected []netip.Addr) time.Duration {
	now, again := time.Now(), askEvery
	n.mu.Lock()
	var candidates []netip.Addr
	for _, c := range n.claims {
		if !c.used.Before(since) {
			continue // just now
		}
		began := c.lent
		if c.checked.After(began) {
			began = c.checked
		}
		if left := detection - now.Sub(began); left > 0 && c.used.Before(began) {
			again = min(again, left)
			continue
		}
		candidates = append(candidates, c.address)
	}
	for _, a := range expected {
		if !slices.ContainsFunc(n.claims, func(c claim) bool { return c.address == a }) {
			candidates = append(candidates, a)
		}
	}
	n.mu.Unlock()
	for _, a := range candidates {
		n.port.queue.put(arpProbe(n.station, a), 1)
	}
	return again
}

// Manner says in words how the station looks from outside, for an error: it is
// silent, asks in vain, or does not ask.
func (n *Neighbour) Manner() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch known := len(n.claims); {
	case n.asks:
		return "it asks for one by DHCP, and nobody answers: has the DHCP server on that network booted?"
	case known > 0:
		return fmt.Sprintf("it had %v and does not answer to it now", n.claims[known-1].address)
	case !n.port.network.table.knows(n.station):
		return "nothing has been heard of that card yet: has the machine booted?"
	}
	return "it does not ask for one by DHCP, and has spoken of none as its own"
}

// tell says that something has changed. The caller holds mu.
func (n *Neighbour) tell() {
	close(n.news)
	n.news = make(chan struct{})
}

// claim returns the station's claim to an address, a new one if need be. The caller
// holds mu.
func (n *Neighbour) claim(a netip.Addr) *claim {
	at := slices.IndexFunc(n.claims, func(c claim) bool { return c.address == a })
	if at < 0 {
		if len(n.claims) == claimsKept {
			n.claims = slices.Delete(n.claims, 0, 1)
		}
		n.claims = append(n.claims, claim{address: a})
		at = len(n.claims) - 1
		n.port.network.notify()
	}
	return &n.claims[at]
}

// uses notes that the station speaks of an address as its own.
func (n *Neighbour) uses(a netip.Addr, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.claim(a).used = now
	n.tell()
}

// checks notes that the station has asked whether anybody else has an address, as
// hosts do before they use one.
func (n *Neighbour) checks(a netip.Addr, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.claims {
		if n.claims[i].address == a {
			n.claims[i].checked = now
		}
	}
}

// borrows notes that the station was lent an address. A card has one lease: what it
// was lent before, it has no more.
func (n *Neighbour) borrows(a netip.Addr, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop(func(c claim) bool { return !c.lent.IsZero() && c.address != a })
	if c := n.claim(a); n.anew || c.lent.IsZero() {
		c.lent = now
	}
	n.asks, n.anew = false, false
	n.tell()
}

// wants notes that the station asks for an address by DHCP: for one that it has, or
// for any.
func (n *Neighbour) wants(anew bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asks = true
	n.anew = n.anew || anew
}

// loses notes that the station has given an address back, or that another has it; an
// invalid address stands for the one that it was lent.
func (n *Neighbour) loses(a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.drop(func(c claim) bool { return c.address == a || !a.IsValid() && !c.lent.IsZero() }) {
		n.tell()
	}
}

// drop forgets the claims that are over, and reports whether there were any. The caller
// holds mu.
func (n *Neighbour) drop(over func(claim) bool) bool {
	before := len(n.claims)
	n.claims = slices.DeleteFunc(n.claims, over)
	if len(n.claims) == before {
		return false
	}
	n.port.network.notify()
	return true
}
