package export

import (
	"fmt"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

// split cuts a request in two halves of its log records, each with the resource
// and scope of its records. A request of one record has no second half.
func split(data []byte) (first, second []byte, err error) {
	var logs logspb.LogsData
	if err := proto.Unmarshal(data, &logs); err != nil {
		return nil, nil, fmt.Errorf("splitting a refused request: %w", err)
	}
	total := countRecords(&logs)
	if total < 2 {
		return data, nil, nil
	}
	first, err = proto.Marshal(slice(&logs, 0, total/2))
	if err != nil {
		return nil, nil, fmt.Errorf("splitting a refused request: %w", err)
	}
	second, err = proto.Marshal(slice(&logs, total/2, total))
	if err != nil {
		return nil, nil, fmt.Errorf("splitting a refused request: %w", err)
	}
	return first, second, nil
}

func countRecords(logs *logspb.LogsData) (total int) {
	for _, resource := range logs.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			total += len(scope.GetLogRecords())
		}
	}
	return total
}

// slice returns the records from to to-1 of logs, counted over all groups.
func slice(logs *logspb.LogsData, from, to int) *logspb.LogsData {
	part := &logspb.LogsData{}
	at := 0
	for _, resource := range logs.GetResourceLogs() {
		var scopes []*logspb.ScopeLogs
		for _, scope := range resource.GetScopeLogs() {
			records := scope.GetLogRecords()
			low, high := max(from-at, 0), min(to-at, len(records))
			at += len(records)
			if low < high {
				scopes = append(scopes, &logspb.ScopeLogs{Scope: scope.GetScope(), SchemaUrl: scope.GetSchemaUrl(), LogRecords: records[low:high]})
			}
		}
		if len(scopes) > 0 {
			part.ResourceLogs = append(part.ResourceLogs, &logspb.ResourceLogs{
				Resource: resource.GetResource(), SchemaUrl: resource.GetSchemaUrl(), ScopeLogs: scopes,
			})
		}
	}
	return part
}
