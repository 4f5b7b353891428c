package spool

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// helperVariable makes the test binary a process that uses the spool in the
// directory it names, until it is killed.
const helperVariable = "GNOMON_SPOOL_HELPER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		os.Exit(helper(dir))
	}
	os.Exit(m.Run())
}

// helper appends numbered records and acknowledges what it reads, and says on
// standard output what it was told is done: "a N" and "k N".
func helper(dir string) int {
	s, err := Open(Config{Dir: dir, MaxBytes: 64 << 20, SegmentBytes: 8 << 10})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var number int
	fmt.Sscan(os.Getenv("GNOMON_SPOOL_FROM"), &number)
	for ; ; number++ {
		text := fmt.Sprintf("%d %s", number, strings.Repeat("x", rand.IntN(900)))
		if err := s.Append(record(text, 1)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Printf("a %d\n", number)
		if number%3 != 0 {
			continue
		}
		r, position, err := s.Next(context.Background())
		if err == nil {
			err = s.Ack(position)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		var done int
		fmt.Sscan(string(r.Data), &done)
		fmt.Printf("k %d\n", done)
	}
}

// runAndKill starts the helper, kills it after about lines lines, and returns
// the last number appended and acknowledged that it reported.
func runAndKill(t *testing.T, dir string, from, lines int) (appended, acked int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.StartProcess(executable, []string{executable}, &os.ProcAttr{
		Env:   append(os.Environ(), helperVariable+"="+dir, fmt.Sprintf("GNOMON_SPOOL_FROM=%d", from)),
		Files: []*os.File{nil, w, os.Stderr},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	appended, acked = from-1, -1
	scanner := bufio.NewScanner(r)
	for n := 0; scanner.Scan(); n++ {
		var what string
		var number int
		if _, err := fmt.Sscan(scanner.Text(), &what, &number); err != nil {
			break // the line that the kill cut
		}
		if what == "a" {
			appended = number
		} else {
			acked = number
		}
		if n == lines {
			if err := process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := process.Wait(); err != nil {
		t.Fatal(err)
	}
	return appended, acked
}

// TestKill kills a process in the middle of its work again and again: what it
// was told is stored is there afterwards, what it acknowledged is not, nothing
// is there twice and the order holds.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	from, done := 0, -1
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		appended, acked := runAndKill(t, dir, from, rand.IntN(120))
		if appended < from {
			t.Fatalf("round %d: the helper did nothing", round)
		}
		done = max(done, acked)
		s, err := Open(Config{Dir: dir, MaxBytes: 64 << 20, SegmentBytes: 8 << 10})
		if err != nil {
			t.Fatal(err)
		}
		texts, _ := drain(t, s)
		first, next := -1, -1
		for i, text := range texts {
			var number int
			fmt.Sscan(text, &number)
			if i == 0 {
				first, next = number, number
			}
			if number != next {
				t.Fatalf("round %d: record %d where %d should be: lost, doubled or out of order", round, number, next)
			}
			next++
		}
		// One record more may be done or stored than the process could say.
		if first != done+1 && first != done+2 {
			t.Fatalf("round %d: the log starts with %d, acknowledged up to %d", round, first, done)
		}
		if next-1 != appended && next-1 != appended+1 {
			t.Fatalf("round %d: the log ends with %d, stored up to %d", round, next-1, appended)
		}
		stats := s.Stats()
		if stats.CorruptRecords+stats.CorruptSegments+stats.DamagedStates+stats.DroppedRecords > 0 {
			t.Fatalf("round %d: %+v", round, stats)
		}
		from, done = next, first-1
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
