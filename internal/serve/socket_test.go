package serve

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// A browser is pinged again and again, and sent away only when it has answered nothing for
// very long.
func TestPings(t *testing.T) {
	x := newSite(t)
	x.pace.pong = 2 * time.Second // who answers may be slow on a busy computer
	l := x.runs("lab")
	l.on()
	b := x.student()
	answers := readSocket(b.opens("api/sessions/lab/guide"))
	conn, err := net.Dial("tcp4", strings.TrimPrefix(x.at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /api/sessions/lab/consoles/debian HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	page, _ := url.Parse(b.base)
	for _, c := range b.Jar.Cookies(page) {
		fmt.Fprintf(conn, "Cookie: %s\r\n", c)
	}
	io.WriteString(conn, "\r\n")
	pings := 0
	for in := bufio.NewReader(conn); ; {
		c, err := in.ReadByte()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Log(err) // it was reset
			}
			break
		}
		if c == 0x89 { // a whole message that is a ping
			pings++
		}
	}
	if pings < 2 {
		t.Errorf("it was pinged %d times", pings)
	}
	l.events.Emit(event.Notice{Text: "still here"})
	answers.until(t, "notice")
}
