package otlpwire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// ErrForeign marks a log record that is no event of ours.
var ErrForeign = errors.New("not a gnomon event")

// Attributes calls yield for each attribute until it returns false.
type Attributes func(yield func(key string, value Value) bool)

// DecodeFinding reads one finding from the attributes of its resource and of
// its record. Keys that it does not know are passed over: a newer agent may
// send more.
func DecodeFinding(resource, record Attributes) (finding.Finding, error) {
	var (
		f       finding.Finding
		l       lists
		failure error
	)
	take := func(key string, v Value) bool {
		if name, isAttribute := strings.CutPrefix(key, prefixAttribute); isAttribute {
			failure = storeEntry(&f.Attributes, key, name, v)
			return failure == nil
		}
		if place := findingField(&f, &l, key); place != nil {
			failure = store(place, key, v)
		}
		return failure == nil
	}
	resource(take)
	if failure == nil {
		record(take)
	}
	if failure != nil {
		return finding.Finding{}, failure
	}
	evidence, err := l.evidence()
	if err != nil {
		return finding.Finding{}, err
	}
	f.Evidence = evidence
	return f, nil
}

// DecodeCoverage is DecodeFinding for a coverage report.
func DecodeCoverage(resource, record Attributes) (finding.Coverage, error) {
	var (
		c       finding.Coverage
		l       lists
		failure error
	)
	take := func(key string, v Value) bool {
		if name, isCounter := strings.CutPrefix(key, prefixCounter); isCounter {
			failure = storeCounter(&c, key, name, v)
			return failure == nil
		}
		if place := coverageField(&c, &l, key); place != nil {
			failure = store(place, key, v)
		}
		return failure == nil
	}
	resource(take)
	if failure == nil {
		record(take)
	}
	if failure != nil {
		return finding.Coverage{}, failure
	}
	blind, err := l.blind()
	if err != nil {
		return finding.Coverage{}, err
	}
	c.Blind = blind
	return c, nil
}

func storeEntry(to *map[string]string, key, name string, v Value) error {
	if name == "" {
		return &FieldError{key, "has no name"}
	}
	if *to == nil {
		*to = make(map[string]string)
	}
	if len(*to) >= MaxMap {
		return &FieldError{key, fmt.Sprintf("is one too many, at most %d are taken", MaxMap)}
	}
	var text string
	if err := store(&text, key, v); err != nil {
		return err
	}
	(*to)[name] = text
	return nil
}

func storeCounter(c *finding.Coverage, key, name string, v Value) error {
	if name == "" {
		return &FieldError{key, "has no name"}
	}
	if c.Counters == nil {
		c.Counters = make(map[string]uint64)
	}
	if len(c.Counters) >= MaxMap {
		return &FieldError{key, fmt.Sprintf("is one too many, at most %d are taken", MaxMap)}
	}
	var count uint64
	if err := store(&count, key, v); err != nil {
		return err
	}
	c.Counters[name] = count
	return nil
}

func (l *lists) evidence() ([]finding.Evidence, error) {
	n := len(l.evidenceKind)
	if len(l.evidenceValue) != n || len(l.evidenceSelector) != n || len(l.evidenceStrength) != n {
		return nil, &FieldError{keyEvidenceKind, "and its sister lists differ in length"}
	}
	if n == 0 {
		return nil, nil
	}
	list := make([]finding.Evidence, n)
	for i := range list {
		strength := l.evidenceStrength[i]
		if strength != strong && strength != weak {
			return nil, &FieldError{keyEvidenceStrength, "must hold strong and weak only"}
		}
		list[i] = finding.Evidence{
			Kind: l.evidenceKind[i], Value: l.evidenceValue[i], Selector: l.evidenceSelector[i], Weak: strength == weak,
		}
	}
	return list, nil
}

func (l *lists) blind() ([]finding.Blind, error) {
	n := len(l.blindReason)
	if len(l.blindDetail) != n || len(l.blindCount) != n {
		return nil, &FieldError{keyBlindReason, "and its sister lists differ in length"}
	}
	if n == 0 {
		return nil, nil
	}
	list := make([]finding.Blind, n)
	for i := range list {
		count, err := strconv.ParseUint(l.blindCount[i], 10, 64)
		if err != nil {
			return nil, &FieldError{keyBlindCount, "must hold decimal numbers"}
		}
		list[i] = finding.Blind{Reason: l.blindReason[i], Detail: l.blindDetail[i], Count: count}
	}
	return list, nil
}

// Decode reads a whole export request with the protobuf library. Records that
// cannot be read are returned as errors beside those that can; ErrForeign is
// among them for a record of another event. The collector, which has a faster
// decoder, does the same over DecodeFinding.
func Decode(data []byte) (findings []finding.Finding, coverage []finding.Coverage, rejected []error, err error) {
	var logs logspb.LogsData
	if err := proto.Unmarshal(data, &logs); err != nil {
		return nil, nil, nil, fmt.Errorf("decoding log records: %w", err)
	}
	for _, group := range logs.GetResourceLogs() {
		resource := attributesOf(group.GetResource().GetAttributes())
		for _, scope := range group.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				var failure error
				switch record.GetEventName() {
				case EventFinding:
					var f finding.Finding
					if f, failure = DecodeFinding(resource, attributesOf(record.GetAttributes())); failure == nil {
						findings = append(findings, f)
					}
				case EventCoverage:
					var c finding.Coverage
					if c, failure = DecodeCoverage(resource, attributesOf(record.GetAttributes())); failure == nil {
						coverage = append(coverage, c)
					}
				default:
					failure = ErrForeign
				}
				if failure != nil {
					rejected = append(rejected, failure)
				}
			}
		}
	}
	return findings, coverage, rejected, nil
}

func attributesOf(list []*commonpb.KeyValue) Attributes {
	return func(yield func(string, Value) bool) {
		for _, kv := range list {
			if !yield(kv.GetKey(), valueOf(kv.GetValue())) {
				return
			}
		}
	}
}

func valueOf(v *commonpb.AnyValue) Value {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return Value{Type: String, String: x.StringValue}
	case *commonpb.AnyValue_IntValue:
		return Value{Type: Int, Int: x.IntValue}
	case *commonpb.AnyValue_BoolValue:
		return Value{Type: Bool, Bool: x.BoolValue}
	case *commonpb.AnyValue_ArrayValue:
		elements := x.ArrayValue.GetValues()
		list := make([]string, len(elements))
		for i, e := range elements {
			text, isText := e.GetValue().(*commonpb.AnyValue_StringValue)
			if !isText {
				return Value{Type: Other}
			}
			list[i] = text.StringValue
		}
		return Value{Type: Strings, Strings: list}
	}
	return Value{Type: Other}
}
