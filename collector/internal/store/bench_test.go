//go:build linux

package store

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// BenchmarkInsertFindings stores new findings in calls of one size. rows/s
// counts rows that are durable; the sample has every field filled and is
// larger than most.
func BenchmarkInsertFindings(b *testing.B) {
	for _, fsync := range []bool{false, true} {
		for _, size := range []int{1_000, 10_000, 50_000} {
			b.Run(fmt.Sprintf("fsync=%v/rows=%d", fsync, size), func(b *testing.B) {
				opt := options(shared, database(b))
				opt.Fsync = fsync
				s := openWith(b, opt)
				next := 0
				var own time.Duration
				engineBefore := engineCPU(b)
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					list := samples(next, next+size)
					next += size
					before := ownCPU(b)
					b.StartTimer()
					if err := s.InsertFindings(context.Background(), list); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					own += ownCPU(b) - before
					b.StartTimer()
				}
				b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(own.Microseconds())/float64(next), "own-cpu-us/row")
				b.ReportMetric(float64((engineCPU(b)-engineBefore).Microseconds())/float64(next), "engine-cpu-us/row")
				stored, err := s.number(context.Background(), "test", "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = ?", s.opt.Database)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(stored)/float64(next), "disk-bytes/row")
			})
		}
	}
}

// ownCPU is the processor time of this process: unlike the clock it does not
// count what else the machine does.
func ownCPU(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// engineCPU is the processor time of the engine, in ticks of 10 ms.
func engineCPU(b *testing.B) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", shared.PID()))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// BenchmarkFill is the part of an insert that is ours: rows to columns.
func BenchmarkFill(b *testing.B) {
	rows := make([]findingRow, 10_000)
	for n := range rows {
		rows[n].Finding = sample(n)
	}
	columns := findingColumns()
	b.ReportAllocs()
	for b.Loop() {
		fill(columns, pointers(rows))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/row")
}

// BenchmarkUsages groups 200,000 findings of 30 days, a tenth of them sent
// twice, into usages, and reads the segments of one day.
func BenchmarkUsages(b *testing.B) {
	s := openWith(b, options(shared, database(b)))
	const total, size = 200_000, 50_000
	for from := 0; from < total; from += size {
		list := make([]finding.Finding, 0, size)
		for n := from; n < from+size; n++ {
			f := sample(n)
			f.User = fmt.Sprintf("user-%d", n%1000)
			f.WindowStart = noon.Add(time.Duration(n%30)*24*time.Hour + time.Duration(n%288)*5*time.Minute)
			list = append(list, identify(f))
		}
		if err := s.InsertFindings(context.Background(), list); err != nil {
			b.Fatal(err)
		}
		if err := s.InsertFindings(context.Background(), list[:size/10]); err != nil {
			b.Fatal(err)
		}
	}
	read := func(name string, run func() (int, error)) {
		b.Run(name, func(b *testing.B) {
			rows := 0
			for b.Loop() {
				n, err := run()
				if err != nil {
					b.Fatal(err)
				}
				rows = n
			}
			b.ReportMetric(float64(rows), "rows")
		})
	}
	ctx := context.Background()
	read("count", func() (int, error) {
		n, err := s.UsageCount(ctx, UsageFilter{})
		return int(n), err
	})
	read("first page", func() (n int, err error) {
		err = s.Usages(ctx, UsageFilter{Limit: 100}, func(UsageRow) error { n++; return nil })
		return n, err
	})
	read("segments of a day", func() (n int, err error) {
		err = s.UsageSegments(ctx, SegmentFilter{SinceDay: noon, UntilDay: noon.Add(24 * time.Hour)}, []time.Time{noon},
			func(UsageSegment) error { n++; return nil })
		return n, err
	})
	read("segments of all", func() (n int, err error) {
		err = s.UsageSegments(ctx, SegmentFilter{}, []time.Time{noon}, func(UsageSegment) error { n++; return nil })
		return n, err
	})
	read("last findings", func() (n int, err error) {
		err = s.Findings(ctx, FindingFilter{Limit: 100}, func(finding.Finding) error { n++; return nil })
		return n, err
	})
}
