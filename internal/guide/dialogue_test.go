package guide

import (
	"sync"
	"testing"
)

// challenges is a mission of nothing but a board.
type challenges struct{ bilingual }

func (*challenges) GuideSteps() []Step {
	return []Step{{Name: "one", Title: "One", Challenge: true}, {Name: "two", Title: "Two", Challenge: true}}
}

// Views look at the dialogue from the moment they meet the student, which is before it begins.
func TestLookedAtAsItBegins(t *testing.T) {
	c := newClass(t, &challenges{})
	c.options.Progress.Board = &Board{Entered: []Record{{Step: "two", State: Done}, {Step: "gone", State: Begun}}}
	looked, over := make(chan struct{}), make(chan struct{})
	var onlooker sync.WaitGroup
	onlooker.Go(func() {
		for first := true; ; first = false {
			c.Snapshot()
			if first {
				close(looked)
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	<-looked
	c.Begin(false)
	close(over)
	onlooker.Wait()
	if got := c.Snapshot().Steps; len(got) != 2 || got[1].State != Done {
		t.Errorf("%+v", got)
	}
}
