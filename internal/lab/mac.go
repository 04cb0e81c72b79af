package lab

import (
	"crypto/sha256"
	"fmt"

	"github.com/labrun/labrun/internal/image"
)

// pickMAC gives a card the address its image's profile fixes, or, where another
// machine of the same image has it already, one made from the machine's name.
func pickMAC(profile image.Profile, machine string, card int, taken map[string]bool) string {
	if card < len(profile.NICs) && !taken[profile.NICs[card].MAC] {
		mac := profile.NICs[card].MAC
		taken[mac] = true
		return mac
	}
	for salt := 0; ; salt++ {
		mac := derivedMAC(machine, card, salt)
		if !taken[mac] {
			taken[mac] = true
			return mac
		}
	}
}

// derivedMAC makes a locally administered address under the lab's prefix.
func derivedMAC(machine string, card, salt int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", machine, card, salt))
	return fmt.Sprintf("52:55:00:%02x:%02x:%02x", sum[0], sum[1], sum[2])
}
