package control

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/labrun/labrun/internal/guestos"
)

// userland is what labrun uses of a guest.
type userland struct {
	shell  string // a program that runs commands with -c
	limit  string // a program with its options that ends another one after the seconds that follow
	folder string // where files may be put for a moment
	box    string // a BusyBox for what labrun runs for itself, where there is one; empty: nowhere
}

// ours is the userland of our own images. BusyBox's timeout would end a program, and leave those
// that this one has started.
var ours = userland{shell: "sh", limit: "timeout -k 2", folder: "/run/labrun", box: guestos.Box}

// set is the line that has the functions use it.
func (u userland) set() string {
	return fmt.Sprintf("labrun_sh=%s labrun_limit=%s labrun_dir=%s labrun_box=%s; [ -x \"$labrun_box\" ] || labrun_box=",
		quote(u.shell), quote(u.limit), quote(u.folder), quote(u.box))
}

// functions is what the guest's shell is taught, in what POSIX, BusyBox and GNU
// tools have in common. Each program that runs costs an emulated guest tens of
// milliseconds, so there are few.
//
//	labrun_run ID SECONDS COMMAND  run it; answer status, times and output. What the shell
//	                               itself says of a program that was ended is dropped
//	labrun_get ID FILE             answer a file
//	labrun_put FILE BASE64         append to a file; answer its size
//	labrun_send SIZE FILE          the body of an answer
//	labrun_sum FILE…               a digest a line, or what stands for none
var functions = []string{
	`labrun_send() { [ $1 = 0 ] || [ $1 -gt ` + strconv.Itoa(MaxFile) + ` ] || $labrun_box base64 "$2"; }`,
	`labrun_run() { f=$labrun_dir/$1; read -r a _ </proc/uptime; { (cd; exec $labrun_limit $2 $labrun_sh -c "$3" >$f.out 2>$f.err </dev/null); } 2>/dev/null; s=$?; ` +
		`read -r b _ </proc/uptime; if [ -e $f.out ] && [ -e $f.err ] && ! [ -s $f.out ] && ! [ -s $f.err ]; then set -- $1 0 - 0 - 0 - - - -; ` + // most commands of a check print nothing
		`else set -- $1 $($labrun_box wc -c $f.out $f.err) $(labrun_sum $f.out $f.err); fi; ` +
		`printf '%s%s %s %s %s %s %s %s %s\n' @labrun-run- $1 $s $a $b $8 $2 ${10} $4; ` +
		`labrun_send $2 $f.out; echo .; labrun_send $4 $f.err; printf '%s%s\n' @labrun-end- $1; }`,
	`labrun_get() { if c=$({ $labrun_box wc -c <"$2" && labrun_sum "$2"; } 2>&1); then set -- $1 "$2" $c; printf '%s%s %s %s\n' @labrun-get- $1 $4 $3; ` +
		`labrun_send $3 "$2"; else printf '%s%s %s\n' @labrun-no- $1 "$c"; fi; printf '%s%s\n' @labrun-end- $1; }`,
	`labrun_put() { printf %s "$2" | $labrun_box base64 -d >>"$1"; printf '%s%s\n' @labrun-put- "$($labrun_box wc -c <"$1")"; }`,
}

// A port of our own carries what was written to it, so lengths do; on a shared
// console other things get in between. sha256sum is the slowest of these
// programs where it loads a library of cryptography, as in Debian.
const (
	noSum   = `labrun_sum() { for f; do echo - -; done; }`
	fullSum = `labrun_sum() { for f; do sha256sum <"$f"; done; }`
)

// lessons is what a shell on a port of our own is taught.
func lessons(u userland) []string {
	return append([]string{u.set(), noSum, `mkdir -p $labrun_dir; chmod 700 $labrun_dir`}, functions...)
}

// Lessons returns what the guest's shell is taught.
func Lessons() string { return strings.Join(lessons(ours), "\n") }

// What a shell at a foreign guest's console is taught besides. It is a subshell of the
// student's, so that nothing of it stays.
//
//	labrun_here     make the folder; answer it, «-» if it cannot be, and the hardware
//	                addresses of the machine's network cards
//	labrun_ask NAME find out what there is, with a folder of that name; answer it, and what is lacking
//	labrun_end      leave, with the status that the student's last command had
var foreignFunctions = []string{
	`labrun_here() { [ "$labrun_dir" ] && (umask 77; mkdir -p "$labrun_dir") 2>/dev/null || labrun_dir=-; ` +
		`m=; for i in /sys/class/net/*/address; do read -r a <$i && m="$m $a"; done 2>/dev/null; printf '%s%s %s%s\n' @labrun- here $labrun_dir "$m"; }`,
	`labrun_end() { rm -rf "$labrun_dir"; exit $labrun; }`,
}

// ask is the question, by what POSIX promises: which programs there are, and what they
// take. Only in what was tried can be trusted: BusyBox's timeout knew no -k until 1.35, and a
// shell that runs applets by itself has an sh that timeout does not find.
var ask = []string{
	`labrun_ask() { for labrun_limit in 'timeout -k 2' timeout; do for labrun_sh in sh "$0" "${0#-}" /proc/$$/exe; do ` +
		`[ "$($labrun_limit 20 $labrun_sh -c 'echo yes' 2>/dev/null)" != yes ] || break 2; done; labrun_sh=; done; ` +
		`for labrun_dir in /run /tmp /var/tmp /dev/shm "$HOME"; do labrun_dir=${labrun_dir%/}/$1; (umask 77; mkdir -p "$labrun_dir") 2>/dev/null && break; labrun_dir=; done; ` +
		`l=; for i in base64 sha256sum timeout wc; do command -v $i >/dev/null 2>&1 || l="$l $i"; done; ` +
		`printf '%s-%s|%s|%s|%s\n' @labrun-has "$labrun_sh" "$labrun_limit" "$labrun_dir" "$l"; }`,
}

// quote protects a word from the shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
