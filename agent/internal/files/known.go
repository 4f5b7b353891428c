package files

import "sync/atomic"

// known are the names that are looked for now.
type known struct{ now atomic.Pointer[names] }

func newKnown(cfg Config) *known {
	k := &known{}
	k.now.Store(newNames(cfg.KnownNames, cfg.KnownPatterns))
	return k
}

// has is that of names.
func (k *known) has(folder, name string) bool { return k.now.Load().has(folder, name) }

// Know looks for the names of cfg from now on; where nothing changes on disk they
// are found with the next full look. The rest of cfg is left aside. Safe for
// concurrent use.
func (s *Sensor) Know(cfg Config) {
	s.known.now.Store(newNames(cfg.KnownNames, cfg.KnownPatterns))
}
