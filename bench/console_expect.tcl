#!/usr/bin/env expect
# Reads a source through Tcl expect. usage: console_expect.tcl SOURCE CHUNK TOTAL PATTERN
# Prints what it took as JSON. Its buffer is as large as it comes: 2000 bytes, what is older is forgotten.
log_user 0
set timeout -1
lassign $argv source chunk total pattern
proc cpu {} { # of this process, in seconds: clock ticks are 1/100 s on Linux
  set f [open /proc/self/stat]
  set fields [split [lindex [split [read $f] ")"] end]]
  close $f
  expr {([lindex $fields 12] + [lindex $fields 13]) / 100.0}
}
set start [clock microseconds]
set before [cpu]
spawn -noecho $source source $chunk $total
expect {
  -re $pattern { set matched true }
  eof { set matched false }
}
puts [format {{"seconds": %.6f, "cpu": %.2f, "matched": %s}} [expr {([clock microseconds] - $start) / 1e6}] [expr {[cpu] - $before}] $matched]
