package pipeline

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// maxEvidence bounds the evidence that one finding carries.
const maxEvidence = 8

// fold is a finding that still grows.
type fold struct {
	finding.Finding
	grown  uint64 // times something was added
	stored uint64 // the same of what the sink has; 0 for a fold that it has not seen
	touch  uint64 // order of the last sighting
	ended  bool   // no further sighting is added
}

// snapshot is the finding as it stands, as its next revision.
func (f *fold) snapshot() finding.Finding {
	s := f.Finding
	s.Revision++
	s.Evidence = slices.Clone(f.Evidence)
	s.Attributes = maps.Clone(f.Attributes)
	return s
}

// carry adds bytes of a connection that f has a sighting of.
func (f *fold) carry(up, down uint64, at time.Time) {
	f.grown++
	f.BytesUp += up
	f.BytesDown += down
	if at.After(f.LastSeen) {
		f.LastSeen = at
	}
}

// merge adds a further sighting of the same use.
func (f *fold) merge(s *finding.Finding) {
	f.grown++
	f.Count += s.Count
	f.BytesUp += s.BytesUp
	f.BytesDown += s.BytesDown
	if s.FirstSeen.Before(f.FirstSeen) {
		f.FirstSeen = s.FirstSeen
	}
	if s.LastSeen.After(f.LastSeen) {
		f.LastSeen = s.LastSeen
	}
	f.Confidence = max(f.Confidence, s.Confidence)
	if s.PeerAddress != "" {
		f.PeerAddress, f.PeerPort = s.PeerAddress, s.PeerPort
	}
	for key, value := range s.Attributes {
		if f.Attributes[key] == "" {
			setAttribute(&f.Finding, key, value)
		} else if key == attributeClients {
			f.Attributes[key] = joinNames(f.Attributes[key], value)
		}
	}
	for _, e := range s.Evidence {
		if len(f.Evidence) < maxEvidence && !slices.Contains(f.Evidence, e) {
			f.Evidence = append(f.Evidence, e)
		}
	}
}

// foldKey tells folds apart. start is 0 except offline, where windows of
// several times are open together.
type foldKey struct {
	fingerprint string
	start       int64
}

// folds holds the open folds. Its owner guards it.
type folds struct {
	max     int
	offline bool
	hold    string // sensor whose folds are stored at checkpoints alone; "" for none
	byKey   map[foldKey]*fold
	fresh   []*fold // opened and not yet handed to the sink; none offline
	touch   uint64
}

func newFolds(max int, offline bool) folds {
	return folds{max: max, offline: offline, byKey: make(map[foldKey]*fold)}
}

func (s *folds) count() int { return len(s.byKey) }
func (s *folds) full() bool { return len(s.byKey) >= s.max }

// held reports whether f waits for the next checkpoint.
func (s *folds) held(f *fold) bool { return s.hold != "" && f.Sensor == s.hold }

// takeHeld returns the held folds with sightings that the sink has not seen.
func (s *folds) takeHeld() []*fold {
	var list []*fold
	if s.hold == "" {
		return nil
	}
	for _, f := range s.byKey {
		if s.held(f) && f.stored < f.grown {
			list = append(list, f)
		}
	}
	return list
}

func (s *folds) key(f *finding.Finding) foldKey {
	k := foldKey{fingerprint: f.Fingerprint}
	if s.offline {
		k.start = f.WindowStart.Unix()
	}
	return k
}

// add merges f into its open fold and returns that; nil where there is none.
func (s *folds) add(f finding.Finding) *fold {
	open := s.byKey[s.key(&f)]
	if open == nil {
		return nil
	}
	open.merge(&f)
	s.touched(open)
	return open
}

// touched notes that f was added to.
func (s *folds) touched(f *fold) {
	s.touch++
	f.touch = s.touch
}

// open begins the fold of f.
func (s *folds) open(f finding.Finding) *fold {
	s.touch++
	opened := &fold{Finding: f, grown: 1, touch: s.touch}
	s.byKey[s.key(&f)] = opened
	if !s.offline && !s.held(opened) {
		s.fresh = append(s.fresh, opened)
	}
	return opened
}

// takeAll removes and returns every open fold, in the order of first sighting.
func (s *folds) takeAll() []*fold {
	if len(s.byKey) == 0 {
		return nil
	}
	all := make([]*fold, 0, len(s.byKey))
	for _, f := range s.byKey {
		f.ended = true
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *fold) int {
		return cmp.Or(a.FirstSeen.Compare(b.FirstSeen), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	clear(s.byKey)
	s.fresh = nil
	return all
}

// takeOldest removes and returns the n folds that were not seen for longest.
func (s *folds) takeOldest(n int) []*fold {
	type entry struct {
		key  foldKey
		fold *fold
	}
	all := make([]entry, 0, len(s.byKey))
	for k, f := range s.byKey {
		all = append(all, entry{k, f})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.fold.touch, b.fold.touch) })
	taken := make([]*fold, 0, n)
	for _, e := range all[:min(n, len(all))] {
		delete(s.byKey, e.key)
		e.fold.ended = true
		taken = append(taken, e.fold)
	}
	s.fresh = slices.DeleteFunc(s.fresh, func(f *fold) bool { return f.ended })
	return taken
}

// takeFresh returns the open folds that the sink has not seen.
func (s *folds) takeFresh() []*fold {
	fresh := s.fresh
	s.fresh = nil
	return fresh
}

// putBackFresh takes back what the sink refused, unless it has ended since.
func (s *folds) putBackFresh(refused []*fold) {
	for _, f := range refused {
		if !f.ended && !s.held(f) {
			s.fresh = append(s.fresh, f)
		}
	}
}
