package genai

import (
	"errors"
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Encoding is one of the two encodings of OTLP.
type Encoding uint8

// The encodings (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request).
const (
	Protobuf Encoding = iota
	JSON
)

// Limits bound what is taken of one request.
type Limits struct {
	Records    int // spans or log records of a request; more are ErrTooMany
	Attributes int // looked at of one record or resource; what is beyond is counted
	Text       int // bytes of one value; a longer one is dropped and counted
}

// DefaultLimits suit requests of the OpenTelemetry SDKs, which hold 512 records
// of at most 128 attributes unless they are told otherwise.
func DefaultLimits() Limits { return Limits{Records: 50_000, Attributes: 4096, Text: 256} }

// ErrTooMany says that a request holds more records than are taken.
var ErrTooMany = errors.New("too many records in one request: send smaller requests")

// Use is what the records of one request say of one use: an application that
// asks one model of one provider at one server. Count is how many records said
// so, at least 1.
type Use struct {
	signatures.Application
	First, Last time.Time // begin of the first and last of the records; zero where none tells
	Count       uint64
}

// Stats counts what became of the records of a request. Records is the sum of
// Named, Unnamed and Foreign.
type Stats struct {
	Records uint64
	Named   uint64 // said which provider, model, agent or MCP method; they are in Uses
	Unnamed uint64 // about AI, but naming none of these: they accompany records that do
	Foreign uint64 // not about AI

	DroppedValues    uint64 // values under a known key that were too long, no text or no name
	AttributesUnread uint64 // attributes beyond Limits.Attributes
}

// Add adds the counts of other.
func (s *Stats) Add(other Stats) {
	s.Records += other.Records
	s.Named += other.Named
	s.Unnamed += other.Unnamed
	s.Foreign += other.Foreign
	s.DroppedValues += other.DroppedValues
	s.AttributesUnread += other.AttributesUnread
}

// Batch is what one request says.
type Batch struct {
	Uses  []Use // in order of first mention
	Stats Stats
}

// Reader reads requests. It is immutable and safe for concurrent use.
type Reader struct {
	limits Limits
	keys   map[string]Key
}

// NewReader returns a reader.
func NewReader(limits Limits) *Reader {
	r := &Reader{limits: limits, keys: make(map[string]Key)}
	for _, k := range Keys() {
		r.keys[k.Name] = k
	}
	return r
}

// Traces reads an ExportTraceServiceRequest. After an error nothing of the
// request is to be taken.
func (r *Reader) Traces(data []byte, encoding Encoding) (Batch, error) {
	return r.read(data, encoding, spans())
}

// Logs reads an ExportLogsServiceRequest, like Traces.
func (r *Reader) Logs(data []byte, encoding Encoding) (Batch, error) {
	return r.read(data, encoding, logRecords())
}

func (r *Reader) read(data []byte, encoding Encoding, s signal) (Batch, error) {
	b := r.Builder()
	var err error
	switch encoding {
	case Protobuf:
		err = b.readProtobuf(data, s)
	case JSON:
		err = b.readJSON(data, s)
	default:
		err = fmt.Errorf("encoding %d is not known", encoding)
	}
	if err != nil {
		return Batch{}, err
	}
	return b.Batch(), nil
}
