package otlpwire

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// serviceName is the service.name of every agent.
const serviceName = "gnomon-agent"

// scopeName is the instrumentation scope of every record.
const scopeName = "github.com/gnomon-ai/gnomon"

// EncodeFindings returns the bytes of an OTLP logs export request. All
// findings of one call must come from one agent: its id, host and channel are
// taken from the first. version is the agent's.
func EncodeFindings(list []finding.Finding, version string) ([]byte, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("encoding findings: there are none")
	}
	records := make([]*logspb.LogRecord, len(list))
	for i := range list {
		records[i] = findingRecord(&list[i])
	}
	f := &list[0]
	place := func(key string) any { return findingField(f, &lists{}, key) }
	return marshal(place, version, records)
}

// EncodeCoverage is EncodeFindings for coverage reports.
func EncodeCoverage(list []finding.Coverage) ([]byte, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("encoding coverage: there is none")
	}
	records := make([]*logspb.LogRecord, len(list))
	for i := range list {
		records[i] = coverageRecord(&list[i])
	}
	c := &list[0]
	place := func(key string) any { return coverageField(c, &lists{}, key) }
	return marshal(place, c.Version, records)
}

func marshal(place func(key string) any, version string, records []*logspb.LogRecord) ([]byte, error) {
	var attributes []*commonpb.KeyValue
	for _, key := range resourceKeys() {
		switch key {
		case "service.name":
			attributes = append(attributes, keyValue(key, textValue(serviceName)))
		case "service.version":
			attributes = append(attributes, keyValue(key, textValue(version)))
		default:
			attributes = appendField(attributes, key, place(key))
		}
	}
	data, err := proto.Marshal(&logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{
		Resource: &resourcepb.Resource{Attributes: attributes},
		ScopeLogs: []*logspb.ScopeLogs{{
			Scope:      &commonpb.InstrumentationScope{Name: scopeName, Version: version},
			LogRecords: records,
		}},
	}}})
	if err != nil {
		return nil, fmt.Errorf("encoding log records: %w", err)
	}
	return data, nil
}

func findingRecord(f *finding.Finding) *logspb.LogRecord {
	l := &lists{}
	for _, e := range f.Evidence {
		l.evidenceKind = append(l.evidenceKind, e.Kind)
		l.evidenceValue = append(l.evidenceValue, e.Value)
		l.evidenceSelector = append(l.evidenceSelector, e.Selector)
		strength := strong
		if e.Weak {
			strength = weak
		}
		l.evidenceStrength = append(l.evidenceStrength, strength)
	}
	attributes := make([]*commonpb.KeyValue, 0, 32)
	for _, key := range findingKeys() {
		attributes = appendField(attributes, key, findingField(f, l, key))
	}
	for _, key := range sortedKeys(f.Attributes) {
		attributes = append(attributes, keyValue(prefixAttribute+key, textValue(f.Attributes[key])))
	}
	return &logspb.LogRecord{
		EventName:            EventFinding,
		TimeUnixNano:         uint64(max(0, unixNano(f.FirstSeen))),
		ObservedTimeUnixNano: uint64(max(0, unixNano(f.LastSeen))),
		SeverityNumber:       logspb.SeverityNumber_SEVERITY_NUMBER_INFO,
		Body:                 textValue(f.Asset.Name),
		Attributes:           attributes,
	}
}

func coverageRecord(c *finding.Coverage) *logspb.LogRecord {
	l := &lists{}
	for _, b := range c.Blind {
		l.blindReason = append(l.blindReason, b.Reason)
		l.blindDetail = append(l.blindDetail, b.Detail)
		l.blindCount = append(l.blindCount, strconv.FormatUint(b.Count, 10))
	}
	var attributes []*commonpb.KeyValue
	for _, key := range coverageKeys() {
		attributes = appendField(attributes, key, coverageField(c, l, key))
	}
	for _, key := range sortedKeys(c.Counters) {
		attributes = append(attributes, keyValue(prefixCounter+key, intValue(c.Counters[key])))
	}
	return &logspb.LogRecord{
		EventName:            EventCoverage,
		TimeUnixNano:         uint64(max(0, unixNano(c.Since))),
		ObservedTimeUnixNano: uint64(max(0, unixNano(c.Until))),
		SeverityNumber:       logspb.SeverityNumber_SEVERITY_NUMBER_INFO,
		Body:                 textValue(c.Sensor + " " + c.State),
		Attributes:           attributes,
	}
}

// appendField appends the value at place, or nothing where it is zero.
func appendField(to []*commonpb.KeyValue, key string, place any) []*commonpb.KeyValue {
	switch p := place.(type) {
	case *string:
		if *p != "" {
			return append(to, keyValue(key, textValue(*p)))
		}
	case *uint64:
		if *p != 0 {
			return append(to, keyValue(key, intValue(*p)))
		}
	case *uint16:
		if *p != 0 {
			return append(to, keyValue(key, intValue(uint64(*p))))
		}
	case *uint8:
		if *p != 0 {
			return append(to, keyValue(key, intValue(uint64(*p))))
		}
	case *bool:
		if *p {
			return append(to, keyValue(key, &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}))
		}
	case *time.Time:
		if !p.IsZero() {
			return append(to, keyValue(key, &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: unixNano(*p)}}))
		}
	case *[]string:
		if len(*p) > 0 {
			return append(to, keyValue(key, listValue(*p)))
		}
	}
	return to
}

func keyValue(key string, value *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: value}
}

// textValue encodes s. Paths and names of processes need not be UTF-8 while
// OTLP strings must: bad bytes become U+FFFD.
func textValue(s string) *commonpb.AnyValue {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

// intValue encodes n; OTLP integers are signed, so a counter above their range
// is written as the largest.
func intValue(n uint64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(min(n, math.MaxInt64))}}
}

func listValue(list []string) *commonpb.AnyValue {
	values := make([]*commonpb.AnyValue, len(list))
	for i, s := range list {
		values[i] = textValue(s)
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: values}}}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
