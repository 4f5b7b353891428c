// Command matching measures how fast and how large the index of host rules is,
// at the catalogue's size, at 100,000 and at a million rules, beside a plain map
// that is probed at every label boundary and beside the DNS engine of AdGuard's
// urlfilter, which ad blockers use for lists of this size. It prints one table.
//
// All are asked the same names in the same order: six in ten unknown ones of
// three labels, three of five labels, one that a rule matches. A name is asked
// after 65,535 others, so that what is measured includes the memory that a real
// mixture of names drags through the caches. The rounds of the matchers take
// turns, so that a busy machine disturbs all alike; the table has the fastest
// round and the median of each.
//
// The heap is what a matcher adds to the rules themselves, which stay in memory
// for all of them. The map knows neither wildcards nor what kind a rule is, and
// answers with a number; the engine answers with its own rule.
//
// It is a module of its own, so that urlfilter (GPL-3.0) is no part of what the
// project builds and links. It imports signatures and the catalogue.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 15, "rounds of every matcher")
	length := flag.Duration("round", 150*time.Millisecond, "how long a round takes")
	flag.Parse()
	if err := run(*rounds, *length); err != nil {
		fmt.Fprintln(os.Stderr, "matching:", err)
		os.Exit(1)
	}
}

func run(rounds int, length time.Duration) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "rules\tmatcher\tbest ns\tmedian ns\tallocs\tB/rule\tbuild ms\tmatched\t")
	for _, size := range []int{0, 100_000, 1_000_000} {
		w, err := newWorld(size)
		if err != nil {
			return err
		}
		results, err := measure(w, rounds, length)
		if err != nil {
			return err
		}
		for _, r := range results {
			slices.Sort(r.ns)
			fmt.Fprintf(t, "%d\t%s\t%.1f\t%.1f\t%.2f\t%.0f\t%.0f\t%.1f %%\t\n", w.rules, r.name, r.ns[0], r.ns[len(r.ns)/2], r.allocations,
				float64(r.heap)/float64(w.rules), float64(r.build)/float64(time.Millisecond), 100*r.matched)
		}
	}
	return t.Flush()
}

// result is what was measured of one matcher.
type result struct {
	name        string
	ns          []float64 // a look-up, by round
	allocations float64   // a look-up
	heap        int64     // bytes that are still there after building
	build       time.Duration
	matched     float64 // share of the names
}

func measure(w *world, rounds int, length time.Duration) ([]result, error) {
	makers := matchers()
	results := make([]result, len(makers))
	asks := make([]func(from, to int) int, len(makers))
	for i, m := range makers {
		before := heap()
		start := time.Now()
		ask, err := m.build(w)
		if err != nil {
			return nil, fmt.Errorf("building %s with %d rules: %w", m.name, w.rules, err)
		}
		results[i] = result{name: m.name, build: time.Since(start)}
		results[i].heap = heap() - before
		asks[i] = ask
		results[i].matched = float64(ask(0, len(w.names))) / float64(len(w.names)) // also warms it up
	}
	for range rounds {
		for i, ask := range asks {
			n, took, mallocs := round(ask, len(w.names), length)
			results[i].ns = append(results[i].ns, float64(took.Nanoseconds())/float64(n))
			results[i].allocations = max(results[i].allocations, float64(mallocs)/float64(n))
		}
	}
	runtime.KeepAlive(w)
	slices.SortStableFunc(results, func(a, b result) int { return cmp.Compare(a.name, b.name) })
	return results, nil
}

// round asks names for length, and returns how many, how long it took, and how
// many objects were allocated.
func round(ask func(from, to int) int, names int, length time.Duration) (n int, took time.Duration, mallocs uint64) {
	const chunk = 1024
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for from := 0; took < length; from = (from + chunk) % names {
		ask(from, from+chunk)
		n += chunk
		took = time.Since(start)
	}
	runtime.ReadMemStats(&after)
	return n, took, after.Mallocs - before.Mallocs
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what had a finalizer or was in a pool goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
