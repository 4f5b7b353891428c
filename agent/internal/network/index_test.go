package network

import (
	"math/rand/v2"
	"testing"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
)

// The table finds what a plain map finds, through growth, removal and ids that
// are used again.
func TestTableIsAMap(t *testing.T) {
	table := newTable(DefaultLimits())
	plain := map[flowKey]flowID{}
	random := rand.New(rand.NewPCG(1, 2))
	key := func() flowKey {
		return flowKey{first: link.Address{15: byte(random.Uint32())}, firstPort: uint16(random.Uint32N(20)), protocol: link.TCP}
	}
	for step := range 200_000 {
		k := key()
		f := table.find(&k)
		id, there := plain[k]
		if there != (f != nil) || there && (f.id != id || f.key != k) {
			t.Fatalf("step %d: the table says %v, the map %v", step, f, id)
		}
		grow := step%20_000 < 12_000 // else shrink
		switch {
		case !there && grow:
			plain[k] = table.add(k, step%2 == 0, int64(step)).id
		case there && !grow:
			table.remove(f)
			delete(plain, k)
		}
		if table.count() != len(plain) {
			t.Fatalf("step %d: %d flows, want %d", step, table.count(), len(plain))
		}
	}
	for k, id := range plain {
		if f := table.find(&k); f == nil || f.id != id {
			t.Fatalf("flow %d is lost", id)
		}
	}
}

// Entries whose homes are the same, at the end of the index and around it.
func TestIndexMovesUpWhatWasDisplaced(t *testing.T) {
	x := newIndex()
	home := uint32(leastEntries - 2)
	hashes := []uint32{home, home, home, home + 1, 0, home, 1}
	for i, hash := range hashes {
		x.put(hash, flowID(i+1))
	}
	holds := func(hash uint32, id flowID) bool {
		for i := x.home(hash); x.entries[i] != 0; i = x.after(i) {
			if x.entries[i].id() == id {
				return true
			}
		}
		return false
	}
	for gone := range hashes {
		x.remove(hashes[gone], flowID(gone+1))
		x.remove(hashes[gone], flowID(gone+1)) // twice is once
		for i, hash := range hashes {
			if holds(hash, flowID(i+1)) != (i > gone) {
				t.Errorf("after removing %d: entry %d", gone+1, i+1)
			}
		}
	}
	if x.count != 0 {
		t.Errorf("%d entries", x.count)
	}
}

// Keys that differ in little spread over the index as chance would have it:
// of n keys in 2n places about 1 - e^(-1/2) of the places are hit.
func TestHashSpreads(t *testing.T) {
	const keys = 1 << 15
	patterns := map[string]func(i int) flowKey{
		"ports":     func(i int) flowKey { return flowKey{firstPort: uint16(i), secondPort: 443, protocol: link.TCP} },
		"addresses": func(i int) flowKey { return flowKey{first: link.Address{14: byte(i >> 8), 15: byte(i)}} },
		"servers":   func(i int) flowKey { return flowKey{second: link.Address{12: byte(i >> 8), 13: byte(i)}} },
		"swapped":   func(i int) flowKey { return flowKey{first: link.Address{byte(i >> 8)}, second: link.Address{byte(i)}} },
	}
	for name, key := range patterns {
		x := newIndex()
		hit := map[uint32]bool{}
		for i := range keys {
			k := key(i)
			hit[x.hash(&k)%(2*keys)] = true
		}
		if share := float64(len(hit)) / (2 * keys); share < 0.38 {
			t.Errorf("%s: %.3f of the places are hit, want 0.393", name, share)
		}
	}
}

func TestLookUpDoesNotAllocate(t *testing.T) {
	table := newTable(DefaultLimits())
	var k flowKey
	table.add(k, true, 0)
	if n := testing.AllocsPerRun(100, func() { table.find(&k) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	// A flow that comes where another went takes its memory.
	if n := testing.AllocsPerRun(1000, func() {
		table.remove(table.find(&k))
		table.add(k, true, 0)
	}); n != 0 {
		t.Errorf("%v allocations for a flow in the place of another", n)
	}
}
