package files

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// memory is what the sensor knows from earlier walks, so that an unchanged file
// is neither read nor reported again. Ordinary files cost one hash each, model
// files their facts. Safe for concurrent use.
type memory struct {
	mu     sync.Mutex
	seed   maphash.Seed
	limit  int
	repeat time.Duration
	walk   uint32            // number of the walk under way
	plain  map[uint64]uint32 // hash of path and attributes: walk that saw it last
	models map[string]modelMemory
	inside map[string]int // folder: how many of models lie in it
	sent   map[string]sentMemory
}

type modelMemory struct {
	item item
	walk uint32
}

type sentMemory struct {
	hash uint64
	at   time.Time
	walk uint32
}

func newMemory(limit int, repeat time.Duration) *memory {
	return &memory{
		seed: maphash.MakeSeed(), limit: limit, repeat: repeat,
		plain: make(map[uint64]uint32), models: make(map[string]modelMemory), inside: make(map[string]int), sent: make(map[string]sentMemory),
	}
}

// begin starts a walk of everything.
func (m *memory) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.walk++
}

// end forgets what the walk of everything did not see.
func (m *memory) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.plain, func(_ uint64, w uint32) bool { return w != m.walk })
	for path, v := range m.models {
		if v.walk != m.walk {
			m.dropModel(path)
		}
	}
	maps.DeleteFunc(m.sent, func(_ string, v sentMemory) bool { return v.walk != m.walk })
}

// dropModel forgets a model file. The lock is held.
func (m *memory) dropModel(path string) {
	if _, ok := m.models[path]; !ok {
		return
	}
	delete(m.models, path)
	folder := filepath.Dir(path)
	if m.inside[folder]--; m.inside[folder] <= 0 {
		delete(m.inside, folder)
	}
}

// holds says whether a model file is remembered in a folder.
func (m *memory) holds(folder string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inside[folder] > 0
}

func (m *memory) fingerprint(path string, st stat) uint64 {
	var h maphash.Hash
	h.SetSeed(m.seed)
	h.WriteString(path)
	var b [40]byte
	binary.LittleEndian.PutUint64(b[:], uint64(st.size))
	binary.LittleEndian.PutUint64(b[8:], uint64(st.mtime.UnixNano()))
	binary.LittleEndian.PutUint64(b[16:], st.inode)
	binary.LittleEndian.PutUint64(b[24:], st.device)
	h.Write(b[:])
	return h.Sum64()
}

// look tells whether the file is known unchanged, and whether it is a model.
func (m *memory) look(path string, st stat) (it item, known, model bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.models[path]; ok && v.item.st.same(st) {
		v.walk = m.walk
		m.models[path] = v
		return v.item, true, true
	}
	fp := m.fingerprint(path, st)
	if _, ok := m.plain[fp]; ok {
		m.plain[fp] = m.walk
		return item{}, true, false
	}
	return item{}, false, false
}

// keep remembers a file that was read; false where there is no room.
func (m *memory) keep(path string, it item, model bool, maxModels int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if model {
		if _, ok := m.models[path]; !ok {
			if len(m.models) >= maxModels {
				return false
			}
			m.inside[filepath.Dir(path)]++
		}
		m.models[path] = modelMemory{it, m.walk}
		return true
	}
	m.dropModel(path)
	if len(m.plain) >= m.limit {
		return false
	}
	m.plain[m.fingerprint(path, it.st)] = m.walk
	return true
}

// What to do with an observation.
type reporting int

const (
	reportNew reporting = iota
	reportAgain
	reportNot
	reportUntracked // report it, but there is no room to remember that
)

// report decides whether an observation is new, changed or due again.
func (m *memory) report(kind signatures.Kind, f *signatures.File, now time.Time, limit int) reporting {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := string(kind) + "\x00" + f.Path
	sum := m.sum(f)
	old, ok := m.sent[key]
	if ok && old.hash == sum && now.Sub(old.at) < m.repeat {
		old.walk = m.walk
		m.sent[key] = old
		return reportNot
	}
	if !ok && len(m.sent) >= 2*limit {
		return reportUntracked
	}
	m.sent[key] = sentMemory{sum, now, m.walk}
	if ok && old.hash == sum {
		return reportAgain
	}
	return reportNew
}

// sum is a hash of what an observation says. The size and time of a folder
// known by name alone do not count: they change with every file inside.
func (m *memory) sum(f *signatures.File) uint64 {
	var h maphash.Hash
	h.SetSeed(m.seed)
	text := func(s string) { h.WriteString(s); h.WriteByte(0) }
	text(f.Format)
	text(f.Problem)
	text(f.SHA256)
	text(f.Store)
	text(f.Owner)
	for _, p := range f.Files {
		text(p)
	}
	for _, k := range slices.Sorted(maps.Keys(f.Facts)) {
		text(k)
		text(f.Facts[k])
	}
	if f.Format != "" {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:], uint64(f.Size))
		binary.LittleEndian.PutUint64(b[8:], uint64(f.ModTime.UnixNano()))
		h.Write(b[:])
	}
	return h.Sum64()
}
