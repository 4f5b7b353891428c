package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
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

// playVariable turns the test binary into one of the programs of
// TestRun_namesProxyAndClient.
const playVariable = "GNOMON_AGENT_TEST_PLAY"

func TestMain(m *testing.M) {
	role := os.Getenv(playVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := playPart(role, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
}

func playPart(role string, arguments []string) error {
	switch role {
	case "server":
		return playServer(arguments[0])
	case "proxy":
		return playProxy(arguments[0])
	case "client":
		return playClient(arguments[0], arguments[1])
	}
	return fmt.Errorf("unknown part")
}

// playServer answers for every name, until it is killed.
func playServer(address string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return http.Serve(listener, http.NotFoundHandler())
}

// playProxy serves CONNECT (RFC 9110, section 9.3.6): every name leads to one
// server, until it is killed.
func playProxy(upstream string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		far, err := net.Dial("tcp", upstream)
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "no way", http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, buffered) }()
		_, _ = io.Copy(near, far)
	}))
}

// playClient asks the proxy for a name and makes one request.
func playClient(proxy, name string) error {
	connection, err := net.Dial("tcp", proxy)
	if err != nil {
		return err
	}
	defer connection.Close()
	fmt.Fprintf(connection, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", name, name)
	answer, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: http.MethodConnect})
	if err != nil || answer.StatusCode != http.StatusOK {
		return errors.Join(err, errors.New("the proxy refused"))
	}
	session := tls.Client(connection, &tls.Config{ServerName: name, InsecureSkipVerify: true}) // the server is this test's
	fmt.Fprintf(session, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name)
	_, err = io.Copy(io.Discard, session)
	return err
}

// part starts a copy of the test binary under a name of its own and returns
// the first line that it prints.
func part(t *testing.T, name, role string, attributes *syscall.SysProcAttr, arguments ...string) (*exec.Cmd, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, arguments...)
	c.Env, c.Stderr, c.SysProcAttr = append(os.Environ(), playVariable+"="+role), os.Stderr, attributes
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	if role == "client" {
		return c, ""
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c, strings.TrimSpace(line)
}

// Who asks a local proxy for a service is its user: both are found on the
// wire, and each finding names the other.
func TestRun_namesProxyAndClient(t *testing.T) {
	r := newReceiver(t)
	server, _ := part(t, "server", "server", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}, "0.0.0.0:443")
	inside := strconv.Itoa(server.Process.Pid)
	near, far := fmt.Sprintf("gp%da", os.Getpid()), fmt.Sprintf("gp%db", os.Getpid())
	for _, line := range []string{
		"ip link add " + near + " type veth peer name " + far + " netns " + inside,
		"ip addr add 198.18.78.1/30 dev " + near, "ip link set " + near + " up",
		"nsenter -t " + inside + " -n ip addr add 198.18.78.2/30 dev " + far, "nsenter -t " + inside + " -n ip link set " + far + " up",
	} {
		words := strings.Fields(line)
		if text, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s needs root: %v\n%s", line, err, text)
		}
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", near).Run() })
	_, proxy := part(t, "filterd", "proxy", nil, "198.18.78.2:443")

	path := r.configure(t, filepath.Join(t.TempDir(), "state"), t.TempDir(), "heartbeat: {interval: 1s}\n")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	on := strings.Replace(string(text), "network: {enabled: false}", "network: {interfaces: [lo, "+near+"]}", 1)
	if err := os.WriteFile(path, []byte(on), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startRun(path)
	a.await(t, "the network sensor", func() bool {
		_, coverage := r.got()
		ready := 0
		for _, c := range coverage {
			if c.Sensor == "network" && c.State == "on" || c.Sensor == "owner" && c.Reason == "by ebpf" {
				ready++
			}
		}
		return ready >= 2
	})
	client, _ := part(t, "chatclient", "client", nil, proxy, "api.openai.com")
	if err := client.Wait(); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	a.await(t, "both findings", func() bool { // a later revision may tell more
		findings, _ := r.got()
		for _, f := range findings {
			if f.PeerName == "api.openai.com" && (f.ProcessName == "chatclient" || f.ProcessName == "filterd") {
				told[f.ProcessName] = f.Attributes["proxy.process"] + "/" + f.Attributes["proxied_for"]
			}
		}
		return len(told) == 2 && told["filterd"] != "/"
	})
	if told["chatclient"] != "filterd/" || told["filterd"] != "/chatclient" {
		t.Errorf("%v", told)
	}
	if code := a.stop(t); code != exitOK {
		t.Errorf("exit %d:\n%s", code, a.log)
	}
}
