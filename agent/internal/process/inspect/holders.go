package inspect

import (
	"errors"
	"fmt"
	"time"
)

// HoldersConfig bounds the search for the process that holds a socket.
type HoldersConfig struct {
	ProcRoot    string        `yaml:"proc_root"`     // where procfs is mounted
	MaxInodes   int           `yaml:"max_inodes"`    // sockets remembered; twice as many at most for a moment
	MaxLinks    int           `yaml:"max_links"`     // open files looked at in one full walk
	WalkShare   int           `yaml:"walk_share"`    // full walks may take 1/WalkShare of the time
	MinWalkGap  time.Duration `yaml:"min_walk_gap"`  // between two full walks
	NegativeTTL time.Duration `yaml:"negative_ttl"`  // how long a socket without a holder is not looked for again
	NewestPIDs  int           `yaml:"newest_probes"` // process ids tried downwards from the newest before a walk
}

// DefaultHolders keeps full walks below 2 % of one core.
func DefaultHolders() HoldersConfig {
	return HoldersConfig{
		ProcRoot:    "/proc",
		MaxInodes:   16384,
		MaxLinks:    200_000,
		WalkShare:   50,
		MinWalkGap:  100 * time.Millisecond,
		NegativeTTL: 3 * time.Second,
		NewestPIDs:  48,
	}
}

// Validate says which key is wrong and what it should be.
func (c HoldersConfig) Validate() error {
	switch {
	case c.ProcRoot == "":
		return errors.New(`proc_root: must name a folder, usually "/proc"`)
	case c.MaxInodes < 16:
		return fmt.Errorf("max_inodes: %d is below 16", c.MaxInodes)
	case c.MaxLinks < 256:
		return fmt.Errorf("max_links: %d is below 256", c.MaxLinks)
	case c.WalkShare < 1:
		return fmt.Errorf("walk_share: %d is below 1", c.WalkShare)
	case c.MinWalkGap < 0 || c.NegativeTTL < 0:
		return errors.New("min_walk_gap and negative_ttl: must not be negative")
	case c.NewestPIDs < 0 || c.NewestPIDs > 4096:
		return fmt.Errorf("newest_probes: %d is outside 0 to 4096", c.NewestPIDs)
	}
	return nil
}

// HolderCounts are totals since the start.
type HolderCounts struct {
	Hits         uint64 // answered from memory
	HotHits      uint64 // found in a process that opened sockets lately
	NewestHits   uint64 // found in one of the newest processes
	Walks        uint64 // full walks
	WalkHits     uint64 // sockets found by a full walk
	WalksLimited uint64 // walks that were not due
	WalksCut     uint64 // walks that ended at MaxLinks
	Negative     uint64 // answered by "was looked for a moment ago"
	Denied       uint64 // processes that could not be looked into, over all walks
	Links        uint64 // open files looked at
}

// parseSocketLink reads "socket:[123]", the link of an open socket in
// /proc/PID/fd (proc(5)).
func parseSocketLink(link []byte) (inode uint32, ok bool) {
	const open = "socket:["
	if len(link) < len(open)+2 || string(link[:len(open)]) != open || link[len(link)-1] != ']' {
		return 0, false
	}
	value, ok := parseUint(link[len(open) : len(link)-1])
	if !ok || value == 0 || value > 1<<32-1 {
		return 0, false
	}
	return uint32(value), true
}

// lastPID reads the fifth field of /proc/loadavg: the id given out last.
func lastPID(loadavg []byte) (int32, bool) {
	end := len(loadavg)
	for end > 0 && (loadavg[end-1] == '\n' || loadavg[end-1] == ' ') {
		end--
	}
	start := end
	for start > 0 && loadavg[start-1] != ' ' {
		start--
	}
	value, ok := parseUint(loadavg[start:end])
	if !ok || value == 0 || value > 1<<22 { // PID_MAX_LIMIT of linux/threads.h
		return 0, false
	}
	return int32(value), true
}

// holding is where a socket was seen open.
type holding struct {
	pid int32
	fd  int32
}

// generations is a bounded map that forgets its older half at once, so that it
// needs no order.
type generations struct {
	max            int
	young, earlier map[uint32]holding
}

func (g *generations) get(inode uint32) (holding, bool) {
	if h, ok := g.young[inode]; ok {
		return h, true
	}
	h, ok := g.earlier[inode]
	return h, ok
}

func (g *generations) put(inode uint32, h holding) {
	if len(g.young) >= g.max {
		g.earlier, g.young = g.young, nil
	}
	if g.young == nil {
		g.young = make(map[uint32]holding)
	}
	g.young[inode] = h
}

func (g *generations) drop(inode uint32) {
	delete(g.young, inode)
	delete(g.earlier, inode)
}
