package state

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

func helperProcess(t *testing.T, task, path, argument string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], path, argument)
	command.Env = append(os.Environ(), helperVariable+"="+task)
	return command
}

// checkWhole asserts that every revision is complete: its document has its
// hash, its audit record is there, and the ids of the newest are remembered.
func checkWhole(t *testing.T, s *State) int {
	t.Helper()
	revisions, err := s.InventoryRevisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var last *inventory.Document
	for i, r := range revisions {
		if r.Number != int64(i+1) {
			t.Fatalf("revision %d at place %d: there is a gap", r.Number, i+1)
		}
		_, data, err := s.one(t.Context(), s.reader, inventorySeries(), "WHERE number = ?", r.Number)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != r.SHA256 {
			t.Fatalf("revision %d: its document does not have its hash", r.Number)
		}
		if last, err = inventory.FromJSON(data); err != nil {
			t.Fatal(err)
		}
	}
	head, err := s.VerifyAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head.Seq != int64(len(revisions)) {
		t.Fatalf("%d revisions and %d audit records: one of a pair is missing", len(revisions), head.Seq)
	}
	if last == nil {
		return 0
	}
	for i := range last.Entries {
		var kind string
		if err := s.reader.QueryRowContext(t.Context(), "SELECT kind FROM inventory_id WHERE id = ?", last.Entries[i].ID).Scan(&kind); err != nil || kind != string(last.Entries[i].Kind) {
			t.Fatalf("id %s of the newest revision is remembered as %q, %v", last.Entries[i].ID, kind, err)
		}
	}
	return len(revisions)
}

// TestTwoProcesses lets two other processes and this one, with several
// goroutines, open, migrate and apply at once. Every change lands once.
func TestTwoProcesses(t *testing.T) {
	const each = 15
	path := t.TempDir() + "/state.db"
	var output [2]bytes.Buffer
	var commands [2]*exec.Cmd
	for i := range commands {
		commands[i] = helperProcess(t, "count", path, strconv.Itoa(each))
		commands[i].Stdout, commands[i].Stderr = &output[i], &output[i]
		if err := commands[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	s := openAt(t, path)
	var wait sync.WaitGroup
	for worker := range 3 {
		wait.Go(func() {
			for i := range 5 {
				d := document(fmt.Sprintf("own-%d-%d", worker, i), inventory.StatusApproved)
				// The date follows the number of the base, as that of the helpers does: none steps back.
				for {
					current, _, err := s.CurrentInventory(t.Context())
					if err != nil && !errors.Is(err, ErrNone) {
						t.Error(err)
						return
					}
					change := Change{Author: "test", Source: SourceGit, At: start.Add(time.Duration(current.Number) * time.Second), Base: current.Number}
					if _, err = s.ApplyInventory(t.Context(), d, change); err == nil {
						break
					}
					if _, conflict := errors.AsType[*ConflictError](err); !conflict {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	for i := range commands {
		if err := commands[i].Wait(); err != nil {
			t.Fatalf("helper %d: %v\n%s", i, err, output[i].String())
		}
		if lines := strings.Count(output[i].String(), "\n"); lines != each {
			t.Errorf("helper %d applied %d, want %d", i, lines, each)
		}
	}
	if got, want := checkWhole(t, s), 2*each+15; got != want {
		t.Errorf("%d revisions, want %d", got, want)
	}
}

// TestKill kills a process again and again while it applies: what it said it
// committed is there, and nothing is there by halves.
func TestKill(t *testing.T) {
	path := t.TempDir() + "/state.db"
	random := rand.New(rand.NewPCG(7, 7))
	inFlight := 0
	for round := range 12 {
		command := helperProcess(t, "forever", path, "")
		var failed bytes.Buffer
		command.Stderr = &failed
		output, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(output)
		said := 0
		read := func() bool {
			line, err := reader.ReadString('\n')
			if err != nil {
				return false
			}
			if said, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
				t.Fatalf("helper said %q", line)
			}
			return true
		}
		for range 1 + random.IntN(3) {
			if !read() {
				t.Fatalf("helper ended by itself: %s", failed.String())
			}
		}
		time.Sleep(time.Duration(random.IntN(60000)) * time.Microsecond)
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for read() { // what it said before it died
		}
		_, _ = io.Copy(io.Discard, reader)
		_ = command.Wait() // it was killed

		s := openAt(t, path)
		got := checkWhole(t, s)
		if got < said || got > said+1 {
			t.Fatalf("round %d: the process said %d revisions, %d are there", round, said, got)
		}
		if got > said {
			inFlight++
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of 12 kills came between the commit and its message", inFlight)
}
