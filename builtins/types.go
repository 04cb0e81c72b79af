package builtins

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"
)

// The kinds of values that builtins return and no parameter asks for by itself,
// and those of Starlark that a script may give by mistake.
const (
	Uplink   Kind = "uplink"
	Terminal Kind = "terminal"
	Decimal  Kind = "float"
	Content  Kind = "string or bytes"
	Match    Kind = "match"
	Place    Kind = "place"
	Result   Kind = "result"
	Stats    Kind = "stats"
	Load     Kind = "load"
	Lease    Kind = "lease"
	Leases   Kind = "list of leases"
	Packet   Kind = "packet"
	Packets  Kind = "list of packets"
	List     Kind = "list"
	Dict     Kind = "dict"
	Tuple    Kind = "tuple"
)

// Type describes the values of one kind that a script takes apart.
type Type struct {
	Kind   Kind
	Doc    string
	Fields []Field
}

// Field is a field of such a value.
type Field struct {
	Name string
	Kind Kind
	Doc  string
}

// Types returns every kind of value that has fields of its own.
func Types() []Type {
	return []Type{
		{Machine, "a virtual machine of the mission", []Field{
			{"name", Text, "what it is called"},
			{"image", Text, "what it boots, from images.lock"}}},
		{Seat, "a console of a machine, besides its own", []Field{
			{"name", Text, "what it is called: `debian/niko`"},
			{"machine", Machine, "whose it is"},
			{"user", Text, "who is logged in there from the start"}}},
		{Network, "an Ethernet network of the mission", []Field{
			{"name", Text, "what it is called"}}},
		{Uplink, "a network card's way out of the lab", nil},
		{Terminal, "a shell on the host", nil},
		{Match, "what wait_for or wait_screen has found", []Field{
			{"text", Text, "what matched"},
			{"groups", Texts, "the groups of the regular expression"}}},
		{Place, "where something is on a screen, in pixels", []Field{
			{"x", Integer, "from the left edge to its own left edge"},
			{"y", Integer, "from the upper edge to its own upper edge"},
			{"width", Integer, "its width"},
			{"height", Integer, "its height"}}},
		{Result, "how a command ended", []Field{
			{"status", Integer, "its exit status"},
			{"stdout", Text, "its output"},
			{"stderr", Text, "its error messages"},
			{"seconds", Decimal, "how long it took"}}},
		{Stats, "what a machine costs its host", []Field{
			{"cpus", Integer, "virtual CPUs"},
			{"cpu_seconds", Decimal, "processor time used since boot"},
			{"memory", Integer, "MiB promised"},
			{"resident", Integer, "MiB in use"},
			{"seconds", Decimal, "since boot"},
			{
				"waited", Anything,
				"seconds for which its CPUs were ready to run and no real one was free; None if that is not known",
			}}},
		{Load, "what the computer's CPUs have done since it was started, in seconds", []Field{
			{"cpu_seconds", Decimal, "they worked"},
			{"others", Decimal, "of these for programs that are no part of the lab"},
			{"stolen", Decimal, "wanted, and given to others by the host of this virtual computer"}}},
		{Lease, "an address that a router has lent", []Field{
			{"num", Integer, "its number"},
			{"addr", Text, "the IPv4 address"},
			{"hardware_addr", Text, "of the card that has it"},
			{"hostname", Text, "what the machine calls itself"},
			{"hostname_override", Text, "what the router calls it instead"},
			{"expiry", Text, "when the loan ends"},
			{"last_ack", Text, "when it was last agreed on"}}},
		{Packet, "a packet that has crossed a network", []Field{
			{"time", Decimal, "seconds since the network's first packet"},
			{"protocol", Text, "the innermost one that was understood"},
			{"operation", Text, "what it is for, in the words of its protocol"},
			{"source", Text, "the sender's IP address; of ARP, whose address it is"},
			{"target", Text, "the receiver's IP address; of ARP, the one asked for"},
			{"source_mac", Text, "the sending card"},
			{"target_mac", Text, "the receiving card, or ff:ff:ff:ff:ff:ff for all"},
			{"source_port", Integer, "of TCP and UDP"},
			{"target_port", Integer, "likewise"},
			{"client_mac", Text, "of DHCP: the card that wants an address"},
			{"your_ip", Text, "of DHCP: the address that is offered or given"},
			{"size", Integer, "in bytes"}}},
	}
}

// TypeOf returns the description of a kind; false if its values have no fields of
// their own.
func TypeOf(k Kind) (Type, bool) {
	for _, t := range Types() {
		if t.Kind == k {
			return t, true
		}
	}
	return Type{}, false
}

// Some stands in a call that is only looked at for a value of which nothing is
// known but its kind.
type Some Kind

// Unknown stands for a value of which not even that is known: it fits everywhere.
const Unknown = Some("")

func (s Some) String() string {
	if s == Unknown {
		return "some value"
	}
	return article(string(s)) + " " + string(s)
}
func (s Some) Type() string          { return string(s) }
func (s Some) Freeze()               {}
func (s Some) Truth() starlark.Bool  { return true }
func (s Some) Hash() (uint32, error) { return 0, fmt.Errorf("%s: only its kind is known", s) }

// wider are the kinds of values that a parameter of a kind takes besides its own.
var wider = map[Kind][]Kind{
	Entrance: {Machine, Seat},
	Console:  {Machine, Seat, Terminal},
	Subject:  {Machine, Seat, Terminal, Text, Content},
	Text:     {Content},
	Pattern:  {Text, Content},
	Duration: {Integer, Decimal, Text, Content},
	Solution: {Text, Function, Content},
	Machines: {List, Tuple},
	Texts:    {List, Tuple},
	Answers:  {Texts, List, Tuple},
	Cards:    {List, Tuple},
	Files:    {Dict},
	Values:   {Texts, List, Tuple},
}

// mismatch is misfit for a value of which only the kind is known.
func (k Kind) mismatch(s Some) string {
	given := Kind(s)
	fits := s == Unknown || k == given || k == Anything || k == Condition || given == Anything
	for _, other := range wider[k] {
		fits = fits || other == given
	}
	if fits {
		return ""
	}
	return k.unfit(s.String(), given)
}

// Takes reports whether a parameter of kind k takes values of a kind.
func (k Kind) Takes(given Kind) bool { return k.mismatch(Some(given)) == "" }

// HasConsole reports whether values of kind k may have a console.
func (k Kind) HasConsole() bool {
	return k == Machine || k == Seat || k == Entrance || k == Console || k == Subject
}

// holds reports whether a list of kind k may have an item of which only the kind
// is known.
func (k Kind) holds(s Some) bool {
	switch k {
	case Machines:
		return Machine.mismatch(s) == ""
	case Texts:
		return Text.mismatch(s) == ""
	case Answers:
		return Solution.mismatch(s) == "" || Tuple.mismatch(s) == ""
	}
	return Network.mismatch(s) == "" || Uplink.mismatch(s) == ""
}

// CheckCall returns what is wrong with a call, as far as that can be told without
// running it: arguments that are not constants are of type Some. Open says that
// there may be more of them, from *args or **kwargs.
func CheckCall(e Entry, positional starlark.Tuple, keywords []starlark.Tuple, open bool) []*ArgumentError {
	args, all := match(&e, positional, keywords)
	var wrong []*ArgumentError
	for _, w := range all {
		if !open || !w.Missing {
			wrong = append(wrong, w)
		}
	}
	if len(wrong) > 0 || open || e.verify == nil {
		return wrong
	}
	if err := verifyUnseen(&call{entry: &e, args: args, unseen: true}); err != nil {
		return []*ArgumentError{{Argument: -1, text: err.Error()}}
	}
	return nil
}

var errUnseen = errors.New("an argument is not known")

// verifyUnseen verifies a call that is only looked at: what is not known may be right.
func verifyUnseen(c *call) (err error) {
	defer func() {
		if p := recover(); p == errUnseen {
			err = nil
		} else if p != nil {
			panic(p)
		}
	}()
	return c.entry.verify(c)
}

// constant reports whether nothing of a value is unknown.
func constant(v starlark.Value) bool {
	if _, ok := v.(Some); ok {
		return false
	}
	items, _ := elements(v)
	for _, item := range items {
		if !constant(item) {
			return false
		}
	}
	return true
}
