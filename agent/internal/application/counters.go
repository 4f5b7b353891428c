package application

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
)

// counters are totals since New.
type counters struct {
	requests  atomic.Uint64 // all
	taken     atomic.Uint64 // read and handed over
	repeated  atomic.Uint64 // sent again after forwarding failed: not counted twice
	passed    atomic.Uint64 // forwarded, and answered by the endpoint
	failed    atomic.Uint64 // not forwarded: the endpoint does not answer, or asks to come again
	oddTimes  atomic.Uint64 // uses whose time could not be: they count as of now
	panics    atomic.Uint64 // requests whose handling failed
	denied    atomic.Uint64 // without the right token
	badType   atomic.Uint64 // of another content type or encoding
	tooLarge  atomic.Uint64 // over a limit
	malformed atomic.Uint64
	busy      atomic.Uint64 // told to come again

	mu    sync.Mutex
	spans genai.Stats
	logs  genai.Stats
}

func (c *counters) note(path string, stats genai.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if path == tracesPath {
		c.spans.Add(stats)
		return
	}
	c.logs.Add(stats)
}

// Coverage implements sensor.Sensor.
func (s *Sensor) Coverage() sensor.Report {
	c := &s.counters
	c.mu.Lock()
	spans, logs := c.spans, c.logs
	c.mu.Unlock()
	report := sensor.Report{State: sensor.Off, Reason: "not started", Since: s.began(), Counters: map[string]uint64{
		"requests": c.requests.Load(), "requests_taken": c.taken.Load(), "requests_repeated": c.repeated.Load(),
		"forwarded": c.passed.Load(), "forward_failed": c.failed.Load(),
		"refused_token": c.denied.Load(), "refused_type": c.badType.Load(), "refused_too_large": c.tooLarge.Load(),
		"refused_malformed": c.malformed.Load(), "refused_busy": c.busy.Load(),
		"spans": spans.Records, "spans_gen_ai": spans.Named, "spans_unnamed": spans.Unnamed, "spans_foreign": spans.Foreign,
		"log_records": logs.Records, "log_records_gen_ai": logs.Named, "log_records_unnamed": logs.Unnamed, "log_records_foreign": logs.Foreign,
		"values_dropped": spans.DroppedValues + logs.DroppedValues, "attributes_unread": spans.AttributesUnread + logs.AttributesUnread,
		"odd_times": c.oddTimes.Load(), "panics": c.panics.Load(),
	}}
	if address := s.Address(); address != "" {
		report.State, report.Reason = sensor.On, "listening on "+address
	}
	blind := func(reason, detail string, count uint64) {
		if count > 0 {
			report.Blind = append(report.Blind, finding.Blind{Reason: reason, Detail: detail, Count: count})
		}
	}
	blind("telemetry_refused", "requests of applications that were not read: "+refusals(report.Counters),
		c.badType.Load()+c.tooLarge.Load()+c.malformed.Load()+c.panics.Load())
	blind("telemetry_denied", "requests without the right token: give the applications what token_file holds", c.denied.Load())
	blind("attributes_unread", "attributes beyond the most that are looked at of one record", spans.AttributesUnread+logs.AttributesUnread)
	return report
}

func refusals(counts map[string]uint64) string {
	return fmt.Sprintf("%d of another type, %d too large, %d malformed, %d failed", counts["refused_type"], counts["refused_too_large"], counts["refused_malformed"], counts["panics"])
}
