package export

import (
	"fmt"
	"sync/atomic"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// counters are totals since New.
type counters struct {
	requests, bytes, accepted atomic.Uint64
	retries, refusals, splits atomic.Uint64
	rejected                  atomic.Uint64 // records of accepted requests that the collector did not keep
	quarantined               atomic.Uint64 // records refused for good
	quarantineRemoved         atomic.Uint64 // of them, those that had to make room for younger ones
	quarantineErrors          atomic.Uint64
}

// Counters returns the totals by name.
func (e *Exporter) Counters() map[string]uint64 {
	c := &e.counters
	return map[string]uint64{
		"requests": c.requests.Load(), "request_bytes": c.bytes.Load(), "accepted": c.accepted.Load(),
		"retries": c.retries.Load(), "refusals": c.refusals.Load(), "splits": c.splits.Load(),
		"rejected_records": c.rejected.Load(), "quarantined_records": c.quarantined.Load(),
		"quarantine_removed": c.quarantineRemoved.Load(), "quarantine_errors": c.quarantineErrors.Load(),
	}
}

// Coverage reports the exporter like a sensor.
func (e *Exporter) Coverage() sensor.Report {
	report := sensor.Report{State: sensor.On, Since: e.started, Counters: e.Counters()}
	e.mu.Lock()
	trouble := e.trouble
	e.mu.Unlock()
	if trouble != "" {
		report.State = sensor.Degraded
		report.Reason = trouble
	}
	if n := e.counters.rejected.Load(); n > 0 {
		report.Blind = append(report.Blind, finding.Blind{
			Reason: "collector_rejected", Count: n,
			Detail: "records that the collector answered for but did not keep",
		})
	}
	if n := e.counters.quarantined.Load(); n > 0 {
		report.Blind = append(report.Blind, finding.Blind{
			Reason: "quarantined", Count: n,
			Detail: fmt.Sprintf("records refused for good, kept in %s", e.quarantine.dir),
		})
	}
	return report
}
