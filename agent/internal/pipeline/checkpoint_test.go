package pipeline

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// marks is a held sensor's side of checkpoints.
type marks struct {
	emitted, marked, kept int
}

func (m *marks) mark(still func()) func() {
	still()
	at := m.emitted
	m.marked++
	return func() { m.kept = at }
}

func checkpointBench(t *testing.T) (*bench, *marks) {
	m := &marks{}
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Checkpoint = &Checkpoint{Sensor: "log", Every: 30 * time.Second, Mark: m.mark}
	})
	return b, m
}

func (m *marks) emit(b *bench, n int, name string) {
	for range n {
		b.Emit(signatures.Observation{Sensor: "log", Kind: signatures.KindDNS, Name: name, Remote: true, Time: b.clock.clock().wall()})
		m.emitted++
	}
}

// stored is how many sightings the sink holds, by the last revision of each finding.
func (b *bench) stored() int {
	last := map[string]uint64{}
	for _, f := range b.sink.all() {
		last[f.ID] = f.Count
	}
	sum := 0
	for _, n := range last {
		sum += int(n)
	}
	return sum
}

// TestPositionsGoWithWhatIsStored holds at every moment that what the sink has
// is what the kept positions stand for: a crash would lose and repeat nothing.
func TestPositionsGoWithWhatIsStored(t *testing.T) {
	b, m := checkpointBench(t)
	flush := func(kept int) {
		t.Helper()
		if _, err := b.flush(false); err != nil {
			t.Fatal(err)
		}
		if m.kept != kept || b.stored() != kept {
			t.Fatalf("positions kept for %d sightings, %d stored, want %d", m.kept, b.stored(), kept)
		}
	}
	m.emit(b, 3, "api.acme.example")
	flush(3) // the first after a quiet time at once
	m.emit(b, 2, "api.acme.example")
	m.emit(b, 1, "eu.api.acme.example")
	flush(3)
	b.clock.pass(29 * time.Second)
	flush(3)
	b.clock.pass(time.Second)
	flush(6)
	m.emit(b, 5, "api.acme.example")
	b.clock.pass(10 * time.Minute) // the window ends
	m.emit(b, 1, "api.acme.example")
	flush(12)
	m.emit(b, 4, "api.acme.example")
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if m.kept != 16 || b.stored() != 16 {
		t.Errorf("at the end positions stand for %d, %d are stored", m.kept, b.stored())
	}
	if n := b.Counters()["checkpoints"]; n != 4 {
		t.Errorf("%d checkpoints", n)
	}
}

// TestPositionsStayWhereTheSinkRefuses keeps nothing until what it stands for is
// stored.
func TestPositionsStayWhereTheSinkRefuses(t *testing.T) {
	b, m := checkpointBench(t)
	b.sink.setRefusal(errors.New("disk full"))
	m.emit(b, 3, "api.acme.example")
	if _, err := b.flush(false); err == nil {
		t.Fatal("no error")
	}
	if m.marked != 1 || m.kept != 0 {
		t.Errorf("%d marks, kept %d", m.marked, m.kept)
	}
	b.sink.setRefusal(nil)
	if _, err := b.flush(false); err != nil {
		t.Fatal(err)
	}
	if m.kept != 3 || b.stored() != 3 {
		t.Errorf("kept %d, stored %d", m.kept, b.stored())
	}
}

// TestOthersDoNotWaitForCheckpoints stores a finding of the wire at once.
func TestOthersDoNotWaitForCheckpoints(t *testing.T) {
	b, m := checkpointBench(t)
	m.emit(b, 1, "api.acme.example")
	if _, err := b.flush(false); err != nil {
		t.Fatal(err)
	}
	m.emit(b, 1, "api.acme.example")
	b.Emit(b.tls("api.acme.example"))
	if _, err := b.flush(false); err != nil {
		t.Fatal(err)
	}
	if m.marked != 1 || m.kept != 1 || len(b.sink.all()) != 2 || b.sink.all()[1].Sensor != "network" {
		t.Errorf("%d marks, kept %d, stored %+v", m.marked, m.kept, b.sink.all())
	}
	if wait := b.untilDue(true); wait > 30*time.Second {
		t.Errorf("the next look is in %v", wait)
	}
}

// TestRemoteUse names client and user of the log and asks nobody for an owner.
func TestRemoteUse(t *testing.T) {
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Owner = func(signatures.Flow) (signatures.Process, string) {
			t.Error("the owner of another host's connection is asked for")
			return signatures.Process{}, ""
		}
	})
	found := b.Find(signatures.Observation{
		Sensor: "log", Kind: signatures.KindHTTP, Name: "api.acme.example", Remote: true, Process: signatures.Process{User: "dana"},
		Flow: signatures.Flow{Protocol: "tcp", Client: netip.MustParseAddrPort("192.0.2.7:53211"), BytesUp: 5},
	})
	if len(found) != 1 {
		t.Fatalf("%d findings", len(found))
	}
	f := found[0]
	if f.User != "dana" || f.ClientAddress != "192.0.2.7" || f.OwnerUnknown != "not_local" || f.BytesUp != 5 || f.Sensor != "log" {
		t.Errorf("finding %+v", f)
	}
	if n := b.Counters()["owner_not_local"]; n != 1 {
		t.Errorf("counted %d", n)
	}
}
