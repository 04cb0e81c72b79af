#!/usr/bin/env python3
"""The first week's lab driven by pexpect: the peer that labrun is measured against.

The same images, boots and commands as missions/week1.star, in the same order: the router
first, then both servers side by side, each QEMU on a pty; with «sequential» one server
after the other, as shell scripts do. usage: week1_pexpect.py LABRUN [sequential]
(the binary, asked for the images). Prints the times of
the three prompts (the router's shell, both servers' login) and of the end.
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import pexpect

labrun = sys.argv[1]
sequential = sys.argv[2:] == ["sequential"]
images = {}
for line in subprocess.run([labrun, "images", "list", "--json"], check=True, capture_output=True, text=True).stdout.splitlines():
    image = json.loads(line)
    images[image["name"]] = image
folder = tempfile.TemporaryDirectory()
TIMEOUT = 240
SHELL = r"[#$] (\x1b\[6n)?$"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def qemu(name, nics):
    image = images[name]
    overlay = os.path.join(folder.name, name + ".qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", image["disk_format"], "-b", image["disk"], overlay], check=True)
    args = ["-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-machine", "pc,usb=off",
            "-m", str(image["memory"]), "-smp", str(image["cpus"]), "-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max",
            "-kernel", image["kernel"], "-append", image["cmdline"], "-serial", "stdio", "-device", "virtio-rng-pci",
            "-drive", f"if=virtio,cache=unsafe,format=qcow2,file={overlay}", *nics]
    if image.get("initrd"):
        args += ["-initrd", image["initrd"]]
    return pexpect.spawn("qemu-system-x86_64", args, timeout=TIMEOUT, encoding="utf-8", codec_errors="replace", dimensions=(24, 200))


def command(vm, line):
    """Types a line and returns what is printed until the prompt is back."""
    vm.sendline(line)
    vm.expect_exact(line)
    vm.expect(SHELL)
    return vm.before


def login(vm):
    vm.sendline("root")
    vm.expect("assword: ")
    time.sleep(0.15)  # BusyBox drops what is typed too soon
    vm.sendline("root")
    vm.expect(SHELL)


def shell_seconds(vm, work):
    start = time.monotonic()
    command(vm, work)
    return time.monotonic() - start


start = time.monotonic()
ports = [free_port(), free_port()]
nic = "virtio-net-pci,romfile=,mac="
router = qemu("router7", [
    "-netdev", "user,id=up", "-device", nic + "52:55:00:d1:55:03,netdev=up",
    "-netdev", f"socket,id=a,listen=127.0.0.1:{ports[0]}", "-netdev", f"socket,id=b,listen=127.0.0.1:{ports[1]}",
    "-netdev", "hubport,id=ha,hubid=1,netdev=a", "-netdev", "hubport,id=hb,hubid=1,netdev=b",
    "-netdev", "hubport,id=hl,hubid=1", "-device", nic + "52:55:00:d1:55:04,netdev=hl"])
router.expect("press Enter")
router.sendline("")
router.expect(SHELL)
assert "lan0" in command(router, "ip a")

debian = qemu("debian", ["-netdev", f"socket,id=lan,connect=127.0.0.1:{ports[0]}", "-device", nic + "52:55:00:aa:00:10,netdev=lan"])
if sequential:
    debian.expect("login: ")
alpine = qemu("alpine", ["-netdev", f"socket,id=lan,connect=127.0.0.1:{ports[1]}", "-device", nic + "52:55:00:aa:00:11,netdev=lan"])
if not sequential:
    debian.expect("login: ")
alpine.expect("login: ")
prompts = time.monotonic() - start
login(debian)
login(alpine)
for vm in router, debian, alpine:
    command(vm, "uname -r")

while True:
    found = re.search(r"inet (10\.254\.0\.\d+)", command(debian, "ip a"))
    if found:
        break
    time.sleep(0.25)
alpine.sendline("ssh root@" + found[1])
alpine.expect("continue connecting")
alpine.sendline("yes")
alpine.expect("assword: ")
alpine.sendline("root")
alpine.expect(SHELL)
assert "os25" in command(alpine, "hostname")
command(alpine, "exit")
leases = command(router, "cat /perm/dhcp4d/leases.json")
assert "52:55:00:aa:00:10" in leases and "52:55:00:aa:00:11" in leases, leases

work = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done"
calm = [shell_seconds(vm, work) for vm in (router, alpine)]
command(debian, "for cpu in $(seq $(nproc)); do timeout 120 sh -c 'while :; do :; done' & echo $!; done >/tmp/busy")
busy = [shell_seconds(vm, work) for vm in (router, alpine)]
command(debian, "kill $(cat /tmp/busy); rm /tmp/busy")
for vm in router, debian, alpine:
    vm.close(force=True)
print(json.dumps({"prompts": round(prompts, 2), "complete": round(time.monotonic() - start, 2)}))
