package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// BenchmarkApplyInventory changes one of 10,000 entries.
func BenchmarkApplyInventory(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir()+"/state.db")
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	d := &inventory.Document{Schema: inventory.Schema}
	for i := range 10000 {
		d.Entries = append(d.Entries, document(fmt.Sprintf("entry-%d", i), inventory.StatusApproved).Entries...)
	}
	d.Normalize()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.Entries[i%10000].Description = fmt.Sprint(i)
		change := Change{Author: "bench", Source: SourceAPI, At: start.Add(time.Duration(i) * time.Second), Base: AnyBase}
		if _, err := s.ApplyInventory(b.Context(), d, change); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
