//go:build linux

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is the account of the stranger: it owns nothing.
const nobody = 65534

// attack is what the stranger is told: everything a local user can find out by
// itself, and more.
type attack struct {
	Ports []string // every port the daemons and the engine listen on
	Files []string // every file and folder below the data folders
	PIDs  []int
}

// TestAnotherLocalUserCanDoNothing acts as another account of the machine
// through every port that collector, engine and agent open, on their files and
// on their processes.
func TestAnotherLocalUserCanDoNothing(t *testing.T) {
	needRoot(t)
	c := startCollector(t)
	agent := startAgent(t, agentConfig(t, c, "network: {enabled: false}\nfile: {enabled: false}\n"))
	s := newSender(c)
	s.flood(t.Context(), t, 0, 200, 200, 1)
	c.apply("schema: inventory/v1\nentries: [{id: openai-api, name: OpenAI, kind: api_service, status: approved, match: [{signature: [openai.api]}]}]\n")

	for _, when := range []string{"at first", "after the engine was killed and restarted"} {
		before := c.enginePID()
		known := attack{PIDs: []int{c.PID(), agent.PID(), before}}
		known.Ports = listeningPorts(t, known.PIDs...)
		known.Files = filesBelow(t, c.data)
		if len(known.Ports) < 3 || len(known.Files) < 5 {
			t.Fatalf("too little to attack: %+v", known)
		}
		report := runStranger(t, known)
		t.Logf("%s: %d attempts through ports %v, on %d files and %d processes", when, report.Attempts, known.Ports, len(known.Files), len(known.PIDs))
		for _, success := range report.Successes {
			t.Errorf("%s, another local user succeeded: %s", when, success)
		}
		if report.Attempts < 60 {
			t.Errorf("only %d attempts were made", report.Attempts)
		}
		if rows := c.count("SELECT count() FROM gnomon.findings FINAL"); rows != 200 {
			t.Errorf("%s: %d findings, want 200", when, rows)
		}
		if out := c.run("inventory", "export"); !strings.Contains(out, "openai-api") || strings.Contains(out, "stranger") {
			t.Errorf("%s: the inventory is now:\n%s", when, out)
		}
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.await("a new engine", time.Minute, func() (bool, error) {
			_, err := c.try("findings", "--limit", "1")
			return err == nil && c.enginePID() != before, err
		})
	}
}

// listeningPorts returns the loopback addresses of every TCP socket on which a
// process listens in the network namespace of this test, and fails on one that
// other machines reach.
func listeningPorts(t *testing.T, pids ...int) []string {
	t.Helper()
	inodes := map[string]bool{}
	for _, pid := range pids {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "socket:[") {
				inodes[strings.Trim(target, "socket:[]")] = true
			}
		}
	}
	var ports []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			fields := strings.Fields(line)
			const listening = "0A"
			if len(fields) < 10 || fields[3] != listening || !inodes[fields[9]] {
				continue
			}
			host, port, _ := strings.Cut(fields[1], ":")
			n, err := strconv.ParseUint(port, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			if host != "0100007F" && host != "00000000000000000000000001000000" {
				t.Errorf("port %d is open to other machines (%s)", n, host)
			}
			ports = append(ports, fmt.Sprintf("127.0.0.1:%d", n))
		}
	}
	return ports
}

func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		files = append(files, path)
		if os.IsNotExist(err) {
			return nil // the engine replaces files as it works
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

type strangerReport struct {
	Attempts  int
	Successes []string
}

// runStranger runs a copy of the test binary as nobody.
func runStranger(t *testing.T, known attack) strangerReport {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(filepath.Dir(binaries.agent), "stranger.test")
	if err := os.WriteFile(program, image, 0o755); err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = []string{roleEnv + "=stranger"}
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(told)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the stranger: %v", err)
	}
	var report strangerReport
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return report
}

// beStranger is the stranger: it runs as nobody and reports what worked.
func beStranger() int {
	var known attack
	if err := json.NewDecoder(os.Stdin).Decode(&known); err != nil || os.Getuid() != nobody {
		fmt.Fprintln(os.Stderr, "the stranger is not who it should be:", err, os.Getuid())
		return 1
	}
	s := &stranger{client: &http.Client{Timeout: time.Second}}
	for _, port := range known.Ports {
		s.tryHTTP(port)
		s.tryClickHouse(port)
	}
	for _, file := range known.Files {
		s.tryFile(file)
	}
	for _, pid := range known.PIDs {
		s.attempt(fmt.Sprintf("stopping process %d", pid), func() bool { return syscall.Kill(pid, syscall.SIGTERM) == nil })
		s.attempt(fmt.Sprintf("tracing process %d", pid), func() bool { return syscall.PtraceAttach(pid) == nil })
		for _, secret := range []string{"environ", "mem", "root/", "fd/0"} {
			s.attempt(fmt.Sprintf("reading %s of process %d", secret, pid), func() bool {
				_, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, secret))
				if err == nil {
					return true
				}
				data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, secret))
				return err == nil && len(data) > 0
			})
		}
		s.attempt(fmt.Sprintf("finding a secret in the command line of process %d", pid), func() bool {
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return err == nil && (bytes.Contains(bytes.ToLower(line), []byte("password")) || bytes.Contains(line, []byte("gnomon_")))
		})
	}
	if err := json.NewEncoder(os.Stdout).Encode(s.report); err != nil {
		return 1
	}
	return 0
}

type stranger struct {
	client *http.Client
	report strangerReport
}

func (s *stranger) attempt(what string, works func() bool) {
	s.report.Attempts++
	if works() {
		s.report.Successes = append(s.report.Successes, what)
	}
}

// tryHTTP asks for everything that the HTTP servers have, without a token and
// with tokens that a stranger could guess.
func (s *stranger) tryHTTP(port string) {
	services := map[string][]string{
		"FindingService":   {"ListFindings", "ListCoverage"},
		"UsageService":     {"ListUsage"},
		"VerdictService":   {"ListVerdicts", "CountVerdicts"},
		"InventoryService": {"ListRevisions", "ExportInventory", "DiffInventory", "ApplyInventory", "ApplyDirectory", "TestInventory"},
	}
	const forged = `{"files":[{"name":"i.yaml","content":"c2NoZW1hOiBpbnZlbnRvcnkvdjEK"}],"name":"stranger"}`
	for _, token := range []string{"", "Bearer ", "Bearer gnomon_stranger_stranger", "Bearer null", "Basic YWRtaW46YWRtaW4="} {
		for service, methods := range services {
			for _, method := range methods {
				s.ask(port, http.MethodPost, "/gnomon.v1."+service+"/"+method, token, forged)
			}
		}
		s.ask(port, http.MethodGet, "/metrics", token, "")
		s.ask(port, http.MethodGet, "/?query=SELECT+1", token, "")
		s.ask(port, http.MethodGet, "/debug/pprof/", token, "")
		s.ask(port, http.MethodPost, "/v1/logs", token, "")
		s.ask(port, http.MethodPost, "/v1/traces", token, "")
	}
}

// ask counts an answer of 2xx as a success.
func (s *stranger) ask(port, method, path, token, body string) {
	s.attempt(fmt.Sprintf("%s %s on %s with token %q", method, path, port, token), func() bool {
		q, err := http.NewRequest(method, "http://"+port+path, strings.NewReader(body))
		if err != nil {
			return false
		}
		q.Header.Set("Content-Type", "application/json")
		if token != "" {
			q.Header.Set("Authorization", token)
		}
		response, err := s.client.Do(q)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body) // the status tells
		return response.StatusCode/100 == 2
	})
}

// tryClickHouse says hello in ClickHouse's native protocol, as the users that
// an installation has by itself. A server that answers with its own hello has
// let the stranger in.
func (s *stranger) tryClickHouse(port string) {
	for _, user := range []string{"default", "", "gnomon", "admin", "root"} {
		s.attempt(fmt.Sprintf("logging in to ClickHouse on %s as %q", port, user), func() bool {
			connection, err := net.DialTimeout("tcp", port, 3*time.Second)
			if err != nil {
				return false
			}
			defer connection.Close()
			_ = connection.SetDeadline(time.Now().Add(time.Second)) // a read without answer ends
			text := func(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }
			hello := text([]byte{0}, "client")
			hello = append(hello, 24, 1, 0xA5, 0xA8, 0x03) // version 24.1, protocol revision 54309
			hello = text(text(text(hello, "system"), user), "")
			if _, err := connection.Write(hello); err != nil {
				return false
			}
			// A hello is a 0, then the server's name with its length.
			answer := make([]byte, 12)
			n, _ := io.ReadFull(connection, answer) // what came tells
			return n > 6 && answer[0] == 0 && bytes.HasPrefix(answer[2:], []byte("Click"))
		})
	}
}

// tryFile reads, writes and removes a file of the data folder.
func (s *stranger) tryFile(path string) {
	s.attempt("reading "+path, func() bool {
		if _, err := os.ReadDir(path); err == nil {
			return true
		}
		_, err := os.ReadFile(path)
		return err == nil
	})
	s.attempt("writing "+path, func() bool {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_ = file.Close() // it was opened, which is too much
		}
		return err == nil
	})
	s.attempt("making a file beside "+path, func() bool { return os.WriteFile(path+".stranger", nil, 0o600) == nil })
	s.attempt("connecting to "+path, func() bool {
		connection, err := net.Dial("unix", path)
		if err == nil {
			_ = connection.Close() // it was opened, which is too much
		}
		return err == nil
	})
}
