//go:build linux

package engine

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const strangerCommand = "test-stranger"

// nobody is the uid of the stranger.
const nobody = 65534

// attempt is what a stranger tried and what came of it.
type attempt struct {
	What  string
	Code  int32  // of a refusal
	Error string // "" when it succeeded
}

// runStranger is another local user: it tries what args say and prints an
// attempt a line.
func runStranger(args []string) int {
	out := json.NewEncoder(os.Stdout)
	report := func(what string, err error) {
		a := attempt{What: what}
		if err != nil {
			a.Error = err.Error()
		}
		var refusal *ServerError
		if errors.As(err, &refusal) {
			a.Code = refusal.Code
		}
		_ = out.Encode(a) // the reader notices a missing line
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var dialer net.Dialer
	switch args[0] {
	case "query": // address, user, password, queries
		dial := func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", args[1]) }
		for _, q := range args[4:] {
			report(q, ask(ctx, dial, args[2], args[3], q))
		}
	case "connect": // network, address
		conn, err := dialer.DialContext(ctx, args[1], args[2])
		report(args[1]+" "+args[2], err)
		if err == nil {
			conn.Close()
		}
	case "open": // files
		for _, path := range args[1:] {
			f, err := os.Open(path)
			report(path, err)
			if err == nil {
				f.Close()
			}
			_, err = os.ReadDir(path)
			report(path+"/", err)
		}
	case "cat":
		b, err := os.ReadFile(args[1])
		report(string(b), err)
	}
	return 0
}

// stranger runs runStranger as nobody.
func stranger(t *testing.T, args ...string) []attempt {
	t.Helper()
	cmd := exec.Command(publicCopy(t), append([]string{strangerCommand}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Stderr = t.Output()
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("stranger: %v", err)
	}
	var attempts []attempt
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var a attempt
		if err := d.Decode(&a); err != nil {
			t.Fatalf("stranger: %v", err)
		}
		attempts = append(attempts, a)
	}
	if len(attempts) == 0 {
		t.Fatal("the stranger tried nothing")
	}
	return attempts
}

// publicCopy is this test binary where everybody may start it.
func publicCopy(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("acting as another user needs root")
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(publicDir(t), "stranger")
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// publicDir is a folder everybody may enter: what it protects it protects by
// itself.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gnomon-test-") //nolint:usetesting // a folder of t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// forbidden is what a stranger wants: to read, write, list, run or stop.
var forbidden = []string{
	// read
	"SELECT * FROM secret.t",
	"SELECT (SELECT count() FROM secret.t)",
	"SELECT * FROM merge('secret', '.*')",
	"SELECT * FROM secret.t SETTINGS readonly = 2",
	"EXPLAIN SELECT * FROM secret.t",
	"SELECT * FROM file('../../users.xml', 'LineAsString', 'a String')",
	"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString', 'a String')",
	"SELECT * FROM remote('127.0.0.1', 'secret', 't')",
	"SELECT * FROM remote('127.0.0.1:9000', 'secret', 't', 'gnomon', 'x')",
	"SELECT * FROM executable('id', 'LineAsString', 'a String')",
	"SELECT * FROM s3('http://127.0.0.1:1/a', 'CSV', 'a String')",
	"SELECT * FROM sqlite('/etc/passwd', 't')",
	"SELECT number FROM system.numbers LIMIT 1",
	// list
	"SHOW DATABASES",
	"SHOW TABLES FROM secret",
	"SHOW CREATE TABLE secret.t",
	"SHOW PROCESSLIST",
	"SHOW USERS",
	"DESCRIBE TABLE secret.t",
	"EXISTS TABLE secret.t",
	"SELECT * FROM system.databases",
	"SELECT * FROM system.tables",
	"SELECT * FROM system.processes",
	"SELECT * FROM system.users",
	"SELECT * FROM system.settings",
	"SELECT * FROM system.parts",
	"SELECT * FROM system.query_log",
	// write
	"INSERT INTO secret.t VALUES (2)",
	"INSERT INTO secret.t SELECT 2",
	"INSERT INTO FUNCTION file('stolen', 'LineAsString', 'a String') SELECT 'x'",
	"INSERT INTO FUNCTION url('http://127.0.0.1:1/', 'LineAsString', 'a String') SELECT 'x'",
	"CREATE TABLE default.stolen (a UInt8) ENGINE = Memory",
	"CREATE TEMPORARY TABLE stolen (a UInt8)",
	"CREATE DATABASE stolen",
	"CREATE USER stolen",
	"CREATE FUNCTION stolen AS (x) -> x",
	"GRANT ALL ON *.* TO default",
	"ALTER USER default SETTINGS readonly = 0",
	"ALTER TABLE secret.t DELETE WHERE 1",
	"TRUNCATE TABLE secret.t",
	"DROP TABLE secret.t",
	"DROP DATABASE secret",
	"RENAME TABLE secret.t TO secret.u",
	"BACKUP DATABASE secret TO File('/tmp/stolen')",
	"BACKUP ALL TO Memory('stolen')",
	"RESTORE ALL FROM File('/tmp/stolen')",
	"ATTACH TABLE secret.v FROM '/tmp' (a UInt8) ENGINE = File(CSV)",
	// change and stop
	"SET max_memory_usage = 0",
	"SET readonly = 0",
	"USE secret",
	"KILL QUERY WHERE 1 ASYNC",
	"KILL QUERY WHERE user = '' SYNC",
	"KILL MUTATION WHERE 1",
	"SYSTEM STOP LISTEN TCP",
	"SYSTEM START LISTEN HTTP",
	"SYSTEM START LISTEN TCP",
	"SYSTEM SHUTDOWN",
	"SYSTEM KILL",
	"SYSTEM RELOAD CONFIG",
	"SYSTEM RELOAD USERS",
	"SYSTEM STOP MERGES",
	"SYSTEM FLUSH LOGS",
	"SYSTEM DROP MARK CACHE",
	"OPTIMIZE TABLE secret.t FINAL",
}

// TestStrangerOnLoopback acts as another local user where the port is on
// loopback: tables, lists, writes and orders are closed to it. What is not, and
// why loopback is not chosen where others may log in, is the next test's.
func TestStrangerOnLoopback(t *testing.T) {
	cfg := testConfig(t, filepath.Join(publicDir(t), "engine"))
	cfg.Isolation = IsolationLoopback
	e := start(t, cfg)
	query(t, e, "CREATE DATABASE secret")
	query(t, e, "CREATE TABLE secret.t (a UInt8) ENGINE = MergeTree ORDER BY a")
	query(t, e, "INSERT INTO secret.t SELECT 1")
	for round := range 2 {
		pid := e.PID()
		ports := listeners(t, pid, true)
		if len(ports) != 1 {
			t.Fatalf("the engine listens on %v, want one port", ports)
		}
		t.Logf("round %d: %s", round, ports[0])
		for _, a := range stranger(t, append([]string{"query", ports[0], "default", ""}, forbidden...)...) {
			if a.Error == "" {
				t.Errorf("round %d: a stranger may run %q", round, a.What)
			} else if a.Code == 0 {
				t.Errorf("round %d: %q was not refused by the engine: %s", round, a.What, a.Error)
			}
		}
		if e.PID() != pid || e.State() != Ready {
			t.Fatal("a stranger's query ended the engine")
		}
		intact(t, e)
		checkFiles(t, e)
		kill9(t, e)
	}
}

// TestFileFunctionOnLoopback records that the library lets `default` read any
// file the engine can read, past grants and quota. The day this test fails,
// loopback may become a choice of isolation: auto.
func TestFileFunctionOnLoopback(t *testing.T) {
	cfg := testConfig(t, filepath.Join(publicDir(t), "engine"))
	cfg.Isolation = IsolationLoopback
	e := start(t, cfg)
	a := stranger(t, "query", listeners(t, e.PID(), true)[0], "default", "", "SELECT file('/proc/self/cmdline')")[0]
	if a.Error != "" {
		t.Errorf("refused: %s", a.Error)
	}
}

// TestGuessedPasswordOnLoopback shows what else remains there: a failed login
// ends the library's process. Nobody gets in, nothing is lost, it comes back.
func TestGuessedPasswordOnLoopback(t *testing.T) {
	cfg := testConfig(t, filepath.Join(publicDir(t), "engine"))
	cfg.Isolation = IsolationLoopback
	e := start(t, cfg)
	query(t, e, "CREATE DATABASE secret")
	query(t, e, "CREATE TABLE secret.t (a UInt8) ENGINE = MergeTree ORDER BY a")
	query(t, e, "INSERT INTO secret.t SELECT 1")
	for _, guess := range [][2]string{{User, ""}, {User, "gnomon"}, {"admin", ""}, {"default' OR 1=1 --", "x"}} {
		pid, restarts := e.PID(), e.Restarts()
		address := listeners(t, pid, true)[0]
		for _, a := range stranger(t, "query", address, guess[0], guess[1], "SELECT 1") {
			if a.Error == "" {
				t.Errorf("%v was let in", guess)
			}
		}
		eventually(t, "the engine runs again", func() bool { return e.State() == Ready && e.PID() != 0 && e.PID() != pid })
		if e.Restarts() == restarts {
			t.Error("the restart was not counted")
		}
		if next := listeners(t, e.PID(), true)[0]; next == address {
			t.Error("the port is the same again")
		}
		intact(t, e)
	}
}

// TestStrangerAtTheNamespace acts as another local user where the engine has a
// network of its own: there is nothing to talk to.
func TestStrangerAtTheNamespace(t *testing.T) {
	cfg := testConfig(t, filepath.Join(publicDir(t), "engine"))
	cfg.Isolation = IsolationNamespace
	e := start(t, cfg)
	query(t, e, "CREATE DATABASE secret")
	query(t, e, "CREATE TABLE secret.t (a UInt8) ENGINE = MergeTree ORDER BY a")
	query(t, e, "INSERT INTO secret.t SELECT 1")
	for range 2 {
		if got := listeners(t, e.PID(), false); len(got) != 1 || got[0] != "127.0.0.1:9000" {
			t.Errorf("in its namespace the engine listens on %v, want 127.0.0.1:9000 alone", got)
		}
		own, err := os.Readlink("/proc/self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", e.PID()))
		if err != nil {
			t.Fatal(err)
		}
		if own == theirs {
			t.Error("the engine is in the tests' network namespace")
		}
		for _, a := range stranger(t, "connect", "unix", layout{dir: cfg.DataDir}.socket()) {
			if !strings.Contains(a.Error, "permission denied") {
				t.Errorf("%s: %q, want permission denied", a.What, a.Error)
			}
		}
		intact(t, e)
		checkFiles(t, e)
		kill9(t, e)
	}
}

// TestSocketRefusesAnotherUser opens the directory on purpose: the forwarder
// still looks who connects.
func TestSocketRefusesAnotherUser(t *testing.T) {
	dir := filepath.Join(publicDir(t), "engine")
	e := start(t, testConfig(t, dir))
	socket := layout{dir: dir}.socket()
	for path, mode := range map[string]os.FileMode{dir: 0o755, socket: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	stranger(t, "connect", "unix", socket)
	eventually(t, "the refusal is in the log", func() bool {
		b, err := os.ReadFile(layout{dir: dir}.log())
		return err == nil && strings.Contains(string(b), "connection of user 65534 refused")
	})
	query(t, e, "SELECT 1")
}

// intact checks that nothing a stranger wanted came true.
func intact(t *testing.T, e *Engine) {
	t.Helper()
	query(t, e, "SELECT throwIf((SELECT count() FROM secret.t) != 1)")
	query(t, e, "SELECT throwIf((SELECT count() FROM system.tables WHERE database = 'secret') != 1)")
	query(t, e, "SELECT throwIf((SELECT count() FROM system.tables WHERE name LIKE '%stolen%' OR name = 'gnomon_probe') != 0)")
	query(t, e, "SELECT throwIf((SELECT count() FROM system.databases WHERE name = 'stolen') != 0)")
	for _, path := range []string{"/tmp/stolen", filepath.Join(e.Endpoint().Dir, "data", "user_files", "stolen")} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s exists", path)
		}
	}
}

// checkFiles tries every path of the engine as nobody, and looks for the
// password where others can look.
func checkFiles(t *testing.T, e *Engine) {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(e.Endpoint().Dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			paths = append(paths, path)
		}
		return nil // parts come and go while we look
	})
	if err != nil || len(paths) < 10 {
		t.Fatalf("walking the engine directory: %d paths, %v", len(paths), err)
	}
	for _, a := range stranger(t, append([]string{"open"}, paths...)...) {
		if !strings.Contains(a.Error, "permission denied") && !strings.Contains(a.Error, "no such file") {
			t.Errorf("%s: %q, want permission denied", a.What, a.Error)
		}
	}
	password := e.Endpoint().Password
	line := stranger(t, "cat", fmt.Sprintf("/proc/%d/cmdline", e.PID()))[0]
	if line.Error != "" || !strings.Contains(line.What, ChildCommand) {
		t.Errorf("command line: %+v", line)
	}
	if strings.Contains(line.What, password) {
		t.Error("the password is on the command line")
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", e.PID()))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(environ), password) {
		t.Error("the password is in the environment")
	}
	if got := strings.Count(string(environ), "\x00"); got != 4 {
		t.Errorf("the child has %d environment variables, want 4: %q", got, environ)
	}
}

func kill9(t *testing.T, e *Engine) {
	t.Helper()
	pid := e.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the engine runs again", func() bool { return e.State() == Ready && e.PID() != 0 && e.PID() != pid })
}

// listeners are the listening TCP addresses in the network namespace of pid;
// with own, only those whose socket the process holds.
func listeners(t *testing.T, pid int, own bool) []string {
	t.Helper()
	held := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Fatalf("descriptors of the engine: %d, %v", len(fds), err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil {
			held[target] = true
		}
	}
	var found []string
	for _, file := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			fields := strings.Fields(s.Text())
			if len(fields) < 10 || fields[3] != "0A" || own && !held["socket:["+fields[9]+"]"] {
				continue
			}
			host, port, _ := strings.Cut(fields[1], ":")
			number, err := strconv.ParseUint(port, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := hex.DecodeString(host)
			if err != nil || len(raw) != 4 {
				found = append(found, fmt.Sprintf("%s:%d", host, number))
				continue
			}
			found = append(found, fmt.Sprintf("%d.%d.%d.%d:%d", raw[3], raw[2], raw[1], raw[0], number))
		}
	}
	return found
}
