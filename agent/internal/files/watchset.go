package files

import (
	"container/heap"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// watchSet is the folders that are watched: of all that were offered the ones
// nearest to a root, and first of all those that hold models or known names.
// Folders that only tools fill come last. Safe for concurrent use.
type watchSet struct {
	mu      sync.Mutex
	watcher *fsnotify.Watcher // nil: nothing can be watched
	limit   int
	rank    map[string]int
	heap    watchHeap // the least wanted first
	refused map[string]struct{}
	more    uint64 // refused folders that are not listed
	reason  string // why a folder was refused
	counts  *counters
}

type watchEntry struct {
	path string
	rank int
}

type watchHeap []watchEntry //nolint:recvcheck // only Push and Pop of heap.Interface change its length

func (h watchHeap) Len() int           { return len(h) }
func (h watchHeap) Less(i, j int) bool { return h[i].rank > h[j].rank }
func (h watchHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *watchHeap) Push(x any) { *h = append(*h, x.(watchEntry)) }

// Pop implements heap.Interface.
func (h *watchHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

const maxRefused = 10_000

func newWatchSet(w *fsnotify.Watcher, limit int, counts *counters) *watchSet {
	return &watchSet{watcher: w, limit: limit, counts: counts, rank: make(map[string]int), refused: make(map[string]struct{})}
}

// toolFolders hold what package managers and caches write: watched last.
var toolFolders = []string{"/node_modules", "/.git", "/__pycache__", "/site-packages", "/.tox", "/.venv", "/vendor", "/target", "/.cargo", "/.npm"}

// rankOf orders folders; the lower, the sooner it is watched.
func rankOf(path string, depth int) int {
	path = filepath.ToSlash(path)
	for _, t := range toolFolders {
		if strings.Contains(path, t+"/") || strings.HasSuffix(path, t) {
			return 10_000 + depth
		}
	}
	return depth
}

// offer watches a folder if there is room, or if it is wanted more than the
// least wanted one that is watched.
func (s *watchSet) offer(path string, rank int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watcher == nil || s.limit == 0 {
		s.refuse(path, "max_watches is 0")
		return
	}
	if old, ok := s.rank[path]; ok {
		s.rank[path] = min(old, rank)
		return
	}
	if len(s.rank) >= s.limit {
		for s.heap.Len() > 0 { // entries whose folder is gone, or was promoted since
			top := s.heap[0]
			if now, ok := s.rank[top.path]; ok && now == top.rank {
				break
			} else if ok {
				s.heap[0].rank = now
				heap.Fix(&s.heap, 0)
				continue
			}
			heap.Pop(&s.heap)
		}
		if s.heap.Len() == 0 || s.heap[0].rank <= rank {
			s.refuse(path, "max_watches reached")
			return
		}
		worst := heap.Pop(&s.heap).(watchEntry)
		s.remove(worst.path)
		s.refuse(worst.path, "max_watches reached")
	}
	if err := s.watcher.Add(path); err != nil {
		s.failed(path, err)
		return
	}
	delete(s.refused, path)
	s.rank[path] = rank
	heap.Push(&s.heap, watchEntry{path, rank})
}

// failed records a folder that the system would not watch. When the system's
// own limit is met, no more are asked for.
func (s *watchSet) failed(path string, err error) {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE):
		s.limit = len(s.rank)
		s.refuse(path, "the system's limit of watches is reached (fs.inotify.max_user_watches)")
	case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR):
		return // gone already
	default:
		s.refuse(path, "the system refused a watch")
	}
	s.counts.add(cWatches)
}

func (s *watchSet) refuse(path, why string) {
	s.reason = why
	if len(s.refused) >= maxRefused {
		if _, ok := s.refused[path]; !ok {
			s.more++
		}
		return
	}
	s.refused[path] = struct{}{}
}

// remove ends a watch.
func (s *watchSet) remove(path string) {
	delete(s.rank, path)
	if err := s.watcher.Remove(path); err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) {
		s.counts.add(cWatches)
	}
}

// gone forgets a folder that was removed or renamed, with those below.
func (s *watchSet) gone(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.rank[path]; !ok || s.watcher == nil {
		return
	}
	for p := range s.rank {
		if _, ok := below(path, p); ok {
			s.remove(p)
		}
	}
}

// begin starts the count of refused folders anew, for a walk of everything.
func (s *watchSet) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.refused)
	s.more = 0
}

// state tells how many folders are watched and how many are not, and why.
func (s *watchSet) state() (watched int, unwatched uint64, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rank), uint64(len(s.refused)) + s.more, s.reason
}
