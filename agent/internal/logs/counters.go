package logs

import (
	"sync/atomic"

	"github.com/gnomon-ai/gnomon/agent/internal/logs/format"
)

// tally is what is counted of one source, beside what its tail or its listener
// counts.
type tally struct {
	results      [format.Results]atomic.Uint64
	observations atomic.Uint64
	unusual      atomic.Uint64 // names that are no host name
	timeMissing  atomic.Uint64 // lines without a time: that of reading them stands for it
	timeAhead    atomic.Uint64 // lines from the future, likewise
	timeOld      atomic.Uint64 // lines from before 2020, which stands for it
	panics       atomic.Uint64
	last         atomic.Int64 // time of the last line that was used, seconds since 1970
}

// lines is how many lines were read.
func (t *tally) lines() (n uint64) {
	for i := range t.results {
		n += t.results[i].Load()
	}
	return n + t.panics.Load()
}

// failures counts the lines that could not be read; most is the reason of most
// of them.
func (t *tally) failures() (n uint64, most format.Result) {
	var top uint64
	for r := range format.Results {
		if !r.Failed() {
			continue
		}
		v := t.results[r].Load()
		n += v
		if v > top {
			top, most = v, r
		}
	}
	return n, most
}

// export adds the counters to m, each name behind prefix.
func (t *tally) export(m map[string]uint64, prefix string) {
	for r := range format.Results {
		m[prefix+"lines_"+r.String()] = t.results[r].Load()
	}
	m[prefix+"lines"] = t.lines()
	m[prefix+"observations"] = t.observations.Load()
	m[prefix+"names_unusual"] = t.unusual.Load()
	m[prefix+"time_missing"] = t.timeMissing.Load()
	m[prefix+"time_ahead"] = t.timeAhead.Load()
	m[prefix+"time_old"] = t.timeOld.Load()
	m[prefix+"panics_recovered"] = t.panics.Load()
	m[prefix+"last_line"] = uint64(max(t.last.Load(), 0))
}
