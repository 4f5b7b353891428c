package pipeline

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// more is a continuation of the connection of b.tls.
func (b *bench) more(up, down uint64) signatures.Observation {
	o := b.tls("")
	o.Kind, o.NameEvidence, o.Continued = signatures.KindFlow, "", true
	o.Flow.BytesUp, o.Flow.BytesDown = up, down
	return o
}

// last returns the newest revision of each finding, in order of first sight.
func (b *bench) last() []finding.Finding {
	var out []finding.Finding
	for _, f := range b.sink.all() {
		known := false
		for i := range out {
			if out[i].ID == f.ID {
				out[i], known = f, true
			}
		}
		if !known {
			out = append(out, f)
		}
	}
	return out
}

func (b *bench) mustEnd(t *testing.T) {
	t.Helper()
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
}

// sums writes count and bytes of each finding.
func sums(list []finding.Finding) string {
	text := ""
	for _, f := range list {
		text += fmt.Sprintf("%s %d×%d/%d ", f.Asset.Key, f.Count, f.BytesUp, f.BytesDown)
	}
	return text
}

func TestContinued_addsBytesAndNoUse(t *testing.T) {
	owners := 0
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Owner = func(signatures.Flow) (signatures.Process, string) { owners++; return signatures.Process{}, "exited" }
	})
	first := b.tls("api.acme.example")
	b.Emit(first)
	b.mustFlush(t)
	b.clock.pass(30 * time.Second)
	b.Emit(b.more(100, 1000))
	b.Emit(b.more(1, 2))
	b.mustEnd(t)
	got := b.last()
	if len(got) != 1 || sums(got) != "acme.api 1×111/1022 " || got[0].Revision != 2 || !got[0].LastSeen.Equal(b.clock.wall) {
		t.Errorf("got %+v", got)
	}
	if !b.Follows(first.Flow) {
		t.Error("the connection is not followed")
	}
	if owners != 1 {
		t.Errorf("the owner was asked for %d times", owners)
	}
	b.counter(t, map[string]uint64{"continued": 2, "continued_unmatched": 0, "observations_tls": 1, "observations_flow": 0, "unmatched": 0, "followed": 1})
}

func TestContinued_ofWhatMatchedNothingIsNothing(t *testing.T) {
	b := newBench(t, nil)
	o := b.tls("nobody.example")
	b.Emit(o)
	b.Emit(b.more(100, 1000))
	b.mustEnd(t)
	if got := b.sink.all(); len(got) != 0 || b.Follows(o.Flow) {
		t.Errorf("got %+v", got)
	}
	b.counter(t, map[string]uint64{"continued": 0, "continued_unmatched": 1, "unmatched": 1})
}

// The window of a connection that goes on ends: its use goes on in the next,
// once, whether or not the sink saw the last one.
func TestContinued_goesOnInTheNextWindow(t *testing.T) {
	b := newBench(t, nil)
	b.Emit(b.tls("api.acme.example"))
	b.mustFlush(t)
	b.clock.pass(5 * time.Minute)
	b.Emit(b.more(100, 1000))
	b.Emit(b.more(1, 1))
	b.mustFlush(t)
	b.clock.pass(10 * time.Minute) // a window without a byte is none of its
	b.Emit(b.more(5, 5))
	b.mustEnd(t)
	got := b.last()
	if sums(got) != "acme.api 1×10/20 acme.api 1×101/1001 acme.api 1×5/5 " {
		t.Fatalf("got %s", sums(got))
	}
	for i, f := range got {
		if f.ID != finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart) || f.FirstSeen.Before(f.WindowStart) || f.LastSeen.After(f.WindowEnd) {
			t.Errorf("finding %d: %+v", i, f)
		}
		if f.Fingerprint != got[0].Fingerprint || len(f.Evidence) != 1 || f.PeerName != "api.acme.example" {
			t.Errorf("finding %d is of another use: %+v", i, f)
		}
	}
}

// What came between two observations of a connection belongs to the first.
func TestContinued_bytesBelongToTheObservationBefore(t *testing.T) {
	b := newBench(t, nil)
	next := func(name string, up, down uint64) signatures.Observation {
		o := b.tls(name)
		o.Flow.BytesUp, o.Flow.BytesDown = up, down
		return o
	}
	b.Emit(next("api.acme.example", 1, 2))
	b.clock.pass(time.Second)
	b.Emit(next("login.acme.example", 10, 20))
	b.Emit(b.more(100, 200))
	b.Emit(next("nobody.example", 1000, 2000))
	b.Emit(b.more(5, 5))
	b.mustEnd(t)
	if got := sums(b.last()); got != "acme.api 1×11/22 acme.login 1×1100/2200 " {
		t.Errorf("got %s", got)
	}
	b.counter(t, map[string]uint64{"continued": 1, "continued_unmatched": 1, "followed": 0})
}

// Where the window of the first is over, they are left to the second.
func TestContinued_anObservationInTheNextWindowIsOneUse(t *testing.T) {
	b := newBench(t, nil)
	b.Emit(b.tls("api.acme.example"))
	b.mustFlush(t)
	b.clock.pass(5 * time.Minute)
	b.Emit(b.tls("api.acme.example"))
	b.mustEnd(t)
	if got := sums(b.last()); got != "acme.api 1×10/20 acme.api 1×10/20 " {
		t.Errorf("got %s", got)
	}
}

func TestContinued_followsAsManyAsMayBeOpen(t *testing.T) {
	b := newBench(t, func(c *Config, _ *Deps) { c.MaxFolds = 16 })
	at := func(port uint16) signatures.Flow {
		return signatures.Flow{Protocol: "tcp", Client: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.5"), port), Server: netip.MustParseAddrPort("203.0.113.7:443")}
	}
	for port := range uint16(20) {
		o := b.tls("api.acme.example")
		o.Flow = at(1000 + port)
		b.Emit(o)
		if port == 15 { // the first is used again, and stays
			o = b.more(1, 1)
			o.Flow = at(1000)
			o.Flow.BytesUp = 1
			b.Emit(o)
		}
	}
	b.counter(t, map[string]uint64{"followed": 16, "followed_evicted": 4})
	if !b.Follows(at(1000)) || b.Follows(at(1001)) || b.Follows(at(1004)) || !b.Follows(at(1005)) || !b.Follows(at(1019)) {
		t.Error("it was not the least recently used that was forgotten")
	}
}

// A DNS lookup has no further bytes, and its port is soon another's.
func TestContinued_notOfLookups(t *testing.T) {
	b := newBench(t, nil)
	o := b.tls("api.acme.example")
	o.Kind, o.NameEvidence = signatures.KindDNS, signatures.EvidenceDNS
	b.Emit(o)
	b.counter(t, map[string]uint64{"matches": 1, "followed": 0})
}

func TestContinued_whileTheSinkRefuses(t *testing.T) {
	b := newBench(t, nil)
	b.sink.setRefusal(errors.New("no space"))
	b.Emit(b.tls("api.acme.example"))
	if _, err := b.flush(false); err == nil {
		t.Fatal("no refusal")
	}
	b.Emit(b.more(1, 1))
	b.clock.pass(5 * time.Minute)
	b.Emit(b.more(2, 2))
	b.sink.setRefusal(nil)
	b.mustEnd(t)
	if got := sums(b.last()); got != "acme.api 1×11/21 acme.api 1×2/2 " {
		t.Errorf("got %s", got)
	}
}

func TestContinued_offlineByTheTimeOfTheCapture(t *testing.T) {
	b := newBench(t, func(c *Config, _ *Deps) { c.Offline = true })
	start := time.Date(2020, 1, 1, 8, 0, 0, 0, time.UTC)
	at := func(o signatures.Observation, d time.Duration) signatures.Observation {
		o.Time = start.Add(d)
		return o
	}
	b.Emit(at(b.tls("api.acme.example"), time.Minute))
	b.Emit(at(b.more(1, 1), 2*time.Minute))
	b.Emit(at(b.more(2, 2), 7*time.Minute))
	b.mustEnd(t)
	if got := sums(b.last()); got != "acme.api 1×11/21 acme.api 1×2/2 " {
		t.Errorf("got %s", got)
	}
}

func BenchmarkContinued(b *testing.B) {
	bench := newBench(new(testing.T), nil)
	bench.Emit(bench.tls("api.acme.example"))
	for name, port := range map[string]uint16{"followed": 50000, "not followed": 1} {
		o := bench.more(1, 1)
		o.Flow.Client = netip.AddrPortFrom(o.Flow.Client.Addr(), port)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bench.Emit(o)
			}
		})
	}
}
