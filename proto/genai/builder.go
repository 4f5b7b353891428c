package genai

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Builder folds records that the caller decodes itself. It is for one request
// and one goroutine.
type Builder struct {
	reader   *Reader
	batch    Batch
	index    map[string]int // place in batch.Uses by key
	resource facts
	record   facts
	key      []byte // scratch; its first resourceKey bytes are the resource's
	prefix   int
}

// Builder returns one for a request.
func (r *Reader) Builder() *Builder { return &Builder{reader: r, index: make(map[string]int)} }

// Batch returns what was added.
func (b *Builder) Batch() Batch { return b.batch }

// Attributes calls yield for each attribute whose value is text, or a whole
// number written as text, until it returns false.
type Attributes func(yield func(key, text string) bool)

// Resource says whose the records are that are added next.
func (b *Builder) Resource(attributes Attributes) {
	b.beginResource()
	attributes(func(key, text string) bool {
		b.resource.take(b, []byte(key), []byte(text), true)
		return true
	})
	b.endResource()
}

// Record adds one record, begun at an instant; zero is unknown. It reports
// whether the record names a use.
func (b *Builder) Record(attributes Attributes, at time.Time) bool {
	b.record.reset()
	attributes(func(key, text string) bool {
		b.record.take(b, []byte(key), []byte(text), false)
		return true
	})
	if !at.IsZero() {
		b.record.nanos = uint64(max(0, at.UnixNano()))
	}
	return b.add()
}

// facts are the fields of one record or resource, as parts of the request.
type facts struct {
	text  [fieldCount][]byte
	rank  [fieldCount]uint8
	seen  int  // attributes
	about bool // an attribute that only telemetry of AI has
	nanos uint64

	number [20]byte // room for a number written as text
}

func (f *facts) reset() { *f = facts{} }

// want returns the key called name if it is looked at here, and counts.
func (f *facts) want(b *Builder, name []byte, ofResource bool) (Key, bool) {
	f.seen++
	if f.seen > b.reader.limits.Attributes {
		b.batch.Stats.AttributesUnread++
		return Key{}, false
	}
	k, known := b.reader.keys[string(name)]
	if !known {
		f.about = f.about || !ofResource && isAbout(name)
		return k, false
	}
	if (k.field >= recordFields) != ofResource {
		return k, false
	}
	f.about = f.about || !ofResource && !k.context
	return k, f.rank[k.field] == 0 || k.rank <= f.rank[k.field]
}

// isAbout says whether an attribute that is not looked at shows that a record is
// about AI.
func isAbout(name []byte) bool {
	return bytes.HasPrefix(name, []byte("gen_ai.")) || bytes.HasPrefix(name, []byte("mcp.")) || bytes.HasPrefix(name, []byte("traceloop."))
}

// take keeps the value of an attribute that is looked at.
func (f *facts) take(b *Builder, name, value []byte, ofResource bool) {
	if k, wanted := f.want(b, name, ofResource); wanted {
		f.put(b, k, value)
	}
}

func (f *facts) put(b *Builder, k Key, value []byte) {
	value = bytes.TrimSpace(value)
	if k.cut {
		value, _, _ = bytes.Cut(value, []byte("."))
	}
	if len(value) == 0 {
		return
	}
	if len(value) > b.reader.limits.Text || !isText(value) {
		b.batch.Stats.DroppedValues++
		return
	}
	f.text[k.field], f.rank[k.field] = value, k.rank
}

// isText says whether value is UTF-8 without control characters.
func isText(value []byte) bool {
	ascii := true
	for _, c := range value {
		if c < ' ' || c == 0x7f {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(value)
}

func (b *Builder) beginResource() { b.resource.reset() }

func (b *Builder) endResource() {
	b.key = b.key[:0]
	for _, text := range b.resource.text[recordFields:] {
		b.key = appendPart(b.key, text)
	}
	b.prefix = len(b.key)
}

func appendPart(key, part []byte) []byte {
	key = append(key, byte(len(part)>>8), byte(len(part)))
	return append(key, part...)
}

// add folds the record that was read.
func (b *Builder) add() bool {
	b.batch.Stats.Records++
	named := false
	for _, text := range b.record.text[:fieldSubjects] {
		named = named || len(text) > 0
	}
	switch {
	case !b.record.about:
		b.batch.Stats.Foreign++
		return false
	case !named:
		b.batch.Stats.Unnamed++
		return false
	}
	b.batch.Stats.Named++
	b.key = b.key[:b.prefix]
	for f, text := range b.record.text[:recordFields] {
		if field(f) != fieldOperation && field(f) != fieldToolType {
			b.key = appendPart(b.key, text)
		}
	}
	at, known := b.index[string(b.key)]
	if !known {
		at = len(b.batch.Uses)
		b.batch.Uses = append(b.batch.Uses, Use{Application: b.application()})
		b.index[string(b.key)] = at
	}
	b.batch.Uses[at].note(b.record.nanos)
	return true
}

// note counts one more record, begun at an instant.
func (u *Use) note(nanos uint64) {
	u.Count++
	if nanos == 0 || nanos > 1<<62 {
		return
	}
	at := time.Unix(0, int64(nanos)).UTC()
	if u.First.IsZero() || at.Before(u.First) {
		u.First = at
	}
	if at.After(u.Last) {
		u.Last = at
	}
}

// application copies what was read out of the request.
func (b *Builder) application() signatures.Application {
	said, by := &b.record.text, &b.resource.text
	a := signatures.Application{
		Provider: string(said[fieldProvider]), Model: string(said[fieldModel]), AskedModel: string(said[fieldAsked]),
		Agent: string(said[fieldAgent]), MCPMethod: string(said[fieldMCP]),
		Operation: string(said[fieldOperation]), ToolType: string(said[fieldToolType]),
		Service: string(by[fieldService]), ServiceNamespace: string(by[fieldServiceNamespace]), Instance: string(by[fieldInstance]),
		Host: string(by[fieldHost]), Container: string(by[fieldContainer]),
		Namespace: string(by[fieldNamespace]), Pod: string(by[fieldPod]), Node: string(by[fieldNode]),
	}
	a.Server, a.Port = server(string(said[fieldServer]), string(said[fieldPort]))
	return a
}

// server reads an address and a port as instrumentations write them: a host
// name or an address, but also a URL or host:port. What is no host is dropped,
// so that no user, path or query of a URL is kept.
func server(address, port string) (string, uint16) {
	if _, rest, found := strings.Cut(address, "://"); found {
		address = rest
	}
	address, _, _ = strings.Cut(address, "/")
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		address = address[i+1:]
	}
	if host, behind, found := strings.Cut(address, ":"); found && strings.Count(address, ":") == 1 {
		address = host
		if port == "" {
			port = behind
		}
	}
	name, ok := signatures.NormalizeHost(address)
	if !ok {
		return "", 0
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		number = 0
	}
	return name, uint16(number)
}
