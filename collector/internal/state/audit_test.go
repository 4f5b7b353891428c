package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/google/go-cmp/cmp"
)

func TestAuditChain(t *testing.T) {
	s := open(t)
	if head, err := s.VerifyAudit(t.Context()); err != nil || head != (AuditHead{0, strings.Repeat("0", 64)}) {
		t.Fatalf("empty log: %+v, %v", head, err)
	}
	var want []AuditRecord
	for i := range 5 {
		record, err := s.Audit(t.Context(), AuditEvent{
			Time: start.Add(time.Duration(i) * time.Millisecond), Actor: "ana", Action: "export.usage", Object: "usage",
			Patch: []inventory.PatchOperation{{Op: "remove", Path: fmt.Sprintf("/%d", i)}}, Reason: "audit ü", RequestID: "r", Address: "::1",
		})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, record)
	}
	got, err := s.AuditRecords(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-returned +read):\n%s", diff)
	}
	if page, err := s.AuditRecords(t.Context(), 2, 2); err != nil || len(page) != 2 || page[0].Seq != 3 {
		t.Errorf("page %+v, %v", page, err)
	}
	head, err := s.VerifyAudit(t.Context())
	if err != nil || head.Seq != 5 || head.Hash != want[4].Hash {
		t.Errorf("head %+v, %v", head, err)
	}
	// The hash by hand, as the specification says it.
	previous, _ := hex.DecodeString(want[0].Hash)
	record := `{"action":"export.usage","actor":"ana","address":"::1","object":"usage","patch":[{"op":"remove","path":"/1"}],` +
		`"prev_hash":"` + want[0].Hash + `","reason":"audit ü","request_id":"r","seq":2,"time":"2026-09-01T08:00:00.001Z"}`
	if sum := sha256.Sum256(append(previous, record...)); hex.EncodeToString(sum[:]) != want[1].Hash {
		t.Errorf("record 2 has the hash %s, by hand it is %x", want[1].Hash, sum)
	}
}

func TestVerifyAuditFindsEveryChange(t *testing.T) {
	f := func(name, statement string, seq int) {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			for range 4 {
				if _, err := s.Audit(t.Context(), AuditEvent{Time: start, Actor: "ana", Action: "token.create"}); err != nil {
					t.Fatal(err)
				}
			}
			for _, trigger := range []string{"update", "delete", "next"} { // an attacker with the file can do so
				if _, err := s.writer.ExecContext(t.Context(), "DROP TRIGGER audit_log_"+trigger); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.writer.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
			_, err := s.VerifyAudit(t.Context())
			if !errors.Is(err, ErrAuditBroken) || !strings.Contains(err.Error(), fmt.Sprintf("record %d:", seq)) {
				t.Errorf("%v: want ErrAuditBroken at record %d", err, seq)
			}
		})
	}
	f("content", "UPDATE audit_log SET record = replace(record, 'ana', 'eve') WHERE seq = 2", 2)
	f("hash", "UPDATE audit_log SET hash = zeroblob(32) WHERE seq = 3", 3)
	f("previous_hash", "UPDATE audit_log SET prev_hash = zeroblob(32) WHERE seq = 3", 3)
	f("removed", "DELETE FROM audit_log WHERE seq = 2", 3)
	f("removed_first", "DELETE FROM audit_log WHERE seq = 1", 2)
	f("renumbered", "UPDATE audit_log SET seq = 9 WHERE seq = 4", 9)
	f("added", "INSERT INTO audit_log SELECT 5, record, prev_hash, hash FROM audit_log WHERE seq = 4", 5)
}

func TestAuditRefuses(t *testing.T) {
	s := open(t)
	for _, event := range []AuditEvent{
		{Actor: "ana", Action: "x"},
		{Time: start, Action: "x"},
		{Time: start, Actor: "ana"},
		{Time: start, Actor: "ana", Action: "x", Patch: func() {}},
	} {
		if _, err := s.Audit(t.Context(), event); err == nil {
			t.Errorf("accepted %+v", event)
		}
	}
	record, err := s.Audit(t.Context(), AuditEvent{Time: start, Actor: "ana", Action: "x", Patch: strings.Repeat("x", MaxAuditRecordBytes)})
	if err != nil || record.Seq != 1 || len(record.Patch) > 200 || !strings.Contains(string(record.Patch), `"omitted_bytes":1048578`) {
		t.Errorf("a patch beyond the limit: %s, %v", record.Patch, err)
	}
	if _, err := s.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}
