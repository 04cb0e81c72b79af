package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/disk"
	"github.com/labrun/labrun/internal/image"
)

func TestAskHardware(t *testing.T) {
	floppy := disk.Image{Medium: disk.Floppy, BIOS: true}
	hard := disk.Image{Medium: disk.Hard, BIOS: true}
	for _, c := range []struct {
		found disk.Image
		said  string // a flag
		typed string
		want  image.Hardware
		shown string
	}{
		{hard, "", "\n\n\n\n\n", image.Hardware{}, "How many MiB of memory? [256] "},
		{hard, "", "64\nq35\ne1000\nsata\nno\n", image.Hardware{Memory: 64, Board: "q35", NICModel: "e1000", DiskBus: "sata", NoACPI: true}, ""},
		{hard, "memory", "\n\n\n\n", image.Hardware{}, "Which board"},
		{floppy, "", "4\nlots\n16\nisapc\n\n", image.Hardware{Memory: 16, Board: "isapc"}, "memory is 4 MiB; it must be from 16"},
		{hard, "", "\namiga\n\n\n\n\n", image.Hardware{}, `"amiga" is no answer to that`},
		{hard, "", "", image.Hardware{}, ""}, // the terminal is gone
	} {
		var out bytes.Buffer
		got, err := askHardware(
			t.Context(), strings.NewReader(c.typed), &out, func(flag string) bool { return flag == c.said }, c.found, image.Guess(c.found),
		)
		if err != nil || got != c.want || !strings.Contains(out.String(), c.shown) {
			t.Errorf("%q: %+v, %v, shown %s", c.typed, got, err, &out)
		}
		if c.said != "" && strings.Contains(out.String(), "MiB of memory") || c.found == floppy && strings.Contains(out.String(), "Which disk") {
			t.Errorf("asked in vain: %s", &out)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	cancel(stop)
	silent, w := io.Pipe()
	defer w.Close()
	if _, err := askHardware(ctx, silent, io.Discard, func(string) bool { return false }, hard, image.Guess(hard)); !errors.Is(err, stop) {
		t.Errorf("interrupted: %v", err)
	}
}
