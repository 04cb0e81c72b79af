package main

import (
	"encoding/json"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// dnsd resolves the names of those who have a lease, with and without «.lan», and asks others about the rest. Whether
// they can be reached it says every ten seconds, on the console, for ever.
func dnsd() error {
	go func() {
		for range time.Tick(10 * time.Second) {
			log.Printf("probe results: [%s]", probe())
		}
	}()
	return dns.ListenAndServe(":53", "udp", dns.HandlerFunc(resolve))
}

// upstream is whom the uplink's lease names, else a resolver of the world's.
func upstream() string {
	var lease uplinkConfig
	if data, err := os.ReadFile(uplinkLease); err == nil && json.Unmarshal(data, &lease) == nil && len(lease.DNS) > 0 {
		return net.JoinHostPort(lease.DNS[0], "53")
	}
	return "8.8.8.8:53"
}

func probe() string {
	question := new(dns.Msg)
	question.SetQuestion("google.ch.", dns.TypeA)
	start := time.Now()
	rtt := time.Duration(1<<63 - 1) // what router7 prints of one that does not answer
	if _, _, err := new(dns.Client).Exchange(question, upstream()); err == nil {
		rtt = time.Since(start)
	}
	return "{upstream: " + upstream() + ", rtt: " + rtt.String() + "}"
}

func resolve(w dns.ResponseWriter, question *dns.Msg) {
	if len(question.Question) != 1 {
		return
	}
	q := question.Question[0]
	name, internal := strings.CutSuffix(strings.TrimSuffix(strings.ToLower(q.Name), "."), ".lan")
	reply := new(dns.Msg)
	reply.SetReply(question)
	addr, known := hosts()[name]
	switch {
	case known && q.Qtype == dns.TypeA:
		if record, err := dns.NewRR(q.Name + " 3600 IN A " + addr); err == nil {
			reply.Answer = append(reply.Answer, record)
		}
	case known: // that there is nothing else
	case internal || strings.HasSuffix(name, ".in-addr.arpa"):
		reply.SetRcode(question, dns.RcodeNameError)
	default:
		got, _, err := new(dns.Client).Exchange(question, upstream())
		if err != nil {
			log.Printf("resolving %v failed: %v", question.Question, err)
			return
		}
		reply = got
	}
	w.WriteMsg(reply)
}

// hosts are the names and addresses of today. A machine that calls itself localhost is one of them.
func hosts() map[string]string {
	named := map[string]string{}
	var leases []lease
	if data, err := os.ReadFile(leasesFile); err == nil && json.Unmarshal(data, &leases) == nil {
		for _, l := range leases {
			if l.Hostname != "" && time.Now().Before(l.Expiry) {
				named[strings.ToLower(l.Hostname)] = l.Addr.String()
			}
		}
	}
	named["router7"] = "10.254.0.1"
	return named
}
