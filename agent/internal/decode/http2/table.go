package http2

import "github.com/gnomon-ai/gnomon/agent/internal/decode/http"

// Limits of the dynamic table (RFC 7541, section 4). A client that uses more is
// followed, but entries behind MaxTable are not known any more.
const (
	DefaultTable = 4096
	MaxTable     = 64 << 10
	entryCost    = 32 // what an entry counts beside its name and value
)

// unknownName is the name of an entry whose name stood in one that is not known.
const unknownName http.Name = 255

// entry is one of the dynamic table. Its value is kept where it says something
// here, and is values[at-base:][:length].
type entry struct {
	cost   uint32 // RFC 7541, section 4.1
	at     uint32
	length uint16
	named  uint16 // length of the name, where that is less than 64 KiB
	name   http.Name
}

// table is a dynamic table.
type table struct {
	entries []entry // from gone on; the newest is the last
	gone    int
	values  []byte // from base on, of which all before the oldest entry's are waste
	base    uint32
	cost    int // of all entries
	most    int // of which the table holds so much
	partial bool
}

func (t *table) count() int { return len(t.entries) - t.gone }

// find returns the entry with an index of the dynamic table, the newest being
// 0.
func (t *table) find(i int) (e *entry, ok bool) {
	if i >= t.count() {
		return nil, false
	}
	return &t.entries[len(t.entries)-1-i], true
}

func (t *table) value(e *entry) []byte {
	at := e.at - t.base
	return t.values[at : at+uint32(e.length)]
}

// resize takes a new limit.
func (t *table) resize(most int) {
	switch {
	case most == 0:
		t.partial = false // it is empty, which is to know all of it
	case most > MaxTable:
		most, t.partial = MaxTable, true
	}
	t.most = most
	t.evict(0)
}

// evict makes room for cost.
func (t *table) evict(cost int) {
	for t.cost+cost > t.most && t.gone < len(t.entries) {
		t.cost -= int(t.entries[t.gone].cost)
		t.gone++
	}
	if t.gone == len(t.entries) {
		t.base += uint32(len(t.values))
		t.entries, t.values, t.gone = t.entries[:0], t.values[:0], 0
		return
	}
	// Waste is moved out when it is more than half.
	if t.gone > len(t.entries)/2 {
		t.entries = t.entries[:copy(t.entries, t.entries[t.gone:])]
		t.gone = 0
	}
	if waste := t.entries[t.gone].at - t.base; int(waste) > len(t.values)/2 {
		t.values = t.values[:copy(t.values, t.values[waste:])]
		t.base += waste
	}
}

// insert adds an entry; value is what is to be kept of a value of the given
// length.
func (t *table) insert(name http.Name, named int, value []byte, length int) {
	cost := named + length + entryCost
	t.evict(cost)
	if cost > t.most {
		return // RFC 7541, section 4.4: the table is empty then
	}
	value = value[:min(len(value), maxValue)]
	t.entries = append(t.entries, entry{
		cost: uint32(cost), at: t.base + uint32(len(t.values)), length: uint16(len(value)), named: uint16(named), name: name,
	})
	t.values = append(t.values, value...)
	t.cost += cost
}
