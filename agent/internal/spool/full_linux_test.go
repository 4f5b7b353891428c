package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAppend_fullDisk fills a real file system of 512 KiB: the spool refuses,
// counts, keeps what it has, still acknowledges, and goes on once there is room.
func TestAppend_fullDisk(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("mounting a small file system needs CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(mount, syscall.MNT_DETACH) })
	s := open(t, small(filepath.Join(mount, "spool")))
	ballast := filepath.Join(mount, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 256<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var want []string
	var err error
	for i := 0; err == nil; i++ {
		text := fmt.Sprintf("%04d%s", i, strings.Repeat("x", 3000))
		if err = s.Append(record(text, 1)); err == nil {
			want = append(want, text[:4])
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Append on a full disk: %v", err)
	}
	stats := s.Stats()
	if stats.AppendErrors != 1 || stats.PendingRecords != uint64(len(want)) || stats.DroppedRecords != 0 {
		t.Errorf("append errors %d, pending %d, dropped %d; want 1, %d, 0", stats.AppendErrors, stats.PendingRecords, stats.DroppedRecords, len(want))
	}
	got, _ := drain(t, s)
	if diff := cmp.Diff(want, numbers(got)); diff != "" {
		t.Errorf("stored before (-want +got):\n%s", diff)
	}
	if err := s.Ack(1); err != nil {
		t.Errorf("Ack on a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, record("room", 1))
	s.Close()
	s = open(t, small(filepath.Join(mount, "spool")))
	got, _ = drain(t, s)
	if diff := cmp.Diff(append(want[1:], "room"), numbers(got)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}
