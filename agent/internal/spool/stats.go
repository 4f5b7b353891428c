package spool

import (
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// totals are counted since Open.
type totals struct {
	appended     counts
	acked        counts
	appendErrors uint64
	ackErrors    uint64
	unreadable   uint64 // damaged records that Next passed over
	lastError    string // of the last append or ack, "" after a success
}

// Stats is what a spool holds and what it lost.
type Stats struct {
	Bytes    int64 // of all segments
	MaxBytes int64
	Segments int

	PendingRecords    uint64 // stored and not acknowledged
	PendingFindings   uint64
	PendingHeartbeats uint64

	// Since Open.
	AppendedRecords    uint64
	AppendedFindings   uint64
	AppendedHeartbeats uint64
	AckedRecords       uint64
	AckedFindings      uint64
	AckedHeartbeats    uint64
	AppendErrors       uint64 // batches refused, e.g. on a full disk; the caller kept them
	AckErrors          uint64
	UnreadableRecords  uint64 // passed over by Next because damaged
	LastError          string // "" after a success

	// Since the spool was made; they outlive the process.
	DroppedRecords    uint64 // given up, oldest first, to stay below MaxBytes; also one that was in flight
	DroppedFindings   uint64
	DroppedHeartbeats uint64
	TornTails         uint64 // unfinished writes cut off by Open; none was ever confirmed to a caller
	TornBytes         uint64
	CorruptRecords    uint64 // once stored, no longer readable
	CorruptBytes      uint64
	CorruptSegments   uint64
	DamagedStates     uint64 // acknowledgements forgotten; what was there is sent again
}

// Stats returns the counters.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{
		Bytes: s.bytes(), MaxBytes: s.config.MaxBytes, Segments: len(s.segments),
		AppendedRecords: s.totals.appended.records, AppendedFindings: s.totals.appended.findings,
		AppendedHeartbeats: s.totals.appended.heartbeats,
		AckedRecords:       s.totals.acked.records, AckedFindings: s.totals.acked.findings,
		AckedHeartbeats: s.totals.acked.heartbeats,
		AppendErrors:    s.totals.appendErrors, AckErrors: s.totals.ackErrors,
		UnreadableRecords: s.totals.unreadable, LastError: s.totals.lastError,
		DroppedRecords: s.state.DroppedRecords, DroppedFindings: s.state.DroppedFindings,
		DroppedHeartbeats: s.state.DroppedHeartbeats,
		TornTails:         s.state.TornTails, TornBytes: s.state.TornBytes,
		CorruptRecords: s.state.CorruptRecords, CorruptBytes: s.state.CorruptBytes,
		CorruptSegments: s.state.CorruptSegments, DamagedStates: s.state.DamagedStates,
	}
	for _, seg := range s.segments {
		stats.PendingRecords += seg.pending.records
		stats.PendingFindings += seg.pending.findings
		stats.PendingHeartbeats += seg.pending.heartbeats
	}
	return stats
}

// Opened is when the spool was opened, the start of its counters.
func (s *Spool) Opened() time.Time { return s.opened }

// Coverage reports the spool like a sensor: what was lost in it is a blind
// spot of the agent.
func (s *Spool) Coverage() sensor.Report {
	stats := s.Stats()
	report := sensor.Report{State: sensor.On, Since: s.opened, Counters: map[string]uint64{
		"bytes": uint64(stats.Bytes), "max_bytes": uint64(stats.MaxBytes), "segments": uint64(stats.Segments),
		"pending_records": stats.PendingRecords, "pending_findings": stats.PendingFindings,
		"pending_heartbeats": stats.PendingHeartbeats,
		"appended_records":   stats.AppendedRecords, "appended_findings": stats.AppendedFindings,
		"appended_heartbeats": stats.AppendedHeartbeats,
		"acked_records":       stats.AckedRecords, "acked_findings": stats.AckedFindings,
		"acked_heartbeats": stats.AckedHeartbeats,
		"append_errors":    stats.AppendErrors, "ack_errors": stats.AckErrors,
		"unreadable_records": stats.UnreadableRecords,
		"dropped_records":    stats.DroppedRecords, "dropped_findings": stats.DroppedFindings,
		"dropped_heartbeats": stats.DroppedHeartbeats,
		"torn_tails":         stats.TornTails, "torn_bytes": stats.TornBytes,
		"corrupt_records": stats.CorruptRecords, "corrupt_bytes": stats.CorruptBytes,
		"corrupt_segments": stats.CorruptSegments, "damaged_states": stats.DamagedStates,
	}}
	if stats.DroppedRecords > 0 {
		report.Blind = append(report.Blind, finding.Blind{
			Reason: "spool_overflow", Count: stats.DroppedFindings,
			Detail: fmt.Sprintf("%d requests with %d findings and %d heartbeats dropped, oldest first, to stay below %d bytes",
				stats.DroppedRecords, stats.DroppedFindings, stats.DroppedHeartbeats, stats.MaxBytes),
		})
	}
	if stats.CorruptRecords+stats.CorruptSegments > 0 {
		report.Blind = append(report.Blind, finding.Blind{
			Reason: "spool_corrupt",
			Count:  stats.CorruptRecords + stats.CorruptSegments,
			Detail: "stored requests that the disk no longer gives back; check the disk",
		})
	}
	if stats.LastError != "" {
		report.State = sensor.Degraded
		report.Reason = stats.LastError + "; free space or mend the disk, what is stored is kept and the rest is tried again"
	}
	return report
}
