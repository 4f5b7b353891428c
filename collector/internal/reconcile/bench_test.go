package reconcile

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// largeInventory has n entries in the mix of a large organisation: mostly exact
// signatures, domains, products and models, some globs and wildcards, and a few
// rules over whole families, publishers and providers.
func largeInventory(n int) *inventory.Document {
	random := rand.New(rand.NewPCG(1, 2))
	d := &inventory.Document{Schema: inventory.Schema, Defaults: inventory.Default()}
	for i := range n {
		provider := fmt.Sprintf("provider-%d", random.IntN(400))
		e := inventory.Entry{ID: fmt.Sprintf("entry-%05d", i), Name: "x", Kind: inventory.KindSaaSApp, Status: inventory.StatusApproved}
		var m inventory.Match
		switch kind := random.IntN(100); {
		case kind < 30:
			m.Signature = []string{fmt.Sprintf("%s.product-%d", provider, random.IntN(10))}
		case kind < 45:
			m.Domain = []string{fmt.Sprintf("api%d.%s.example", random.IntN(10), provider)}
		case kind < 55:
			m.Software = inventory.SoftwareRule{Publisher: provider, Name: fmt.Sprintf("product-%d", random.IntN(10)), Version: ">=1.0"}
		case kind < 70:
			m.Model.SHA256 = []string{fmt.Sprintf("%064x", random.IntN(20000))}
		case kind < 80:
			m.Signature = []string{provider + ".*"}
		case kind < 87:
			m.Domain = []string{"*." + provider + ".example"}
		case kind < 92:
			m.Model.Name = fmt.Sprintf("model-%d*", random.IntN(500))
		case kind < 95:
			m.Model.Family = fmt.Sprintf("family-%d", random.IntN(50))
		case kind < 97:
			m.Publisher = []string{provider}
		default:
			m.Provider = []string{provider}
		}
		e.Match = []inventory.Match{m}
		switch random.IntN(10) {
		case 0:
			e.Status = inventory.StatusProhibited
		case 1:
			e.Status = inventory.StatusRetired
		case 2, 3, 4:
			e.Status = inventory.StatusRestricted
			e.Scope = inventory.Scope{Groups: []string{"engineering", "research"}, Networks: []string{"10.0.0.0/8"}, Channels: []inventory.Channel{inventory.ChannelEndpoint}}
		}
		e.Valid = inventory.Validity{From: "2026-01-01", Until: "2027-01-01"}
		e.Review.Last = "2026-09-01"
		d.Entries = append(d.Entries, e)
	}
	return d
}

func someUsages(n int) []Usage {
	random := rand.New(rand.NewPCG(3, 4))
	usages := make([]Usage, n)
	for i := range usages {
		provider := fmt.Sprintf("provider-%d", random.IntN(500)) // a fifth of them in no entry
		u := &usages[i]
		*u = Usage{
			Provider: provider, Confidence: 90, At: judgedAt.Add(time.Duration(random.IntN(1000)) * time.Hour * -1),
			Host: fmt.Sprintf("host-%d", random.IntN(5000)), User: fmt.Sprintf("user-%d", random.IntN(3000)), Channel: "endpoint", Region: "eu",
			Groups: []string{"all", "engineering"}, HostLabels: map[string]string{"managed": "true"}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.2.3")},
		}
		switch random.IntN(4) {
		case 0, 1:
			u.SignatureID = fmt.Sprintf("%s.product-%d", provider, random.IntN(10))
			u.Domain = fmt.Sprintf("api%d.%s.example", random.IntN(10), provider)
		case 2:
			u.Model = Model{Name: fmt.Sprintf("model-%d-8b", random.IntN(1000)), Family: fmt.Sprintf("family-%d", random.IntN(60)), SHA256: fmt.Sprintf("%064x", random.IntN(20000)), Publisher: provider, Format: "gguf"}
		case 3:
			u.Software = Software{Publisher: provider, Name: fmt.Sprintf("product-%d", random.IntN(10)), Version: "1.2.3"}
			u.SignatureID = fmt.Sprintf("%s.product-%d", provider, random.IntN(10))
		}
	}
	return usages
}

func mustCompile(tb testing.TB, d *inventory.Document) *Rules {
	tb.Helper()
	rules, err := Compile(d, Default())
	if err != nil {
		tb.Fatal(err)
	}
	return rules
}

func BenchmarkJudge(b *testing.B) {
	rules, usages := mustCompile(b, largeInventory(10000)), someUsages(1<<16)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		rules.Judge(&usages[i&(1<<16-1)])
		i++
	}
}

func BenchmarkJudgeExplain(b *testing.B) {
	rules, usages := mustCompile(b, largeInventory(10000)), someUsages(1<<16)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		rules.JudgeExplain(&usages[i&(1<<16-1)])
		i++
	}
}

// BenchmarkMillion judges a million different usages against 10,000 entries.
func BenchmarkMillion(b *testing.B) {
	rules, usages := mustCompile(b, largeInventory(10000)), someUsages(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		for i := range usages {
			rules.Judge(&usages[i])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/usage")
}

func BenchmarkCompile(b *testing.B) {
	d := largeInventory(10000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(d, Default()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestJudgeAllocatesNothing pins the hot path over an inventory of 10,000
// entries: no usage judges by way of the heap.
func TestJudgeAllocatesNothing(t *testing.T) {
	rules, usages := mustCompile(t, largeInventory(10000)), someUsages(500)
	for i := range usages {
		if allocations := testing.AllocsPerRun(1, func() { rules.Judge(&usages[i]) }); allocations != 0 {
			t.Errorf("%.0f allocations for %+v, want 0", allocations, usages[i])
		}
	}
}
