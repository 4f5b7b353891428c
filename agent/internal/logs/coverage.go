package logs

import (
	"fmt"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// failureShare is the share of lines that cannot be read, in percent, from
// which on a source is taken to have the wrong format.
const failureShare = 50

// maxTroubles bounds the troubles that a reason lists.
const maxTroubles = 5

// Coverage implements sensor.Sensor. The counters of each source begin with its
// name: "proxy.lines".
func (s *Sensor) Coverage() sensor.Report {
	s.mu.Lock()
	r := sensor.Report{State: s.state, Since: s.since, Counters: map[string]uint64{"sources": uint64(len(s.sources))}}
	var troubles []string
	if s.trouble != "" {
		troubles = append(troubles, s.trouble)
	}
	s.mu.Unlock()
	s.hold.RLock()
	running := s.running
	s.hold.RUnlock()
	now := time.Now()
	for _, src := range s.sources {
		src.count.export(r.Counters, src.config.Name+".")
		if !running {
			continue
		}
		for _, text := range src.report(&r, now) {
			troubles = append(troubles, src.config.Name+": "+text)
		}
	}
	if len(troubles) > 0 && r.State == sensor.On {
		r.State = sensor.Degraded
	}
	if more := len(troubles) - maxTroubles; more > 0 {
		troubles = append(troubles[:maxTroubles], fmt.Sprintf("and %d more", more))
	}
	r.Reason = strings.Join(troubles, "; ")
	return r
}

// Levels names the counters that are no totals but what is there now.
func (s *Sensor) Levels() []string {
	var names []string
	for _, src := range s.sources {
		for _, level := range []string{"files", "lag_bytes", "connections_open", "last_line"} {
			names = append(names, src.config.Name+"."+level)
		}
	}
	return names
}

// report adds one source's counters and blind spots to r, and says what is the
// matter.
func (s *source) report(r *sensor.Report, now time.Time) (troubles []string) {
	blind := func(reason, detail string, n uint64) {
		if n > 0 {
			r.Blind = append(r.Blind, finding.Blind{Reason: reason, Detail: s.config.Name + ": " + detail, Count: n})
		}
	}
	s.mu.Lock()
	if s.trouble != "" {
		troubles = append(troubles, s.trouble)
	}
	s.mu.Unlock()
	var parts map[string]uint64
	if s.tail != nil {
		parts = s.tail.Counters()
		troubles = append(troubles, s.reportFiles(parts, blind)...)
	} else {
		parts = s.listener.Counters()
	}
	for name, n := range parts {
		r.Counters[s.config.Name+"."+name] = n
	}
	blind("log_line_cut", "lines longer than is read: what they name behind it is not seen; raise max_line", parts["cut"])
	failures, most := s.count.failures()
	blind("log_line_unread", "lines that cannot be read, most of them "+most.String(), failures)
	blind("panic", "lines that a parser failed on", s.count.panics.Load())
	if lines := s.count.lines(); failures*100 > lines*failureShare {
		troubles = append(troubles, fmt.Sprintf("%d of %d lines cannot be read as %s (%s): set the source's format, or its keys", failures, lines, s.config.Format, most))
	}
	if silent := s.silent(now); s.config.SilentAfter > 0 && silent > s.config.SilentAfter {
		troubles = append(troubles, fmt.Sprintf("no line for %v: see whether the program still writes its log here", silent.Round(time.Second)))
		blind("log_silent", "seconds without a line", uint64(silent.Seconds())+1)
	}
	return troubles
}

// reportFiles does so for what is read of files.
func (s *source) reportFiles(parts map[string]uint64, blind func(reason, detail string, n uint64)) (troubles []string) {
	status := s.tail.Status()
	parts["files"], parts["lag_bytes"] = uint64(status.Files), status.Lag
	for _, pattern := range status.Missing {
		troubles = append(troubles, pattern+" is not there: see whether the program writes its log there, or mend files")
	}
	troubles = append(troubles, status.Trouble...)
	blind("log_missing", "files named that are not there", uint64(len(status.Missing)))
	blind("log_unreadable", "files that may not be read", uint64(len(status.Trouble)))
	blind("log_vanished", "files that were gone or compressed before they were known to be read to their end", parts["vanished"])
	blind("log_truncated", "files that were truncated with no copy beside them: what was not read yet is lost", parts["truncated_without_copy"])
	blind("log_broken", "files whose frames cannot be told apart any more", parts["broken"])
	blind("log_files_left_out", "times a file was not followed because too many are", parts["files_left_out"])
	return troubles
}
