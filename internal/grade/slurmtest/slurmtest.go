// Package slurmtest has, for tests only, a cluster on this computer: Debian's own munged,
// slurmctld and two slurmd, as the user who runs the test, on ports of its own. Nothing of
// the computer's own configuration is used or changed.
package slurmtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// Nodes are the names of the cluster's nodes.
var Nodes = []string{"n1", "n2"}

// A Cluster is one that runs.
type Cluster struct {
	t       *testing.T
	dir     string
	daemons map[string]*daemon // by node; "" for the others
}

type daemon struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Start starts a cluster, of whose nodes each does so many tasks at the same time, and takes it
// down when the test ends. From then on the test's environment has sbatch and the like ask it.
func Start(t *testing.T, slots int) *Cluster {
	t.Helper()
	for _, program := range []string{"munged", "slurmctld", "slurmd", "sbatch"} {
		if _, err := find(program); err != nil {
			t.Fatalf("%s is not installed: `labrun doctor test --mend` installs it", program)
		}
	}
	// A socket's name has room for 107 bytes, and munged wants no folder that others may write to.
	dir, err := os.MkdirTemp("/var/tmp", "labrun-slurm-")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{t: t, dir: dir, daemons: map[string]*daemon{}}
	t.Cleanup(func() {
		if t.Failed() {
			c.tellLogs()
		}
		for _, node := range Nodes {
			c.killTasks(node)
		}
		os.RemoveAll(dir)
	})
	key := make([]byte, 128)
	rand.Read(key)
	c.write("munge.key", string(key), 0o400)
	who, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 1+len(Nodes))
	conf := fmt.Sprintf(`ClusterName=labrun
SlurmctldHost=%s(127.0.0.1)
SlurmctldPort=%d
SlurmUser=%[3]s
SlurmdUser=%[3]s
AuthType=auth/munge
AuthInfo=socket=%[4]s/munge.socket,cred_expire=15
CredType=cred/munge
StateSaveLocation=%[4]s/state
SlurmdSpoolDir=%[4]s/spool-%%n
SlurmctldPidFile=%[4]s/slurmctld.pid
SlurmdPidFile=%[4]s/slurmd-%%n.pid
SlurmctldLogFile=%[4]s/slurmctld.log
SlurmdLogFile=%[4]s/slurmd-%%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
ReturnToService=2
SlurmdTimeout=300
MinJobAge=300
KillWait=2
InactiveLimit=0
PropagateResourceLimits=NONE
`, name, ports[0], who.Username, dir)
	for i, node := range Nodes {
		conf += fmt.Sprintf("NodeName=%s NodeHostname=%s NodeAddr=127.0.0.1 Port=%d CPUs=%d RealMemory=65536 State=UNKNOWN\n",
			node, name, ports[1+i], slots)
	}
	conf += "PartitionName=lab Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
	// The nodes have as many processors as the test says, not those of this computer.
	conf = strings.Replace(conf, "SlurmdTimeout", "SlurmdParameters=config_overrides\nSlurmdTimeout", 1)
	c.write("slurm.conf", conf, 0o644)
	c.write("cgroup.conf", "CgroupPlugin=cgroup/v1\n", 0o644) // 22.05 wants one to be there, and uses none
	for _, sub := range []string{"state", "spool-n1", "spool-n2"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SLURM_CONF", filepath.Join(dir, "slurm.conf"))
	c.start("", "munged", "--foreground", "--force", "--socket="+dir+"/munge.socket", "--key-file="+dir+"/munge.key",
		"--pid-file="+dir+"/munged.pid", "--log-file="+dir+"/munged.log", "--seed-file="+dir+"/munged.seed")
	c.until("munged's socket", func() bool { _, err := os.Stat(dir + "/munge.socket"); return err == nil })
	c.start("", "slurmctld", "-D", "-f", dir+"/slurm.conf")
	for _, node := range Nodes {
		c.StartNode(node)
	}
	c.until("both nodes", func() bool {
		out, _ := exec.Command("sinfo", "--noheader", "--Node", "--format=%T").Output()
		return strings.Count(string(out), "idle") == len(Nodes)
	})
	return c
}

// StartNode starts the daemon of a node.
func (c *Cluster) StartNode(node string) {
	c.t.Helper()
	c.start(node, "slurmd", "-D", "-N", node, "-f", c.dir+"/slurm.conf")
}

// KillNode kills a node as a power cut does: its daemon, what holds its tasks, and the tasks.
// The controller is told, which finds out by itself after SlurmdTimeout (300 s): a shorter
// one would take a node for dead on a busy computer.
func (c *Cluster) KillNode(node string) {
	c.t.Helper()
	d := c.daemons[node]
	if d == nil {
		c.t.Fatalf("node %s does not run", node)
	}
	delete(c.daemons, node)
	d.cmd.Process.Kill()
	<-d.done
	c.killTasks(node)
	if out, err := exec.Command("scontrol", "update", "NodeName="+node, "State=DOWN", "Reason=killed").CombinedOutput(); err != nil {
		c.t.Fatalf("tell of the dead node: %v: %s", err, out)
	}
}

// killTasks ends what runs on a node: the holders first, which would tell of the tasks' end.
func (c *Cluster) killTasks(node string) {
	holders, tasks := c.processes(node)
	for _, pid := range append(holders, tasks...) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// processes are those of a node's tasks, known by their environment, and those that hold
// them (slurmstepd): these are nobody's children.
func (c *Cluster) processes(node string) (holders, tasks []int) {
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, file := range all {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // another user's, or it has ended
		}
		environ := strings.Split(string(data), "\x00")
		if !slices.Contains(environ, "SLURMD_NODENAME="+node) || !slices.Contains(environ, "SLURM_CONF="+c.dir+"/slurm.conf") {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		tasks = append(tasks, pid)
		if parent := parentOf(pid); nameOf(parent) == "slurmstepd" {
			holders = append(holders, parent)
		}
	}
	return holders, tasks
}

// parentOf and nameOf read /proc/PID/stat, «PID (NAME) STATE PARENT …».
func parentOf(pid int) (parent int) {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fmt.Sscanf(string(data[bytes.LastIndexByte(data, ')')+1:]), " %s %d", new(string), &parent)
	return parent
}

func nameOf(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(data))
}

// start starts a daemon, which ends with the test.
func (c *Cluster) start(node, program string, args ...string) {
	c.t.Helper()
	path, err := find(program)
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	if err := host.StartChild(cmd); err != nil {
		c.t.Fatal(err)
	}
	d := &daemon{cmd, make(chan struct{})}
	go func() {
		cmd.Wait()
		close(d.done)
	}()
	if node != "" {
		c.daemons[node] = d
	}
	c.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-d.done:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			<-d.done
		}
	})
}

// until waits until something holds.
func (c *Cluster) until(what string, holds func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	for !holds() {
		if host.Sleep(ctx, 100*time.Millisecond) != nil {
			c.tellLogs()
			c.t.Fatalf("the cluster has no %s after two minutes", what)
		}
	}
}

func (c *Cluster) tellLogs() {
	logs, _ := filepath.Glob(c.dir + "/*.log")
	for _, log := range logs {
		data, _ := os.ReadFile(log)
		c.t.Logf("%s:\n%s", filepath.Base(log), data[max(0, len(data)-3000):])
	}
}

func (c *Cluster) write(name, text string, mode os.FileMode) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), mode); err != nil {
		c.t.Fatal(err)
	}
}

// find returns where a program is; daemons are where an ordinary user does not look.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + program)
}

// freePorts are ports that nobody listens on now.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
