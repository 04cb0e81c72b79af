package lab

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/labtest"
)

// TestOtherProcessors boots Debian's kernels on an ARM and a RISC-V processor beside a PC:
// they are logged in to, get their addresses of the router, and reach each other; the ARM goes on
// from a checkpoint, all without a disk.
func TestOtherProcessors(t *testing.T) {
	needsMachines(t)
	labtest.Parallel(t)
	ctx := context5(t)
	l := newLab(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}},
		{Name: "arm", Image: "mini-arm64", NICs: []NICConfig{{Network: "lan"}}, Hostname: "elbow"},
		{Name: "risc", Image: "mini-riscv64", NICs: []NICConfig{{Network: "lan"}}},
	}})
	if err := l.Boot(ctx, l.Machines()...); err != nil {
		t.Fatal(err)
	}
	arm, risc := l.Machine("arm"), l.Machine("risc")
	for m, processor := range map[*Machine]string{arm: "aarch64", risc: "riscv64"} {
		if err := m.Own().Login(ctx, "", ""); err != nil {
			t.Fatal(err)
		}
		if got := typeAt(t, ctx, m, "uname -m"); got != processor {
			t.Errorf("%s has the processor %q", m.Name(), got)
		}
	}
	address, err := risc.Address(ctx, "lan")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"10.254.0.1", address.String()} {
		if got := typeAt(t, ctx, arm, "ping -c 2 -W 30 "+to); !strings.Contains(got, " 0% packet loss") {
			t.Errorf("the ARM does not reach %s: %s", to, got)
		}
	}
	if got := typeAt(t, ctx, arm, "hostname"); got != "elbow" {
		t.Errorf("the ARM is called %q", got)
	}

	// The RISC-V's timer is not part of a saved state, so that is refused while it is on.
	dir := filepath.Join(t.TempDir(), "one")
	if err := l.Checkpoint(ctx, dir); err == nil || !strings.Contains(err.Error(), "does not go on") {
		t.Errorf("a checkpoint with the RISC-V: %v", err)
	}
	if err := risc.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	typeAt(t, ctx, arm, "here=then")
	if err := l.Checkpoint(ctx, dir); err != nil {
		t.Fatal(err)
	}
	typeAt(t, ctx, arm, "here=now")
	if err := l.Restore(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if got := typeAt(t, ctx, arm, "echo $here"); got != "then" {
		t.Errorf("the ARM did not go on from where it was: %q", got)
	}
	if r, err := arm.Run(ctx, "ping -c 1 -W 30 10.254.0.1", patience); err != nil || r.Status != 0 {
		t.Errorf("after a checkpoint the ARM does not reach the router: %+v, %v", r, err)
	}
	if err := arm.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
