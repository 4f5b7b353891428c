package network

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

// listenLow listens on a port below those that clients get: the kernel filter
// passes all that is sent towards the lower port, and not all of the other way.
func listenLow(t *testing.T) net.Listener {
	t.Helper()
	for port := 20000; port < 30000; port += 7 {
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return listener
		}
	}
	t.Fatal("no port from 20000 to 30000 is free")
	return nil
}

// clearServer serves HTTP/1, and HTTP/2 by prior knowledge and by upgrade, on
// loopback.
func clearServer(t *testing.T) (address string, closed func()) {
	t.Helper()
	listener := listenLow(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Host", "wrong.example")
		fmt.Fprintln(w, r.Proto)
	})
	server := &http.Server{Handler: h2c.NewHandler(handler, &http2.Server{MaxDecoderHeaderTableSize: 65536})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	return listener.Addr().String(), func() {
		_ = server.Close()
		<-done
	}
}

// Real clients speak HTTP/2 in the clear to real servers, and the live sensor
// reads along.
func TestLiveHTTP2(t *testing.T) {
	if err := capture.CheckLive(); err != nil {
		t.Skipf("live capture needs CAP_NET_RAW: %v", err)
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	config := DefaultConfig()
	config.Interfaces = []string{"lo"}
	s := New(config, slog.New(slog.DiscardHandler))
	observed, end := running(t, s)
	stop := sync.OnceFunc(end)
	defer stop()
	waitFor(t, "the interface", func() bool { return s.Coverage().Counters["interfaces_open"] == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	var wanted []string
	expect := func(name, method, path string) { wanted = append(wanted, name+" "+method+" "+path) }
	address, closed := clearServer(t)
	defer closed()
	host, port, _ := net.SplitHostPort(address)

	goClient(ctx, t, address, func(name, path string) { expect(name, "POST", path) })
	// The requests of one call go over one connection.
	curl := func(version, method, name string, paths []string, more ...string) {
		t.Helper()
		arguments := []string{"--silent", "--fail", "--max-time", "10", "--noproxy", "*", "--resolve", name + ":" + port + ":" + host,
			"--output", os.DevNull, "--output", os.DevNull, "--write-out", "%{http_version} %{num_connects}\n"}
		expected := ""
		for i, path := range paths {
			expected += fmt.Sprintf("%s %d\n", version, 1-min(i, 1))
			arguments = append(arguments, "http://"+net.JoinHostPort(name, port)+path+"?key=secret")
			expect(name, method, path)
		}
		out, err := exec.CommandContext(ctx, "curl", append(arguments, more...)...).CombinedOutput()
		if err != nil || string(out) != expected {
			t.Fatalf("curl %s: %v, %s", name, err, out)
		}
	}
	curl("2", "POST", "prior.example", []string{"/v1/chat/completions"}, "--http2-prior-knowledge", "--data", strings.Repeat("x", 100000))
	curl("2", "GET", "upgrade.example", []string{"/first", "/second"}, "--http2")
	curl("1.1", "POST", "plain.example", []string{"/first", "/v1/messages"}, "--http1.1", "--data", "{}", "--header", "anthropic-version: 2023-06-01")
	curl("2", "POST", "tools.example", []string{"/agent/tools"}, "--http2-prior-knowledge", "--data", "{}", "--header", "Mcp-Session-Id: secret",
		"--header", "MCP-Protocol-Version: 2025-06-18", "--header", "Accept: application/json, text/event-stream")
	grpcClient(ctx, t, expect)

	missing := func() []string {
		var found []string
		for _, o := range observed() {
			found = append(found, o.Name+" "+o.Method+" "+o.Path)
		}
		return slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return slices.Contains(found, w) })
	}
	defer func() {
		if m := missing(); len(m) > 0 {
			t.Errorf("%d of %d requests were not seen, %v among them; %v", len(m), len(wanted), m[0], s.Coverage().Counters)
		}
	}()
	waitFor(t, "the requests", func() bool { return len(missing()) == 0 })
	stop()
	if c := s.Coverage().Counters; c["panics_recovered"] != 0 || c["http2_malformed"] != 0 || c["http2_requests_unknown"] != 0 {
		t.Errorf("%v", c)
	}
	for _, o := range observed() {
		if strings.Contains(fmt.Sprint(o), "secret") || o.Name == "wrong.example" {
			t.Errorf("%+v", o)
		}
	}
	wantFindings(t, observed(), map[string]string{
		"prior.example": "generic.openai-compatible", "plain.example": "generic.anthropic-compatible", "tools.example": "generic.mcp-endpoint",
		"go0.example": "generic.openai-compatible", "triton.example": "generic.triton-compatible",
	})
}

// goClient makes many requests of one connection with the standard library.
func goClient(ctx context.Context, t *testing.T, address string, expect func(name, path string)) {
	t.Helper()
	transport := &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	for i := range 60 {
		name, path := fmt.Sprintf("go%d.example", i%3), fmt.Sprintf("/run/%d/v1/chat/completions", i)
		r, err := http.NewRequestWithContext(ctx, "POST", "http://"+name+path+"?key=secret", strings.NewReader(strings.Repeat("y", i*1000)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", fmt.Sprint("Bearer secret", i))
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.ProtoMajor != 2 {
			t.Fatalf("the answer is %s", answer.Proto)
		}
		expect(name, path)
	}
}

// grpcClient calls a server of any service.
func grpcClient(ctx context.Context, t *testing.T, expect func(name, method, path string)) {
	t.Helper()
	listener := listenLow(t)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var in emptypb.Empty
		if err := stream.RecvMsg(&in); err != nil {
			return err
		}
		return stream.SendMsg(&emptypb.Empty{})
	}))
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("triton.example"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := connection.Invoke(ctx, "/inference.GRPCInferenceService/ModelInfer", &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
			t.Fatal(err)
		}
	}
	expect("triton.example", "POST", "/inference.GRPCInferenceService/ModelInfer")
	_ = connection.Close()
	server.Stop()
	<-done
}

// wantFindings holds what the shipped catalogue makes of observations, by name,
// against what it should.
func wantFindings(t *testing.T, list []signatures.Observation, want map[string]string) {
	t.Helper()
	set := shipped(t)
	got := map[string]string{}
	for i := range list {
		for _, m := range set.Match(&list[i], nil) {
			got[list[i].Name] = m.Signature.ID
		}
	}
	for name, id := range want {
		if got[name] != id {
			t.Errorf("%s is found as %q, want %q", name, got[name], id)
		}
	}
}

func shipped(t testing.TB) *signatures.Set {
	t.Helper()
	list, err := signatures.Load(catalogue.Files)
	if err != nil {
		t.Fatal(err)
	}
	set, err := signatures.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
