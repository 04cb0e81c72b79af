package main

import (
	"path/filepath"
	"testing"
)

// TestLibraries makes the moves of lib/ between two real machines, and pulls a cable.
func TestLibraries(t *testing.T) {
	file := filepath.Join(t.TempDir(), "moves.star")
	save(t, file, `load("@labrun//net.star", "give_address", "ping", "reaches", "ssh", "wait_port")

mission(title = "Moves", api = 1)
cable = network("cable")
debian = machine("debian", nics = [cable])
alpine = machine("alpine", nics = [cable])

def moves():
    """Moves"""
    boot(debian, alpine)
    login(alpine)
    give_address(debian, "10.9.0.1/24")
    give_address(alpine, "10.9.0.2/24")
    for m in [debian, alpine]:
        assert_contains(run(m, "ip -6 addr show dev eth0").stdout, "inet6 fe80::")
    assert_true(reaches(alpine, "10.9.0.1") and not reaches(alpine, "10.9.0.77"), "it reaches what is there")
    found = ping(alpine, "10.9.0.1")
    assert_equal(found["sent"], 3)  # on a busy computer an answer may come too late
    assert_true(found["received"] > 0 and found["loss"] == 1.0 - found["received"] / 3.0, "most come back")
    assert_true(found["average"] > 0, "a round trip takes time")
    lost = ping(debian, "10.9.0.77", count = 1)
    assert_equal((lost["received"], lost["loss"], lost["average"]), (0, 1.0, None))
    carrier = "cat /sys/class/net/eth0/carrier"
    unplug(debian)
    assert_equal(run(debian, carrier).stdout, "0\n")
    assert_true(not reaches(alpine, "10.9.0.1"), "a machine without a cable is cut off")
    plug(debian, network = cable)
    assert_equal(run(debian, carrier).stdout, "1\n")
    assert_true(reaches(alpine, "10.9.0.1"), "and is back with it")
    wait_port(debian, 22)
    run(debian, "useradd -m nini; echo nini:green | chpasswd", check = True)
    for _ in range(2):  # the second time the host is known
        ssh(alpine, "10.9.0.1", user = "nini", password = "green")
        send(alpine, "whoami")
        assert_contains(alpine, "nini")
        send(alpine, "exit")
        wait_prompt(alpine)

step(moves)
`)
	for _, way := range [][]string{{file}, {"--cold", file}} {
		l := command(t, way...)
		l.begin(t)
		l.finish(t, 0)
	}
}
