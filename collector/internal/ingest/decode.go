package ingest

import (
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

// decoded is what one request held.
type decoded struct {
	findings []finding.Finding
	coverage []finding.Coverage
	rejected map[Reason]int
	// firstProblem is the first refusal in words, for the answer.
	firstProblem string
	recovers     int // panics caught

	said    *genai.Builder // what applications say of themselves
	speaker pcommon.Map    // resource of the records that are read
	known   bool           // said was told of it
}

func (d *decoded) reject(reason Reason, problem string) {
	if d.rejected == nil {
		d.rejected = make(map[Reason]int)
	}
	d.rejected[reason]++
	if d.firstProblem == "" {
		d.firstProblem = problem
	}
}

// decode reads and validates every record of logs. A record that cannot be
// taken is counted by reason; it never costs its neighbours.
func decode(logs plog.Logs, latest time.Time, said *genai.Builder) decoded {
	d := decoded{findings: make([]finding.Finding, 0, logs.LogRecordCount()), said: said}
	for _, group := range logs.ResourceLogs().All() {
		d.speaker, d.known = group.Resource().Attributes(), false
		resource := attributes(d.speaker)
		for _, scope := range group.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				d.take(resource, record, latest)
			}
		}
	}
	return d
}

// take reads one record. A panic on hostile input costs that record alone.
func (d *decoded) take(resource otlpwire.Attributes, record plog.LogRecord, latest time.Time) {
	defer func() {
		if p := recover(); p != nil {
			d.recovers++
			d.reject(ReasonBadField, fmt.Sprintf("decoding failed: %v", p))
		}
	}()
	switch record.EventName() {
	case otlpwire.EventFinding:
		f, err := otlpwire.DecodeFinding(resource, attributes(record.Attributes()))
		if err != nil {
			d.reject(ReasonBadField, err.Error())
			return
		}
		if reason := validateFinding(&f, latest); reason != "" {
			d.reject(reason, "finding "+f.ID+": "+string(reason))
			return
		}
		d.findings = append(d.findings, f)
	case otlpwire.EventCoverage:
		c, err := otlpwire.DecodeCoverage(resource, attributes(record.Attributes()))
		if err != nil {
			d.reject(ReasonBadField, err.Error())
			return
		}
		if reason := validateCoverage(&c, latest); reason != "" {
			d.reject(reason, "coverage of sensor "+c.Sensor+": "+string(reason))
			return
		}
		d.coverage = append(d.coverage, c)
	default:
		if d.listen(record) {
			return
		}
		d.reject(ReasonForeignEvent, fmt.Sprintf("event name %q: %v", record.EventName(), otlpwire.ErrForeign))
	}
}

// listen reads a record of another's; it reports whether an application says in
// it which AI it uses.
func (d *decoded) listen(record plog.LogRecord) bool {
	if !d.known {
		d.said.Resource(texts(d.speaker))
		d.known = true
	}
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	var begun time.Time
	if at > 0 && at < 1<<62 {
		begun = at.AsTime()
	}
	return d.said.Record(texts(record.Attributes()), begun)
}

// texts are the attributes whose values are texts or whole numbers.
func texts(m pcommon.Map) genai.Attributes {
	return func(yield func(key, text string) bool) {
		for key, v := range m.All() {
			var text string
			switch v.Type() {
			case pcommon.ValueTypeStr:
				text = v.Str()
			case pcommon.ValueTypeInt:
				text = strconv.FormatInt(v.Int(), 10)
			}
			if !yield(key, text) {
				return
			}
		}
	}
}

func attributes(m pcommon.Map) otlpwire.Attributes {
	return func(yield func(string, otlpwire.Value) bool) {
		for key, v := range m.All() {
			if !yield(key, value(v)) {
				return
			}
		}
	}
}

func value(v pcommon.Value) otlpwire.Value {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return otlpwire.Value{Type: otlpwire.String, String: v.Str()}
	case pcommon.ValueTypeInt:
		return otlpwire.Value{Type: otlpwire.Int, Int: v.Int()}
	case pcommon.ValueTypeBool:
		return otlpwire.Value{Type: otlpwire.Bool, Bool: v.Bool()}
	case pcommon.ValueTypeSlice:
		list := make([]string, 0, v.Slice().Len())
		for _, e := range v.Slice().All() {
			if e.Type() != pcommon.ValueTypeStr {
				return otlpwire.Value{}
			}
			list = append(list, e.Str())
		}
		return otlpwire.Value{Type: otlpwire.Strings, Strings: list}
	}
	return otlpwire.Value{}
}
