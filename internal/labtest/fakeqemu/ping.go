//go:build linux

package fakeqemu

import (
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// ping is a guest's ping, since not every computer has one: ping [-c COUNT] [-W SECONDS] ADDRESS, as BusyBox prints it.
func ping(args []string) int {
	flags := flag.NewFlagSet(pingName, flag.ExitOnError)
	count := flags.Int("c", 3, "")
	limit := flags.Float64("W", 10, "")
	flags.Bool("q", false, "")
	_ = flags.Parse(args)
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "ping:", err)
		return 1
	}
	address, err := net.ResolveIPAddr("ip4", flags.Arg(0))
	if err != nil {
		return fail(err)
	}
	conn, err := icmp.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	fmt.Printf("PING %s (%s): 56 data bytes\n", flags.Arg(0), address)
	received := 0
	for seq := range *count {
		echo := icmp.Message{
			Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: seq, Data: make([]byte, 56)},
		}
		message, err := echo.Marshal(nil)
		if err != nil {
			return fail(err)
		}
		began := time.Now()
		if _, err := conn.WriteTo(message, address); err != nil {
			return fail(err)
		}
		if answered(conn, os.Getpid()&0xffff, seq, time.Duration(*limit*float64(time.Second))) {
			received++
			fmt.Printf("64 bytes from %s: seq=%d ttl=64 time=%.3f ms\n", address, seq, time.Since(began).Seconds()*1000)
		}
	}
	fmt.Printf("\n--- %s ping statistics ---\n%d packets transmitted, %d packets received, %d%% packet loss\n",
		flags.Arg(0), *count, received, 100*(*count-received)/max(*count, 1))
	if received == 0 {
		return 1
	}
	return 0
}

// answered waits for the answer to an echo request.
func answered(conn *icmp.PacketConn, id, seq int, limit time.Duration) bool {
	if conn.SetReadDeadline(time.Now().Add(limit)) != nil {
		return false
	}
	for buffer := make([]byte, 2048); ; {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return false
		}
		message, err := icmp.ParseMessage(1, buffer[:n])
		if err != nil || message.Type != ipv4.ICMPTypeEchoReply {
			continue
		}
		if echo, ok := message.Body.(*icmp.Echo); ok && echo.ID == id && echo.Seq == seq {
			return true
		}
	}
}
