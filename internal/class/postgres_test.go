//go:build measure

package class

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestPostgreSQL keeps a course in a PostgreSQL of its own, of Debian's package. It is built with the tag measure: the
// package is large, for the few lines that differ between the two databases.
func TestPostgreSQL(t *testing.T) {
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(programs) == 0 {
		t.Fatal("PostgreSQL is missing: `apt-get install postgresql` has it")
	}
	bin := slices.Max(programs)
	folder, err := os.MkdirTemp("", "labrun-postgres-") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	its := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 { // it does not run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatal(err)
		}
		its.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(folder, "data")
	make := exec.Command(filepath.Join(bin, "initdb"), "--pgdata", data, "--auth", "trust", "--username", "teacher", "--no-sync")
	make.SysProcAttr, make.Dir = its, folder
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=")
	server.SysProcAttr, server.Dir = its, folder
	server.Stdout, server.Stderr = t.Output(), t.Output()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGINT) // without waiting for who is connected
		server.Wait()
	})
	where := (&url.URL{Scheme: "postgres", User: url.User("teacher"), Path: "/postgres", RawQuery: url.Values{"host": {folder}}.Encode()}).String()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		store, err := OpenStore(ctx, where)
		if err == nil {
			store.Close()
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // it begins
	}
	keepsACourse(t, where)
}
