package cli

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/spf13/cobra"
)

// seed is what decides the order of challenges: a flag's value. 0: they are in order.
type seed uint64

// largestSeed keeps one that labrun chooses short enough to be typed again.
const largestSeed = 9999

func (s *seed) flag(c *cobra.Command) {
	c.Flags().Var(s, "shuffle",
		"play the challenges of each board in another order: that of this `seed`, a number, or of \"any\"")
}

// String, Set and Type are those of a flag's value.
func (s *seed) String() string { return strconv.FormatUint(uint64(*s), 10) }

func (s *seed) Set(text string) error {
	if text == "any" {
		*s = seed(1 + rand.Uint64N(largestSeed))
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return fmt.Errorf("want a number from 1, or any")
	}
	*s = seed(n)
	return nil
}

func (s *seed) Type() string { return "seed" }
