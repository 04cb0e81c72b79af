package host

// Limits are what this system cannot do that labrun would have it do, for people.
func Limits() []string {
	return []string{
		"system: this is macOS: labrun is tested on Linux alone, and builds here; what follows is what it does in another way",
		"system: no program is told that its parent has ended, so a shell waits for that beside each machine",
		"system: nobody is told whose a connection is, so `labrun serve` lets in who has the link with the key",
		"system: what machines cost is not known, so it is not shown",
	}
}
