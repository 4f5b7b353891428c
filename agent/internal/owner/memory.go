package owner

import (
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/signatures"
)

// answer is what was found out about one connection.
type answer struct {
	process signatures.Process
	reason  Reason
	inode   uint32
	uid     uint32
	cookie  uint64 // the kernel's number of the socket, 0 where it is not known
	server  bool   // the server's end is the one that is ours
	at      time.Time
}

// memory keeps answers in a ring: the oldest goes first.
type memory struct {
	keep time.Duration

	mu    sync.Mutex
	known map[key]answer
	ring  []key
	next  int
}

func (m *memory) get(k key, now time.Time) (answer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.known[k]
	if !ok || now.Sub(a.at) > m.keep {
		return answer{}, false
	}
	return a, true
}

// forget drops what is known of k.
func (m *memory) forget(k key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a, ok := m.known[k]; ok {
		a.at = time.Time{} // too old; its place in the ring stays
		m.known[k] = a
	}
}

// put stores a and reports whether a younger than its limit had to go for it.
func (m *memory) put(k key, a answer) (evicted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.known[k]; ok {
		m.known[k] = a
		return false
	}
	if old, ok := m.known[m.ring[m.next]]; ok {
		evicted = a.at.Sub(old.at) <= m.keep
		delete(m.known, m.ring[m.next])
	}
	m.ring[m.next] = k
	m.next = (m.next + 1) % len(m.ring)
	m.known[k] = a
	return evicted
}

// processes keeps the facts of few processes, so that a browser with hundreds
// of connections is read once.
type processes struct {
	max int

	mu    sync.Mutex
	known map[int32]inspect.Facts
}

// get returns the facts of pid, read anew when it is another process or runs
// another program than before.
func (p *processes) get(reader *inspect.Reader, pid int32) (inspect.Facts, error) {
	p.mu.Lock()
	facts, ok := p.known[pid]
	p.mu.Unlock()
	if ok {
		stamp, err := reader.Stamp(pid)
		if err == nil && stamp.SameImage(facts.Stamp) {
			return facts, nil
		}
	}
	facts, err := reader.Facts(pid)
	if err != nil {
		return inspect.Facts{}, err
	}
	facts.Parents = reader.Parents(facts.ParentPID)
	if facts.Ended {
		return facts, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= p.max {
		clear(p.known)
	}
	p.known[pid] = facts
	return facts, nil
}
