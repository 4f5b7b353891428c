package pipeline

import (
	"sync/atomic"

	"github.com/gnomon-ai/gnomon/signatures"
)

// inUse is what observations are matched by: all of it changes at once.
type inUse struct {
	set    *signatures.Set
	hidden []*atomic.Uint64 // matches left out, by the suppressions of set
}

// Use has observations from now on matched by set; what is being folded stays
// as it is, and what a suppression has left out goes on being counted. Calls come
// one after the other; Emit may run beside.
func (p *Pipeline) Use(set *signatures.Set) {
	next := &inUse{set: set, hidden: make([]*atomic.Uint64, len(set.Suppressions()))}
	counted := map[string]*atomic.Uint64{}
	if before := p.using.Load(); before != nil {
		for i, s := range before.set.Suppressions() {
			counted[s.Signature] = before.hidden[i]
		}
	}
	for i, s := range set.Suppressions() {
		if next.hidden[i] = counted[s.Signature]; next.hidden[i] == nil {
			next.hidden[i] = &atomic.Uint64{}
		}
	}
	p.using.Store(next)
}
