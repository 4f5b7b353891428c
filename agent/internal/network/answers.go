package network

import (
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
)

// An answer is believed for its time to live and answerGrace more, because
// programs keep addresses longer than they should, but never for more than
// answerMost.
const (
	answerGrace = 10 * time.Minute
	answerMost  = 24 * time.Hour
)

// answerKey is an address and who asked for it. The zero asker stands for
// anybody: behind a local resolver, the asker that is seen is the resolver.
type answerKey struct {
	asker, address link.Address
}

type answer struct {
	key          answerKey
	name         string // the name that was asked for, not its alias
	until        int64  // Unix nanoseconds
	older, newer *answer
}

// answers remembers which name an address was given for: the least recently
// used is forgotten. It is safe for concurrent use: the engines of a gateway
// share it, as the answer may come past another one than its connection.
type answers struct {
	mu             sync.Mutex
	limit          int
	byKey          map[answerKey]*answer
	oldest, newest *answer
}

func newAnswers(limit int) *answers {
	return &answers{limit: max(limit, 2), byKey: make(map[answerKey]*answer)}
}

// learn remembers that asker was told that name has address. It returns how
// many answers were forgotten for it.
func (a *answers) learn(asker, address link.Address, name string, ttl uint32, now int64) (evicted uint64) {
	until := believed(ttl, now)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.put(answerKey{asker, address}, name, until) + a.put(answerKey{link.Address{}, address}, name, until)
}

func (a *answers) put(key answerKey, name string, until int64) (evicted uint64) {
	e := a.byKey[key]
	switch {
	case e != nil:
		a.unlink(e)
	case len(a.byKey) >= a.limit:
		e = a.oldest
		a.unlink(e)
		delete(a.byKey, e.key)
		evicted = 1
	default:
		e = new(answer)
	}
	*e = answer{key: key, name: name, until: until}
	a.byKey[key] = e
	a.link(e)
	return evicted
}

// name returns the name that client was given address for, or "".
func (a *answers) name(client, address link.Address, now int64) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range [2]answerKey{{client, address}, {link.Address{}, address}} {
		if e := a.byKey[key]; e != nil && e.until >= now {
			if a.newest != e {
				a.unlink(e)
				a.link(e)
			}
			return e.name
		}
	}
	return ""
}

func (a *answers) link(e *answer) {
	e.older, e.newer = a.newest, nil
	if a.newest != nil {
		a.newest.newer = e
	} else {
		a.oldest = e
	}
	a.newest = e
}

func (a *answers) unlink(e *answer) {
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		a.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		a.newest = e.older
	}
}

// recent is a map that forgets what was put in first.
type recent[K comparable, V any] struct {
	limit   int
	entries map[K]V
	order   []K // a ring once it is full
	at      int
	evicted uint64
}

func newRecent[K comparable, V any](limit int) recent[K, V] {
	return recent[K, V]{limit: limit, entries: make(map[K]V)}
}

// put sets the value of key; one that is there already keeps its place.
func (r *recent[K, V]) put(key K, value V) {
	if _, ok := r.entries[key]; !ok {
		if len(r.order) < r.limit {
			r.order = append(r.order, key)
		} else {
			delete(r.entries, r.order[r.at])
			r.order[r.at] = key
			r.at = (r.at + 1) % r.limit
			r.evicted++
		}
	}
	r.entries[key] = value
}

// told is what a client was told of a name.
type told struct {
	asker link.Address // the zero asker stands for anybody
	name  string
}

// believed returns until when an answer is believed.
func believed(ttl uint32, now int64) int64 {
	return now + int64(min(time.Duration(ttl)*time.Second+answerGrace, answerMost))
}
