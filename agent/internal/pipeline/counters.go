package pipeline

import (
	"sync/atomic"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// counters are totals since New.
type counters struct {
	tls, quic, dns, http, flow, process, modelFile, file, application, otherKind atomic.Uint64

	unmatched               atomic.Uint64 // observations that matched nothing and stayed on the host
	matches                 atomic.Uint64
	suppressed              atomic.Uint64 // matches that a suppression of the organisation left out
	modelPlaces             atomic.Uint64 // matches of a model file's place, left to findings of their own
	formatsWithoutSignature atomic.Uint64
	unknownApplications     atomic.Uint64 // uses that an application named and no signature knows

	ownerKnown, ownerNoSocket, ownerNoPermission, ownerExited atomic.Uint64
	ownerNotLocal, ownerUnsupported, ownerReplay, ownerOther  atomic.Uint64
	ownerLostEvent                                            atomic.Uint64

	proxied atomic.Uint64 // observations of a program that asks a program of this host for a service
	proxies atomic.Uint64 // times that a finding of a program that connects for others was given whom for

	continued          atomic.Uint64 // continuations of connections that are followed
	continuedUnmatched atomic.Uint64 // continuations of others
	followedEvicted    atomic.Uint64 // connections whose further bytes are not added, because too many were followed

	findings       atomic.Uint64 // revisions that the sink took
	finalsUnneeded atomic.Uint64 // folds that ended with nothing to add to what was stored
	checkpoints    atomic.Uint64 // times that positions were kept with what they stand for
	earlyFlushes   atomic.Uint64 // folds ended before their window, because too many were open
	clockJumps     atomic.Uint64 // times the clock was set back
	sinkErrors     atomic.Uint64
	lost           atomic.Uint64 // findings, or their last counts, that the sink did not take in time
	panics         atomic.Uint64 // observations dropped because their handling failed
}

func (c *counters) observed(k signatures.Kind) { c.ofKind(k).Add(1) }

func (c *counters) ofKind(k signatures.Kind) *atomic.Uint64 {
	switch k {
	case signatures.KindTLS:
		return &c.tls
	case signatures.KindQUIC:
		return &c.quic
	case signatures.KindDNS:
		return &c.dns
	case signatures.KindHTTP:
		return &c.http
	case signatures.KindFlow:
		return &c.flow
	case signatures.KindProcess:
		return &c.process
	case signatures.KindModelFile:
		return &c.modelFile
	case signatures.KindFile:
		return &c.file
	case signatures.KindApplication:
		return &c.application
	default:
		return &c.otherKind
	}
}

func (c *counters) owner(reason string) {
	switch reason {
	case "":
		c.ownerKnown.Add(1)
	case "no_socket":
		c.ownerNoSocket.Add(1)
	case "no_permission":
		c.ownerNoPermission.Add(1)
	case "exited":
		c.ownerExited.Add(1)
	case "not_local":
		c.ownerNotLocal.Add(1)
	case "lost_event":
		c.ownerLostEvent.Add(1)
	case "unsupported":
		c.ownerUnsupported.Add(1)
	case "replay":
		c.ownerReplay.Add(1)
	default:
		c.ownerOther.Add(1)
	}
}

// Counters returns the totals by name; folds_open, folds_closing and followed
// are what is there now.
func (p *Pipeline) Counters() map[string]uint64 {
	p.mu.Lock()
	open, closing, following := len(p.folds.byKey), len(p.closing), len(p.flows.byKey)
	p.mu.Unlock()
	c := &p.counters
	return map[string]uint64{
		"observations_tls": c.tls.Load(), "observations_quic": c.quic.Load(), "observations_dns": c.dns.Load(),
		"observations_http": c.http.Load(), "observations_flow": c.flow.Load(),
		"observations_process": c.process.Load(), "observations_model_file": c.modelFile.Load(),
		"observations_file": c.file.Load(), "observations_application": c.application.Load(), "observations_other": c.otherKind.Load(),
		"unmatched": c.unmatched.Load(), "matches": c.matches.Load(), "suppressed": c.suppressed.Load(),
		"model_places": c.modelPlaces.Load(), "formats_without_signature": c.formatsWithoutSignature.Load(),
		"unknown_applications": c.unknownApplications.Load(),
		"owner_known":          c.ownerKnown.Load(),
		"owner_no_socket":      c.ownerNoSocket.Load(),
		"owner_no_permission":  c.ownerNoPermission.Load(),
		"owner_exited":         c.ownerExited.Load(),
		"owner_not_local":      c.ownerNotLocal.Load(),
		"owner_lost_event":     c.ownerLostEvent.Load(),
		"owner_unsupported":    c.ownerUnsupported.Load(),
		"owner_replay":         c.ownerReplay.Load(),
		"owner_other":          c.ownerOther.Load(),
		"continued":            c.continued.Load(),
		"continued_unmatched":  c.continuedUnmatched.Load(),
		"followed":             uint64(following),
		"followed_evicted":     c.followedEvicted.Load(),
		"via_local_proxy":      c.proxied.Load(), "by_local_proxy": c.proxies.Load(),
		"folds_open": uint64(open), "folds_closing": uint64(closing),
		"findings": c.findings.Load(), "finals_unneeded": c.finalsUnneeded.Load(),
		"checkpoints":   c.checkpoints.Load(),
		"early_flushes": c.earlyFlushes.Load(), "clock_jumps": c.clockJumps.Load(),
		"sink_errors": c.sinkErrors.Load(), "findings_lost": c.lost.Load(), "panics": c.panics.Load(),
	}
}

// Coverage reports the pipeline like a sensor.
func (p *Pipeline) Coverage() sensor.Report {
	report := sensor.Report{State: sensor.On, Since: p.started, Counters: p.Counters()}
	p.mu.Lock()
	trouble := p.trouble
	p.mu.Unlock()
	if trouble != "" {
		report.State = sensor.Degraded
		report.Reason = "findings cannot be stored and wait in memory: " + trouble
	}
	if n := p.counters.lost.Load(); n > 0 {
		report.Blind = append(report.Blind, finding.Blind{
			Reason: "findings_lost", Count: n,
			Detail: "findings, or their last counts, that could not be stored in time",
		})
	}
	report.Blind = append(report.Blind, p.suppressions()...)
	if n := p.counters.panics.Load(); n > 0 {
		report.Blind = append(report.Blind, finding.Blind{
			Reason: "pipeline_fault", Count: n,
			Detail: "observations dropped because their handling failed; please report this with the agent's log",
		})
	}
	return report
}
