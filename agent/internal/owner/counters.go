package owner

import (
	"sync/atomic"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/agent/internal/sockettrace"
)

// counters are totals since the start.
type counters struct {
	lookups, remembered, hits, hitsServer          atomic.Uint64
	observed, observeDropped, observeSkipped       atomic.Uint64
	noSocket, noPermission, exited                 atomic.Uint64
	notLocal, unsupported, lostEvent               atomic.Uint64
	hitsTraced, hitsTranslated, tracedEnded        atomic.Uint64
	traceErrors, observeNeedless, servers          atomic.Uint64
	waits, waitsInVain, evicted, fallbacks, panics atomic.Uint64
}

// miss counts the reason of an unanswered lookup.
func (c *counters) miss(reason Reason) {
	switch reason {
	case "":
		c.hits.Add(1)
	case NoSocket:
		c.noSocket.Add(1)
	case NoPermission:
		c.noPermission.Add(1)
	case Exited:
		c.exited.Add(1)
	case NotLocal:
		c.notLocal.Add(1)
	case LostEvent:
		c.lostEvent.Add(1)
	case Unsupported:
		c.unsupported.Add(1)
	}
}

// Counters returns totals since the start, by name: every lookup ends as
// owner_hits or as one of the owner_miss_… counters.
func (r *Resolver) Counters() map[string]uint64 {
	c := &r.counters
	all := map[string]uint64{
		"owner_lookups":              c.lookups.Load(),
		"owner_hits":                 c.hits.Load(),
		"owner_hits_remembered":      c.remembered.Load(), // of owner_hits: known since the first packet
		"owner_hits_server":          c.hitsServer.Load(), // of owner_hits: the server's end is ours
		"owner_miss_no_socket":       c.noSocket.Load(),
		"owner_miss_no_permission":   c.noPermission.Load(),
		"owner_miss_exited":          c.exited.Load(),
		"owner_miss_not_local":       c.notLocal.Load(),
		"owner_miss_unsupported":     c.unsupported.Load(),
		"owner_miss_lost_event":      c.lostEvent.Load(),
		"owner_hits_traced":          c.hitsTraced.Load(),     // of the questions asked anew: answered from the kernel's record
		"owner_hits_translated":      c.hitsTranslated.Load(), // of owner_hits_traced: behind address translation, as of containers
		"owner_traced_ended":         c.tracedEnded.Load(),    // of owner_hits_traced: the process had ended by then
		"owner_servers":              c.servers.Load(),        // programs of this host that connections led to
		"owner_trace_errors":         c.traceErrors.Load(),
		"owner_observe_needless":     c.observeNeedless.Load(), // the kernel records connections by itself
		"owner_observed":             c.observed.Load(),
		"owner_observe_dropped":      c.observeDropped.Load(), // the queue was full
		"owner_observe_skipped":      c.observeSkipped.Load(), // the client is not this host
		"owner_remembered_evicted":   c.evicted.Load(),
		"owner_walk_waits":           c.waits.Load(),
		"owner_walk_waits_in_vain":   c.waitsInVain.Load(),
		"owner_fallback_connections": c.fallbacks.Load(), // answered from the whole connection table
		"owner_panics":               c.panics.Load(),
	}
	addHolders(all, r.holders.Counts())
	if trace := r.trace.Load(); trace != nil {
		addTrace(all, trace.Counts())
	}
	return all
}

func addTrace(all map[string]uint64, t sockettrace.Counts) {
	all["owner_trace_connects"] = t.Connects
	all["owner_trace_tcp"] = t.TCP
	all["owner_trace_udp"] = t.UDP
	all["owner_trace_unpaired"] = t.Unpaired
	all["owner_trace_failed"] = t.Failed
	all["owner_trace_programs"] = t.Programs
	all["owner_trace_programs_failed"] = t.ProgramsFailed
	all["owner_trace_overwritten"] = t.Overwritten
}

func addHolders(all map[string]uint64, h inspect.HolderCounts) {
	all["owner_holder_hits"] = h.Hits
	all["owner_holder_hot_hits"] = h.HotHits
	all["owner_holder_newest_hits"] = h.NewestHits
	all["owner_holder_negative"] = h.Negative
	all["owner_walks"] = h.Walks
	all["owner_walk_hits"] = h.WalkHits
	all["owner_walks_limited"] = h.WalksLimited
	all["owner_walks_cut"] = h.WalksCut
	all["owner_walk_denied"] = h.Denied
	all["owner_links_read"] = h.Links
}
