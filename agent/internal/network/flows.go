package network

import (
	"encoding/binary"
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

// keyOf writes the key and returns which end sent the packet: 0 for the first.
// It moves words, as they were written (see mapIPv4 of package link).
func keyOf(p *link.Packet, key *flowKey) (from int) {
	a, b := &p.Source, &p.Destination
	a0, a1 := binary.BigEndian.Uint64(a.Address[:8]), binary.BigEndian.Uint64(a.Address[8:])
	b0, b1 := binary.BigEndian.Uint64(b.Address[:8]), binary.BigEndian.Uint64(b.Address[8:])
	if higher := a0 > b0 || a0 == b0 && (a1 > b1 || a1 == b1 && a.Port > b.Port); higher {
		a, b, from = b, a, 1
		a0, a1, b0, b1 = b0, b1, a0, a1
	}
	binary.BigEndian.PutUint64(key.first[:8], a0)
	binary.BigEndian.PutUint64(key.first[8:], a1)
	binary.BigEndian.PutUint64(key.second[:8], b0)
	binary.BigEndian.PutUint64(key.second[8:], b1)
	key.firstPort, key.secondPort, key.protocol = a.Port, b.Port, uint32(p.Protocol)
	return from
}

// equal compares words, those first that differ most.
func (k *flowKey) equal(with *flowKey) bool {
	return sameWord(k.first[8:], with.first[8:]) && sameWord(k.second[8:], with.second[8:]) &&
		k.firstPort == with.firstPort && k.secondPort == with.secondPort && k.protocol == with.protocol &&
		sameWord(k.first[:8], with.first[:8]) && sameWord(k.second[:8], with.second[:8])
}

func sameWord(a, b []byte) bool {
	return binary.LittleEndian.Uint64(a) == binary.LittleEndian.Uint64(b)
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
	// What every packet touches, together: a packet of a connection that is
	// known costs two lines of the cache.
	key      flowKey
	last     int64 // Unix nanoseconds of the newest packet
	moved    int64 // of the packet at which its place in the queue was last put right
	bytes    [2]uint64
	id       flowID
	opening  bool // in the opening queue, else in the open one
	client   int8 // index of the end that opened it, or unknownEnd
	known    [2]bool
	answered bool // the server sent something
	finished [2]bool
	ignored  [2]bool // nothing more is to be learnt from what this end sends
	named    bool    // the flow itself gave a name
	reported bool    // a flow observation went out
	hello    bool    // a ClientHello was seen
	veiled   uint8   // the kinds of veil that it was counted under, one bit each
	queued   [queues]bool
	track    *track // nil where nothing asks for it
	half     [2]*half

	quic     *quicFlow // nil where none was seen
	first    [2]uint32
	node     [queues]struct{ older, newer flowID }
	held     int           // bytes in buffers
	datagram *tls.Assembly // DTLS ClientHello in pieces
	message  uint16        // its message number
	answer   string        // name that DNS gave to the server's address before the flow began
	preface  *preface      // what came before a ClientHello; nil as long as nothing did
}

// half is what one end sends, as long as there is something to be learnt.
type half struct {
	buffer   stream.Buffer
	need     int   // bytes, from the start of what is not consumed, without which reading on is in vain
	scanned  int   // bytes of an HTTP header that were searched for its end
	searched int32 // bytes that were searched for a known protocol, to a little over searchBytes
	requests int32 // HTTP requests read, as far as they fit
	mode     mode
	records  uint8      // TLS records read
	hellos   uint8      // ClientHellos read
	wrapper  uint8      // modeWrapped: index of the protocol that goes on
	stage    uint8      // modeWrapped: messages of it that were read
	http2    *http2Side // nil where none is spoken
}

// The queues a flow can be in; each is in order of the last packet.
const (
	openingQueue = iota // connections that carried no byte yet
	openQueue
	heldQueue // connections with bytes in buffers, besides one of the two above
	queues
)

type queue struct{ oldest, newest flowID }

// flowID names a flow of the table; 0 is none. It stands where a pointer would
// cost the garbage collector a look at every flow.
type flowID uint32

// chunk is how many flows are made at a time.
const chunk = 512

// lateness is by how much the order of a queue may be wrong: a flow is moved
// to its young end at most so often.
const lateness = int64(time.Second)

// table holds the flows. Their memory is kept and used again.
type table struct {
	limits Limits
	index  index
	chunks []*[chunk]flow
	free   []flowID
	halves []*half // to be used again
	queue  [queues]queue
	held   int
	open   int // flows in the open queue
}

func newTable(limits Limits) *table {
	return &table{limits: limits, index: newIndex()}
}

// at returns the flow that id names, nil for none.
func (t *table) at(id flowID) *flow {
	if id == 0 {
		return nil
	}
	return &t.chunks[(id-1)/chunk][(id-1)%chunk]
}

// find returns the flow of a key, nil where there is none. A flow is valid
// until it is removed.
func (t *table) find(key *flowKey) *flow {
	x := &t.index
	hash := x.hash(key)
	for i := x.home(hash); x.entries[i] != 0; i = x.after(i) {
		if x.entries[i].hash() != hash {
			continue
		}
		if f := t.at(x.entries[i].id()); f.key.equal(key) {
			return f
		}
	}
	return nil
}

// count returns the number of flows.
func (t *table) count() int { return t.index.count }

// oldest returns the flow at the old end of a queue, nil where it is empty.
func (t *table) oldest(q int) *flow { return t.at(t.queue[q].oldest) }

func (t *table) push(q int, f *flow) {
	list := &t.queue[q]
	f.node[q].older, f.node[q].newer = list.newest, 0
	if newest := t.at(list.newest); newest != nil {
		newest.node[q].newer = f.id
	} else {
		list.oldest = f.id
	}
	list.newest = f.id
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
	if older := t.at(n.older); older != nil {
		older.node[q].newer = n.newer
	} else {
		list.oldest = n.newer
	}
	if newer := t.at(n.newer); newer != nil {
		newer.node[q].older = n.older
	} else {
		list.newest = n.older
	}
	f.queued[q] = false
	f.node[q].older, f.node[q].newer = 0, 0
	if q == openQueue {
		t.open--
	}
}

// touch notes that f has a packet and moves it to the young end of its queue,
// give or take lateness.
func (t *table) touch(f *flow, now int64) {
	f.last = now
	if now-f.moved < lateness {
		return
	}
	f.moved = now
	q := openQueue
	if f.opening {
		q = openingQueue
	}
	if t.queue[q].newest != f.id {
		t.take(q, f)
		t.push(q, f)
	}
}

// settle moves a flow that carried its first byte out of the opening queue.
func (t *table) settle(f *flow) {
	if f.opening {
		t.take(openingQueue, f)
		f.opening, f.moved = false, f.last
		t.push(openQueue, f)
	}
}

// full reports whether a flow must go before another comes.
func (t *table) full() bool { return t.count() >= t.limits.Flows }

// victim returns the flow to evict: one that never carried a byte as long as
// these are more than a quarter of all, so that a flood of SYNs displaces
// itself; else the one that has been silent longest.
func (t *table) victim() *flow {
	opening := t.oldest(openingQueue)
	if open := t.oldest(openQueue); open != nil && (opening == nil || t.count()-t.open <= t.limits.Flows/4) {
		return open
	}
	return opening
}

// add makes a flow; there is room.
func (t *table) add(key flowKey, opening bool, now int64) *flow {
	if len(t.free) == 0 {
		t.grow()
	}
	id := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	f := t.at(id)
	*f = flow{key: key, id: id, client: unknownEnd, opening: opening, last: now, moved: now}
	t.index.put(t.index.hash(&key), id)
	if opening {
		t.push(openingQueue, f)
	} else {
		t.push(openQueue, f)
	}
	return f
}

// grow makes room for further flows.
func (t *table) grow() {
	first := flowID(len(t.chunks)*chunk + 1)
	t.chunks = append(t.chunks, new([chunk]flow))
	for id := first + chunk - 1; id >= first; id-- {
		t.free = append(t.free, id)
	}
}

// maxHalves bounds what is kept to be used again.
const maxHalves = 1024

// half returns what one end of f sends, made where it is not there yet.
func (t *table) half(f *flow, from int) *half {
	if f.half[from] == nil {
		if n := len(t.halves); n > 0 {
			f.half[from], t.halves = t.halves[n-1], t.halves[:n-1]
		} else {
			f.half[from] = new(half)
		}
	}
	return f.half[from]
}

// dropHalf takes it away.
func (t *table) dropHalf(f *flow, from int) {
	h := f.half[from]
	f.half[from] = nil
	if h != nil && len(t.halves) < maxHalves {
		*h = half{}
		t.halves = append(t.halves, h)
	}
}

// account brings the byte budget up to date after f changed.
func (t *table) account(f *flow) {
	held := 0
	for _, h := range f.half {
		if h != nil {
			held += h.buffer.Held()
			if h.http2 != nil {
				held += h.http2.decoder.Held()
			}
		}
	}
	if f.datagram != nil {
		held += f.datagram.Held()
	}
	held += f.quicHeld()
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
	t.index.remove(t.index.hash(&f.key), f.id)
	for from := range f.half {
		t.dropHalf(f, from)
	}
	t.free = append(t.free, f.id)
	*f = flow{}
}
