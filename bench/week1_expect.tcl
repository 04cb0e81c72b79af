#!/usr/bin/env expect
# The first week's lab driven by Tcl expect: the same images, boots and commands, in the same order, as
# missions/week1.star and week1_pexpect.py. usage: week1_expect.tcl LABRUN (the binary, asked for the images).
# Prints the times of the three prompts (the router's shell, both servers' login) and of the end.
set timeout 240
log_user 0
match_max 1000000
set shell {[#$] (\x1b\[6n)?$}
set labrun [lindex $argv 0]
set folder [exec mktemp -d]
proc quit {code} { global folder; file delete -force $folder; exit $code }
proc seconds {} { expr {[clock milliseconds] / 1000.0} }

# A field of an image, by the JSON line of `labrun images list`; a number or a string without quotes in it.
foreach line [split [exec $labrun images list --json] \n] {
  regexp {"name":"([^"]*)"} $line _ name
  set images($name) $line
}
proc field {image key} {
  global images
  if {[regexp "\"$key\":\"((?:\[^\"\\\\\]|\\\\.)*)\"" $images($image) _ value]} { return [string map {\\u0026 & \\/ / \\\" \"} $value] }
  if {[regexp "\"$key\":(\[0-9\]+)" $images($image) _ value]} { return $value }
  return ""
}

proc free_port {} {
  set s [socket -server {} -myaddr 127.0.0.1 0]
  set port [lindex [fconfigure $s -sockname] 2]
  close $s
  return $port
}

proc qemu {image nics} {
  global folder
  set overlay $folder/$image.qcow2
  exec qemu-img create -q -f qcow2 -F [field $image disk_format] -b [field $image disk] $overlay
  set initrd [field $image initrd]
  if {$initrd ne ""} { set initrd [list -initrd $initrd] }
  spawn -noecho qemu-system-x86_64 -nodefaults -no-user-config -display none -vga none -machine pc,usb=off \
    -m [field $image memory] -smp [field $image cpus] -accel tcg,thread=multi,tb-size=256 -cpu max \
    -kernel [field $image kernel] -append [field $image cmdline] -serial stdio -device virtio-rng-pci \
    -drive if=virtio,cache=unsafe,format=qcow2,file=$overlay {*}$initrd {*}$nics
  return $spawn_id
}

# await expects a regular expression of a machine and returns what came before and with it.
proc await {vm pattern} {
  set spawn_id $vm
  expect {
    -re $pattern { return $expect_out(buffer) }
    timeout { puts stderr "time-out waiting for $pattern"; quit 5 }
    eof { puts stderr "QEMU ended before $pattern"; quit 4 }
  }
}
proc type {vm line} { send -i $vm -- "$line\r" }
proc echoed {vm line} { # by its text, not as a pattern
  set spawn_id $vm
  expect -ex $line {} timeout { puts stderr "no echo of $line"; quit 5 } eof { quit 4 }
}
proc command {vm line} {
  global shell
  type $vm $line
  echoed $vm $line
  return [await $vm $shell]
}
proc login {vm} {
  global shell
  type $vm root
  await $vm "assword: "
  after 150 ;# BusyBox drops what is typed too soon
  type $vm root
  await $vm $shell
}
proc check {truth what} { if {!$truth} { puts stderr "not as it should be: $what"; quit 1 } }

set start [seconds]
set ports [list [free_port] [free_port]]
lassign $ports first second
set nic virtio-net-pci,romfile=,mac=
set router [qemu router7 [list -netdev user,id=up -device ${nic}52:55:00:d1:55:03,netdev=up \
  -netdev socket,id=a,listen=127.0.0.1:$first -netdev socket,id=b,listen=127.0.0.1:$second \
  -netdev hubport,id=ha,hubid=1,netdev=a -netdev hubport,id=hb,hubid=1,netdev=b \
  -netdev hubport,id=hl,hubid=1 -device ${nic}52:55:00:d1:55:04,netdev=hl]]
await $router "press Enter"
type $router ""
await $router $shell
check [string match *lan0* [command $router "ip a"]] "the router's interfaces"

set debian [qemu debian [list -netdev socket,id=lan,connect=127.0.0.1:$first -device ${nic}52:55:00:aa:00:10,netdev=lan]]
set alpine [qemu alpine [list -netdev socket,id=lan,connect=127.0.0.1:$second -device ${nic}52:55:00:aa:00:11,netdev=lan]]
await $debian "login: "
await $alpine "login: "
set prompts [expr {[seconds] - $start}]
login $debian
login $alpine
foreach vm [list $router $debian $alpine] { command $vm "uname -r" }

while {![regexp {inet (10\.254\.0\.\d+)} [command $debian "ip a"] _ address]} { after 250 }
type $alpine "ssh root@$address"
await $alpine "continue connecting"
type $alpine yes
await $alpine "assword: "
type $alpine root
await $alpine $shell
check [string match *os25* [command $alpine hostname]] "Debian's name"
command $alpine exit
set leases [command $router "cat /perm/dhcp4d/leases.json"]
check [expr {[string match *52:55:00:aa:00:10* $leases] && [string match *52:55:00:aa:00:11* $leases]}] "the leases"

set work {i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done}
foreach vm [list $router $alpine] { command $vm $work }
command $debian {for cpu in $(seq $(nproc)); do timeout 120 sh -c 'while :; do :; done' & echo $!; done >/tmp/busy}
foreach vm [list $router $alpine] { command $vm $work }
command $debian {kill $(cat /tmp/busy); rm /tmp/busy}
set complete [expr {[seconds] - $start}]
foreach vm [list $router $debian $alpine] { exec kill -9 [exp_pid -i $vm] }
puts [format {{"prompts": %.2f, "complete": %.2f}} $prompts $complete]
quit 0
