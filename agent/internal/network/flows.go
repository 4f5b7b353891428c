package network

import (
	"bytes"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/stream"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
)

// Limits bound what the sensor holds.
type Limits struct {
	Flows          int           `yaml:"flows"`           // connections known at once
	BufferBytes    int           `yaml:"buffer_bytes"`    // bytes that wait for their message to be complete, all connections together
	Answers        int           `yaml:"answers"`         // addresses whose name is remembered from DNS
	FragmentBytes  int           `yaml:"fragment_bytes"`  // bytes of incomplete IP datagrams
	IdleTimeout    time.Duration `yaml:"idle_timeout"`    // a connection without a packet for so long is forgotten
	OpeningTimeout time.Duration `yaml:"opening_timeout"` // the same for one that never carried a byte
}

// DefaultLimits returns limits for an endpoint: about 20 MiB when all are
// reached.
func DefaultLimits() Limits {
	return Limits{
		Flows: 16384, BufferBytes: 8 << 20, Answers: 8192, FragmentBytes: 2 << 20,
		IdleTimeout: 5 * time.Minute, OpeningTimeout: 30 * time.Second,
	}
}

// flowKey is a connection, whichever way a packet goes: first is the lower
// end. It has no padding, so that hashing it is one pass over 40 bytes.
type flowKey struct {
	first, second         link.Address
	firstPort, secondPort uint16
	protocol              uint32
}

// keyOf returns the key and which end sent the packet: 0 for the first.
func keyOf(p *link.Packet) (key flowKey, from int) {
	a, b := &p.Source, &p.Destination
	order := bytes.Compare(a.Address[:], b.Address[:])
	if order > 0 || order == 0 && a.Port > b.Port {
		a, b, from = b, a, 1
	}
	return flowKey{a.Address, b.Address, a.Port, b.Port, uint32(p.Protocol)}, from
}

func (k *flowKey) end(i int) link.Endpoint {
	if i == 0 {
		return link.Endpoint{Address: k.first, Port: k.firstPort}
	}
	return link.Endpoint{Address: k.second, Port: k.secondPort}
}

const unknownEnd = -1

// flow is one connection.
type flow struct {
	key      flowKey
	node     [queues]struct{ older, newer *flow }
	queued   [queues]bool
	opening  bool // in the opening queue, else in the open one
	client   int8 // index of the end that opened it, or unknownEnd
	known    [2]bool
	answered bool // the server sent something
	finished [2]bool
	ignored  [2]bool // nothing more is to be learnt from what this end sends
	named    bool    // the flow itself gave a name
	reported bool    // a flow observation went out
	hello    bool    // a ClientHello was seen
	initial  bool    // a QUIC Initial was seen
	first    [2]uint32
	half     [2]*half
	datagram *tls.Assembly // DTLS ClientHello in pieces
	message  uint16        // its message number
	last     int64         // Unix nanoseconds of the newest packet
	held     int           // bytes in buffers
	bytes    [2]uint64
	answer   string // name that DNS gave to the server's address before the flow began
}

// half is what one end sends, as long as there is something to be learnt.
type half struct {
	buffer   stream.Buffer
	mode     mode
	need     int // bytes, from the start of what is not consumed, without which reading on is in vain
	scanned  int // bytes of an HTTP header that were searched for its end
	searched int // bytes that were searched for a known protocol
	records  int // TLS records read
	requests int // HTTP requests read
	hellos   int
}

// The queues a flow can be in; each is in order of the last packet.
const (
	openingQueue = iota // connections that carried no byte yet
	openQueue
	heldQueue // connections with bytes in buffers, besides one of the two above
	queues
)

type queue struct{ oldest, newest *flow }

// table holds the flows.
type table struct {
	limits Limits
	flows  map[flowKey]*flow
	queue  [queues]queue
	held   int
	open   int // flows in the open queue
}

func newTable(limits Limits) *table {
	return &table{limits: limits, flows: make(map[flowKey]*flow)}
}

func (t *table) push(q int, f *flow) {
	list := &t.queue[q]
	f.node[q].older, f.node[q].newer = list.newest, nil
	if list.newest != nil {
		list.newest.node[q].newer = f
	} else {
		list.oldest = f
	}
	list.newest = f
	f.queued[q] = true
	if q == openQueue {
		t.open++
	}
}

func (t *table) take(q int, f *flow) {
	if !f.queued[q] {
		return
	}
	list, n := &t.queue[q], f.node[q]
	if n.older != nil {
		n.older.node[q].newer = n.newer
	} else {
		list.oldest = n.newer
	}
	if n.newer != nil {
		n.newer.node[q].older = n.older
	} else {
		list.newest = n.older
	}
	f.queued[q] = false
	f.node[q].older, f.node[q].newer = nil, nil
	if q == openQueue {
		t.open--
	}
}

// touch moves f to the young end of its queue.
func (t *table) touch(f *flow, now int64) {
	f.last = now
	q := openQueue
	if f.opening {
		q = openingQueue
	}
	if t.queue[q].newest != f {
		t.take(q, f)
		t.push(q, f)
	}
}

// settle moves a flow that carried its first byte out of the opening queue.
func (t *table) settle(f *flow) {
	if f.opening {
		t.take(openingQueue, f)
		f.opening = false
		t.push(openQueue, f)
	}
}

// full reports whether a flow must go before another comes.
func (t *table) full() bool { return len(t.flows) >= t.limits.Flows }

// victim returns the flow to evict: one that never carried a byte as long as
// these are more than a quarter of all, so that a flood of SYNs displaces
// itself; else the one that has been silent longest.
func (t *table) victim() *flow {
	opening := t.queue[openingQueue].oldest
	if open := t.queue[openQueue].oldest; open != nil && (opening == nil || len(t.flows)-t.open <= t.limits.Flows/4) {
		return open
	}
	return opening
}

// add makes a flow; there is room.
func (t *table) add(key flowKey, opening bool, now int64) *flow {
	f := &flow{key: key, client: unknownEnd, opening: opening, last: now}
	t.flows[key] = f
	if opening {
		t.push(openingQueue, f)
	} else {
		t.push(openQueue, f)
	}
	return f
}

// account brings the byte budget up to date after f changed.
func (t *table) account(f *flow) {
	held := 0
	for _, h := range f.half {
		if h != nil {
			held += h.buffer.Held()
		}
	}
	if f.datagram != nil {
		held += f.datagram.Held()
	}
	t.held += held - f.held
	f.held = held
	switch {
	case held == 0:
		t.take(heldQueue, f)
	case !f.queued[heldQueue]:
		t.push(heldQueue, f)
	}
}

// remove forgets f.
func (t *table) remove(f *flow) {
	for q := range queues {
		t.take(q, f)
	}
	t.held -= f.held
	f.held = 0
	delete(t.flows, f.key)
}
