package guestos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ParseAddress reads what Commands.AskAddress has printed: the first address, or an
// invalid one if there is none.
func ParseAddress(printed string) (netip.Addr, error) {
	words := strings.Fields(printed)
	for i, word := range words[:max(len(words)-1, 0)] {
		if word == "inet" {
			text, _, _ := strings.Cut(words[i+1], "/")
			return netip.ParseAddr(strings.TrimPrefix(text, "addr:")) // as BusyBox's ifconfig says
		}
	}
	return netip.Addr{}, nil
}

// Lease is an entry of a router's DHCP lease table, in router7's terms.
type Lease struct {
	Num              int       `json:"num"` // place in the address pool
	Addr             string    `json:"addr"`
	HardwareAddr     string    `json:"hardware_addr"`
	Hostname         string    `json:"hostname"`
	HostnameOverride string    `json:"hostname_override"`
	Expiry           time.Time `json:"expiry"`
	LastAck          time.Time `json:"last_ack"`
}

// AskLeases asks a router for the leases in a file; ParseLeases reads the answer.
func AskLeases(file string) string { return fmt.Sprintf("[ ! -e %[1]s ] || cat %[1]s 2>&1", file) }

// InALine has a control shell itself run a command that prints words, and print its status and those words in
// a line, with a space between them; ParseLine takes them apart.
func InALine(command string) string {
	return fmt.Sprintf(`labrun_a=$(%s); labrun_a="$? $labrun_a"; set -f; printf '%%s ' $labrun_a; set +f`, command)
}

// ParseLine reads what InALine has printed.
func ParseLine(line string) (status int, words string, err error) {
	first, words, _ := strings.Cut(strings.TrimSpace(line), " ")
	status, err = strconv.Atoi(first)
	return status, words, err
}

// ParseLeases reads what AskLeases has printed. A router without the file has given no
// lease yet.
func ParseLeases(printed string) ([]Lease, error) {
	data := bytes.TrimSpace([]byte(printed))
	if len(data) == 0 {
		return nil, nil
	}
	var leases []Lease
	err := json.Unmarshal(data, &leases)
	return leases, err
}
