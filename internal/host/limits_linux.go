package host

// Limits are what this system cannot do that labrun would have it do, for people.
func Limits() []string { return nil }
