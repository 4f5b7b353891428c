package inspect

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// hotProcesses is how many recent holders are tried before anything else.
const hotProcesses = 8

// Holders finds the process that has a socket open. Asking the kernel for the
// socket is cheap, reading every /proc/PID/fd is not, so it goes from likely
// to unlikely: what it remembers, processes that opened sockets lately, the
// newest processes, and only then all of them, at a bounded rate. It is safe
// for concurrent use.
//
// A socket that several processes share is given to the one found first.
type Holders struct {
	config HoldersConfig

	mu       sync.Mutex
	known    generations
	absent   map[uint32]absence
	hot      [hotProcesses]int32
	nextHot  int
	nextWalk time.Time
	counts   HolderCounts

	path    []byte // scratch
	entries []byte
	link    [64]byte
	pids    []int32
	users   []uint32 // of pids
}

type absence struct {
	until   time.Time
	outcome Outcome
}

// NewHolders returns Holders; config must be valid.
func NewHolders(config HoldersConfig) *Holders {
	return &Holders{
		config:  config,
		known:   generations{max: config.MaxInodes},
		absent:  make(map[uint32]absence),
		entries: make([]byte, 16<<10),
	}
}

// Counts returns the totals.
func (h *Holders) Counts() HolderCounts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts
}

// NextWalk is when the next full walk may happen.
func (h *Holders) NextWalk() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.nextWalk
}

// Find returns a process that has the socket inode open; uid is the socket's
// user and makes its processes come first.
func (h *Holders) Find(inode, uid uint32) Held {
	h.mu.Lock()
	defer h.mu.Unlock()
	if pid := h.remembered(inode); pid != 0 {
		h.counts.Hits++
		return Held{PID: pid, Outcome: Found}
	}
	now := time.Now()
	if a, ok := h.absent[inode]; ok && now.Before(a.until) {
		h.counts.Negative++
		return Held{Outcome: a.outcome}
	}
	if pid := h.likely(inode); pid != 0 {
		return h.found(inode, pid)
	}
	if now.Before(h.nextWalk) {
		h.counts.WalksLimited++
		return Held{Outcome: Limited}
	}
	want := map[uint32]struct{}{inode: {}}
	denied, cut := h.walk(want, uid)
	if held, ok := h.known.get(inode); ok {
		h.counts.WalkHits++
		return h.found(inode, held.pid)
	}
	outcome := Absent
	switch {
	case denied:
		outcome = Denied
	case cut:
		outcome = Limited
	}
	h.rememberAbsent(inode, outcome)
	return Held{Outcome: outcome}
}

// AppendSockets appends the inodes of the sockets that pid has open. The
// outcome is Found, Denied where it may not be looked into, or Absent where it
// is gone.
func (h *Holders) AppendSockets(into []uint32, pid int32) ([]uint32, Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.scanEach(pid, func(inode uint32, _ int32) bool { into = append(into, inode); return true }) {
	case scanDenied:
		h.counts.Denied++
		return into, Denied
	case scanGone:
		return into, Absent
	}
	return into, Found
}

// found keeps the holder as a likely one for the next question.
func (h *Holders) found(inode uint32, pid int32) Held {
	delete(h.absent, inode)
	for _, hot := range h.hot {
		if hot == pid {
			return Held{PID: pid, Outcome: Found}
		}
	}
	h.hot[h.nextHot] = pid
	h.nextHot = (h.nextHot + 1) % hotProcesses
	return Held{PID: pid, Outcome: Found}
}

func (h *Holders) rememberAbsent(inode uint32, outcome Outcome) {
	if len(h.absent) >= h.config.MaxInodes {
		clear(h.absent)
	}
	h.absent[inode] = absence{until: time.Now().Add(h.config.NegativeTTL), outcome: outcome}
}

// remembered returns the known holder if it still has the socket open at the
// same place: one readlink.
func (h *Holders) remembered(inode uint32) int32 {
	held, ok := h.known.get(inode)
	if !ok {
		return 0
	}
	h.path = h.appendFolder(h.path[:0], held.pid)
	h.path = append(h.path, '/')
	h.path = strconv.AppendInt(h.path, int64(held.fd), 10)
	h.path = append(h.path, 0)
	if n, errno := readlinkRaw(unix.AT_FDCWD, &h.path[0], h.link[:]); errno == 0 {
		if seen, ok := parseSocketLink(h.link[:n]); ok && seen == inode {
			return held.pid
		}
	}
	h.known.drop(inode)
	return 0
}

// likely tries recent holders and the newest processes. Threads share the
// numbers of processes and are folded into theirs.
func (h *Holders) likely(inode uint32) int32 {
	for _, pid := range h.hot {
		if pid == 0 {
			continue
		}
		if h.scan(pid, inode) == scanFound {
			h.counts.HotHits++
			return pid
		}
	}
	last, ok := h.last()
	if !ok {
		return 0
	}
	for pid := last; pid > 0 && pid > last-int32(h.config.NewestPIDs); pid-- {
		if h.scan(pid, inode) != scanFound {
			continue
		}
		h.counts.NewestHits++
		if group := h.threadGroup(pid); group != 0 && group != pid {
			held, _ := h.known.get(inode)
			h.known.put(inode, holding{pid: group, fd: held.fd})
			return group
		}
		return pid
	}
	return 0
}

func (h *Holders) last() (int32, bool) {
	var buffer [128]byte
	n, _, err := readBounded(h.config.ProcRoot+"/loadavg", buffer[:])
	if err != nil {
		return 0, false
	}
	return lastPID(buffer[:n])
}

func (h *Holders) threadGroup(id int32) int32 {
	var buffer [512]byte // Tgid is among the first lines
	n, _, err := readBounded(h.config.ProcRoot+"/"+strconv.Itoa(int(id))+"/status", buffer[:])
	if err != nil {
		return 0
	}
	group, ok := statusID(buffer[:n], "Tgid")
	if !ok || group > 1<<22 {
		return 0
	}
	return int32(group)
}

// walk looks through all processes, newest first, those of uid before the
// others, until nothing is wanted any more. Every socket seen is remembered.
func (h *Holders) walk(want map[uint32]struct{}, uid uint32) (denied, cut bool) {
	started := time.Now()
	h.counts.Walks++
	defer func() {
		took := time.Since(started)
		h.nextWalk = started.Add(max(h.config.MinWalkGap, took*time.Duration(h.config.WalkShare)))
	}()
	if err := h.list(); err != nil {
		return isDenied(err), true
	}
	links := h.counts.Links
	for _, own := range []bool{true, false} {
		for i, pid := range h.pids {
			if (h.users[i] == uid) != own {
				continue
			}
			if h.counts.Links-links > uint64(h.config.MaxLinks) {
				h.counts.WalksCut++
				return denied, true
			}
			if h.scanFor(pid, want) == scanDenied {
				denied = true
				h.counts.Denied++
			}
			if len(want) == 0 {
				return denied, false
			}
		}
	}
	return denied, false
}
