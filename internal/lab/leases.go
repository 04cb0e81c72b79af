package lab

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/guestos"
	"github.com/labrun/labrun/internal/host"
)

// A router without a control channel is asked for its leases once, and again when the
// switch has heard of a lease and the router had the time to write it down; or, since
// it may lend addresses on a network that is not of the lab, ever more seldom.
const (
	leasesFirst   = 4 * time.Second
	leasesEvery   = time.Minute
	leasesWritten = 500 * time.Millisecond
)

// Leases returns the DHCP leases that the router has given, once all of the
// machines in want have one; it waits for that until ctx ends. A router without a
// lease file has given none.
func (m *Machine) Leases(ctx context.Context, want []*Machine) ([]guestos.Lease, error) {
	if m.profile.Leases == "" {
		return nil, fmt.Errorf("leases of %s: its image %s is no router: its profile names no lease file",
			m.Name(), m.config.Image)
	}
	g, err := m.current()
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		granted := addressNews(want)
		leases, err := m.leases(ctx)
		if err != nil {
			return nil, err
		}
		missing := withoutLease(leases, want)
		if len(missing) == 0 {
			return leases, nil
		}
		if g.control != nil {
			err = pause(ctx, try)
		} else if err = await(ctx, granted, min(leasesFirst<<min(try, 8), leasesEvery)); err == nil {
			err = host.Sleep(ctx, leasesWritten)
		}
		if err != nil {
			return leases, fmt.Errorf("leases of %s: %s: no lease: %w", m.Name(), strings.Join(missing, ", "), err)
		}
	}
}

// addressNews returns channels of which one is closed when the switch next hears of an
// address of one of the machines: it may be a lease.
func addressNews(machines []*Machine) (news []<-chan struct{}) {
	for _, m := range machines {
		g, err := m.current()
		if err != nil {
			continue // it is not on yet
		}
		for _, known := range g.neighbours {
			if known != nil {
				news = append(news, known.News())
			}
		}
	}
	return news
}

// await waits until a channel is closed or the limit is over; it returns ctx's cause if
// that ends first.
func await(ctx context.Context, news []<-chan struct{}, limit time.Duration) error {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, limit)
	var waiting sync.WaitGroup
	for _, n := range news {
		waiting.Go(func() {
			select {
			case <-n:
				cancel()
			case <-ctx.Done():
			}
		})
	}
	<-ctx.Done()
	cancel()
	waiting.Wait()
	return context.Cause(whole)
}

func (m *Machine) leases(ctx context.Context) ([]guestos.Lease, error) {
	result, err := m.ask(ctx, guestos.AskLeases(m.profile.Leases))
	if err != nil {
		return nil, err
	}
	if result.Status != 0 {
		return nil, fmt.Errorf("leases of %s: %s: its guest says: %s", m.Name(), m.profile.Leases, complaint(result))
	}
	leases, err := guestos.ParseLeases(result.Stdout)
	if err != nil {
		return nil, fmt.Errorf("leases of %s: %s: %w", m.Name(), m.profile.Leases, err)
	}
	return leases, nil
}

// withoutLease returns the names of the machines none of whose cards has a lease.
func withoutLease(leases []guestos.Lease, want []*Machine) []string {
	var missing []string
	for _, m := range want {
		found := false
		for _, mac := range m.macs {
			for _, lease := range leases {
				found = found || strings.EqualFold(lease.HardwareAddr, mac)
			}
		}
		if !found {
			missing = append(missing, m.Name())
		}
	}
	return missing
}
