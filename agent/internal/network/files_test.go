package network

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

// TestCaptureFilesAreReadOnce runs the sensor on two files, of which one ends
// in the middle: both give what they hold, and the sensor says what is wrong.
func TestCaptureFilesAreReadOnce(t *testing.T) {
	dir := t.TempDir()
	whole, cut := filepath.Join(dir, "whole.pcap"), filepath.Join(dir, "cut.pcap")
	query := func(name string) []byte {
		client, resolver := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.53")
		return wiretest.EthernetIP(wiretest.IP(client, resolver, wiretest.ProtoUDP, wiretest.UDP(40000, 53, wiretest.DNSQuery(1, name, 1))))
	}
	for file, name := range map[string]string{whole: "one.example", cut: "two.example"} {
		data := wiretest.EthernetFile(query(name), query("last."+name))
		if file == cut {
			data = data[:len(data)-10]
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := DefaultConfig()
	config.CaptureFiles = []string{cut, filepath.Join(dir, "missing.pcap"), whole}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	s := New(config, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	seen := map[string]int{}
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, func(o signatures.Observation) {
			mu.Lock()
			defer mu.Unlock()
			seen[o.Name]++
		})
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		mu.Lock()
		done := seen["last.one.example"] == 1
		mu.Unlock()
		if done {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("seen only %v", seen)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if seen["one.example"] != 1 || seen["two.example"] != 1 || len(seen) != 3 {
		t.Errorf("seen %v", seen)
	}
	report := s.Coverage()
	if report.State != sensor.Degraded || !strings.Contains(report.Reason, ".pcap") || report.Counters["interfaces_failed"] != 2 {
		t.Errorf("coverage %+v", report)
	}
	config.Interfaces = []string{"lo"}
	if err := config.Validate(); err == nil || !strings.Contains(err.Error(), "keep one") {
		t.Errorf("got %v", err)
	}
}

// TestOpenedConnectionsAreTold holds that the hook hears of a connection at its
// first packet, once, with the right ends.
func TestOpenedConnectionsAreTold(t *testing.T) {
	e := newEngine(DefaultLimits())
	var opened []signatures.Flow
	e.opened = func(f signatures.Flow) { opened = append(opened, f) }
	client, server := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	segment := func(source, destination netip.Addr, sport, dport uint16, flags byte) {
		feed(e, 0, wiretest.EthernetIP(wiretest.IP(source, destination, wiretest.ProtoTCP, wiretest.TCP(sport, dport, 1, flags, nil))))
	}
	segment(client, server, 40000, 443, wiretest.SYN)
	segment(client, server, 40000, 443, wiretest.SYN)
	segment(server, client, 443, 40000, wiretest.SYN|wiretest.ACK)
	segment(server, client, 443, 40001, wiretest.SYN|wiretest.ACK)
	want := signatures.Flow{Protocol: "tcp", Client: netip.AddrPortFrom(client, 40000), Server: netip.AddrPortFrom(server, 443)}
	if len(opened) != 1 || opened[0] != want {
		t.Errorf("told of %v, want only %v", opened, want)
	}
}
