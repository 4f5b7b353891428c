package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"go.uber.org/goleak"
)

// helperVariable makes the test binary act as another collector process; see
// helper.
const helperVariable = "GNOMON_STATE_TEST_HELPER"

func TestMain(m *testing.M) {
	if task := os.Getenv(helperVariable); task != "" {
		if err := helper(task, os.Args[len(os.Args)-2], os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

var start = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

// helper applies inventories to the database at path: "count" as many as the
// argument says, going on after conflicts; "forever" until it is killed. It
// prints each revision number once it is committed.
func helper(task, path, argument string) error {
	ctx := context.Background()
	s, err := Open(ctx, path)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	count, _ := strconv.Atoi(argument)
	for i := 0; task == "forever" || i < count; {
		base := int64(0)
		current, _, err := s.CurrentInventory(ctx)
		if err == nil {
			base = current.Number
		} else if !errors.Is(err, ErrNone) {
			return err
		}
		d := document(fmt.Sprintf("entry-%d-%d", os.Getpid(), i), inventory.StatusApproved)
		for n := range 200 { // large enough for a kill to find the middle of a write
			d.Entries = append(d.Entries, document(fmt.Sprintf("bulk-%d", n), inventory.StatusApproved).Entries...)
			d.Entries[len(d.Entries)-1].Description = fmt.Sprintf("%d of %d", i, os.Getpid())
		}
		revision, err := s.ApplyInventory(ctx, d, Change{Author: "helper", Source: SourceAPI, At: start.Add(time.Duration(base) * time.Second), Base: base})
		var conflict *ConflictError
		if errors.As(err, &conflict) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println(revision.Number)
		i++
	}
	return nil
}

// document holds one entry.
func document(id string, status inventory.Status) *inventory.Document {
	return &inventory.Document{Schema: inventory.Schema, Entries: []inventory.Entry{{
		ID: id, Name: "Something", Kind: inventory.KindAPIService, Provider: "openai", Status: status,
		Match: []inventory.Match{{Signature: []string{"openai.api"}}},
	}}}
}

func open(t *testing.T) *State {
	t.Helper()
	return openAt(t, t.TempDir()+"/data/state.db")
}

func openAt(t *testing.T, path string) *State {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func by(author string, base int64, hours int) Change {
	return Change{Author: author, Source: SourceUI, At: start.Add(time.Duration(hours) * time.Hour), Base: base, Reason: "because", RequestID: "r-1", Address: "192.0.2.1"}
}
