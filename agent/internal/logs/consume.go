package logs

import (
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/logs/format"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

// sensorName is the sensor's name in configuration and observations.
const sensorName = "log"

// maxAhead is how far a line's time may lie ahead of this host's clock.
const maxAhead = time.Minute

// earliest is the first time that is believed: collectors refuse what is older.
const earliest = 1577836800 * int64(time.Second) // 2020-01-01

// consumer reads the lines of one stream: a file, a connection, a capture of
// either. It is for one goroutine at a time.
type consumer struct {
	parser format.Parser
	record format.Record
	emit   sensor.Emit
	count  *tally
	names  texts
	users  texts
	now    int64 // nanoseconds since 1970, not after the present
	failed func(result format.Result)
}

// Header implements tail.Consumer.
func (c *consumer) Header(line []byte) (more bool) {
	defer c.guard()
	return c.parser.Parse(line, &c.record) == format.Header
}

// Record implements tail.Consumer and listen.Consumer.
func (c *consumer) Record(line []byte, _ bool) {
	defer c.guard()
	result := c.parser.Parse(line, &c.record)
	c.count.results[result].Add(1)
	switch {
	case result == format.Use:
		c.observe(&c.record)
	case result.Failed():
		c.failed(result)
	}
}

// guard keeps a fault in one line from ending the sensor.
func (c *consumer) guard() {
	if fault := recover(); fault != nil {
		c.count.panics.Add(1)
	}
}

// observe hands over what a line says.
func (c *consumer) observe(r *format.Record) {
	o := signatures.Observation{Sensor: sensorName, Kind: r.Kind, Remote: true}
	if len(r.Name) > 0 {
		name := c.names.of(r.Name)
		if !name.usual {
			c.count.unusual.Add(1)
			if len(r.Path) == 0 {
				return
			}
		}
		o.Name = name.text
	}
	o.Time = c.time(r.Time)
	o.Flow.Protocol = r.Protocol
	if r.Client.IsValid() {
		o.Flow.Client = netip.AddrPortFrom(r.Client, r.ClientPort)
	}
	if r.Server.IsValid() || r.ServerPort != 0 {
		o.Flow.Server = netip.AddrPortFrom(r.Server, r.ServerPort)
	}
	o.Flow.BytesUp, o.Flow.BytesDown = r.Up, r.Down
	if r.Kind == signatures.KindHTTP {
		o.Method, o.Path = method(r.Method), printable(r.Path)
	}
	if len(r.User) > 0 {
		o.Process.User = c.users.of(r.User).raw
	}
	c.count.last.Store(o.Time.Unix())
	c.count.observations.Add(1)
	c.emit(o)
}

// time bounds what a line says: not ahead of this host's clock, and not so old
// that nobody could have written it.
func (c *consumer) time(nanos int64) time.Time {
	if nanos > c.now+int64(maxAhead) || nanos == 0 {
		c.now = time.Now().UnixNano()
	}
	switch {
	case nanos == 0:
		c.count.timeMissing.Add(1)
		nanos = c.now
	case nanos > c.now+int64(maxAhead):
		c.count.timeAhead.Add(1)
		nanos = c.now
	case nanos < earliest:
		c.count.timeOld.Add(1)
		nanos = earliest
	}
	return time.Unix(0, nanos).UTC()
}

// method returns a method without allocating it anew.
func method(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "CONNECT":
		return "CONNECT"
	case "":
		return ""
	}
	return printable(b)
}

// printable makes text of bytes that somebody else chose: control characters
// and what is not ASCII become percent escapes, as in a URL.
func printable(b []byte) string {
	plain := true
	for _, ch := range b {
		plain = plain && ch > ' ' && ch < 0x7f
	}
	if plain {
		return string(b)
	}
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(b)+16)
	for _, ch := range b {
		if ch > ' ' && ch < 0x7f {
			out = append(out, ch)
			continue
		}
		out = append(out, '%', digits[ch>>4], digits[ch&15])
	}
	return string(out)
}

// textSlots is how many texts are remembered.
const textSlots = 1024

// texts remembers the host names and users that came last, so that a text that
// comes again costs a comparison and no memory.
type texts struct {
	seed  maphash.Seed
	slots []text
}

type text struct {
	raw   string // as written
	text  string // as a host name in normal form, "" where it is none
	usual bool   // it is a host name
}

// maxRemembered bounds the length of a text that is remembered, in bytes.
const maxRemembered = 256

// of returns b as a text.
func (t *texts) of(b []byte) text {
	if len(b) > maxRemembered {
		return newText(b)
	}
	if t.slots == nil {
		t.seed, t.slots = maphash.MakeSeed(), make([]text, textSlots)
	}
	slot := &t.slots[maphash.Bytes(t.seed, b)%textSlots]
	if slot.raw != string(b) {
		*slot = newText(b)
	}
	return *slot
}

func newText(b []byte) text {
	v := text{raw: string(b)}
	v.text, v.usual = signatures.NormalizeHost(v.raw)
	for i := range len(v.text) {
		v.usual = v.usual && v.text[i] > ' ' && v.text[i] < 0x7f
	}
	if !v.usual {
		v.text = ""
	}
	return v
}
