package lab

import (
	"context"
	"time"
)

func (l *Lab) Permit(machines ...*Machine) {}

func (m *Machine) AwaitRunning(ctx context.Context) error {
	for !m.Running() {
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
