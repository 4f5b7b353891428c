package network

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// index finds flows by their keys. It holds no keys of its own: an entry is
// half of the key's hash and the flow's id, in one word, so that a look-up
// touches one line of the index and then the flow that is wanted anyway. The
// hash is seeded: who chooses addresses and ports cannot choose collisions.
type index struct {
	secret  [5]uint64
	entries []entry // a power of two of them, at most half of them used
	count   int
}

// entry is a hash in its upper half and a flowID in its lower; 0 is none.
type entry uint64

func (e entry) id() flowID { return flowID(e) }
func (e entry) hash() uint32 {
	return uint32(e >> 32)
}

const leastEntries = 64

func newIndex() index {
	x := index{entries: make([]entry, leastEntries)}
	for i := range x.secret {
		x.secret[i] = rand.Uint64() | 1
	}
	return x
}

// hash multiplies and folds the key's words under a secret, as wyhash does,
// which Go's maps use where the processor has no AES
// (https://github.com/wangyi-fudan/wyhash).
func (x *index) hash(key *flowKey) uint32 {
	a, b := binary.LittleEndian.Uint64(key.first[:8]), binary.LittleEndian.Uint64(key.first[8:])
	c, d := binary.LittleEndian.Uint64(key.second[:8]), binary.LittleEndian.Uint64(key.second[8:])
	e := uint64(key.firstPort)<<48 | uint64(key.secondPort)<<32 | uint64(key.protocol)
	h := fold(a^x.secret[0], b^x.secret[1]) ^ fold(c^x.secret[2], d^x.secret[3])
	return uint32(fold(fold(e^x.secret[4], h^x.secret[1])^x.secret[2], x.secret[3]) >> 32)
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// home is where an entry with a hash would stand if nobody were there.
func (x *index) home(hash uint32) int { return int(hash) & (len(x.entries) - 1) }

func (x *index) after(i int) int { return (i + 1) & (len(x.entries) - 1) }

// put adds an id that is not there.
func (x *index) put(hash uint32, id flowID) {
	if 2*(x.count+1) > len(x.entries) {
		before := x.entries
		x.entries = make([]entry, 2*len(before))
		for _, e := range before {
			if e != 0 {
				x.place(e)
			}
		}
	}
	x.place(entry(hash)<<32 | entry(id))
	x.count++
}

func (x *index) place(e entry) {
	i := x.home(e.hash())
	for x.entries[i] != 0 {
		i = x.after(i)
	}
	x.entries[i] = e
}

// remove takes an id away and moves up those behind it that it had displaced
// (Knuth, The Art of Computer Programming, volume 3, section 6.4, algorithm R).
func (x *index) remove(hash uint32, id flowID) {
	hole := x.home(hash)
	for x.entries[hole].id() != id {
		if x.entries[hole] == 0 {
			return
		}
		hole = x.after(hole)
	}
	x.count--
	for i := x.after(hole); x.entries[i] != 0; i = x.after(i) {
		home := x.home(x.entries[i].hash())
		if (i-home)&(len(x.entries)-1) >= (i-hole)&(len(x.entries)-1) {
			x.entries[hole], hole = x.entries[i], i
		}
	}
	x.entries[hole] = 0
}
