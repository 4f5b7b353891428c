package process

import (
	"errors"
	"runtime/debug"
	"slices"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
)

// lookAtPorts finds out who listens where: one listing of all listening
// sockets, and then the open sockets of the processes that are new, or of all
// where a listening socket has turned up that nobody is known to hold. At rest
// that is one question to the kernel.
func (s *Sensor) lookAtPorts() {
	defer func() {
		if cause := recover(); cause != nil {
			s.count(func(c *counters) { c.panics++ })
			s.log.Error("looking at listening sockets panicked", "cause", cause, "stack", string(debug.Stack()))
		}
	}()
	sockets, err := s.listening()
	if err != nil {
		s.count(func(c *counters) { c.portsFailed++ })
		s.portsUnseen(err)
		return
	}
	if over := len(sockets) - s.config.MaxListening; over > 0 {
		s.count(func(c *counters) { c.listeningOverLimit += uint64(over) })
		sockets = sockets[:s.config.MaxListening]
	}
	byInode := make(map[uint32]uint16, len(sockets))
	byPID := make(map[int32][]uint16)
	for _, socket := range sockets {
		switch {
		case socket.PID != 0:
			byPID[socket.PID] = append(byPID[socket.PID], socket.Port)
		case socket.Inode != 0:
			byInode[socket.Inode] = socket.Port
		}
	}
	denied := s.claim(byInode)
	for pid, t := range s.known {
		s.setPorts(t, byInode, byPID[pid])
	}
	s.count(func(c *counters) {
		c.listening += uint64(len(sockets))
		if denied {
			c.unclaimedDenied += uint64(len(s.unclaimed))
		}
	})
}

func (s *Sensor) listening() (_ []inspect.Socket, err error) {
	if s.kernel == nil {
		kernel, openErr := inspect.OpenSockets()
		if openErr == nil {
			s.kernel = kernel
		} else if !errors.Is(openErr, inspect.ErrUnsupported) {
			s.log.Debug("listing sockets through the kernel is not possible, reading the whole table", "cause", openErr)
		}
	}
	if s.kernel != nil {
		s.sockets, err = s.kernel.AppendListening(s.sockets[:0])
		return s.sockets, err
	}
	s.sockets, err = s.snapshot.AppendListening(s.sockets[:0])
	return s.sockets, err
}

// claim finds the holders of the listening sockets. denied reports that a
// socket that nobody claims may belong to a process that could not be looked
// into.
func (s *Sensor) claim(byInode map[uint32]uint16) (denied bool) {
	held := make(map[uint32]struct{}, len(byInode))
	for _, t := range s.known {
		for _, inode := range t.listening {
			held[inode] = struct{}{}
		}
	}
	all := false
	for inode := range byInode {
		_, isHeld := held[inode]
		_, isUnclaimed := s.unclaimed[inode]
		if !isHeld && !isUnclaimed {
			all = true
			break
		}
	}
	if all {
		s.count(func(c *counters) { c.walks++ })
	}
	for pid, t := range s.known {
		if t.facts.KernelThread || !all && !t.fresh {
			continue
		}
		var outcome inspect.Outcome
		s.inodes, outcome = s.holders.AppendSockets(s.inodes[:0], pid)
		denied = denied || outcome == inspect.Denied
		t.listening = t.listening[:0]
		for _, inode := range s.inodes {
			if _, ok := byInode[inode]; ok && !slices.Contains(t.listening, inode) {
				t.listening = append(t.listening, inode)
				held[inode] = struct{}{}
			}
		}
	}
	if all {
		clear(s.unclaimed)
	}
	for inode := range byInode {
		if _, ok := held[inode]; ok {
			delete(s.unclaimed, inode)
		} else {
			s.unclaimed[inode] = struct{}{}
		}
	}
	return denied && len(s.unclaimed) > 0
}

// setPorts gives t its present ports and marks it where they changed.
func (s *Sensor) setPorts(t *tracked, byInode map[uint32]uint16, direct []uint16) {
	t.listening = slices.DeleteFunc(t.listening, func(inode uint32) bool { _, ok := byInode[inode]; return !ok })
	if len(t.listening) == 0 && len(direct) == 0 && len(t.ports) == 0 {
		return
	}
	ports := slices.Clone(direct)
	for _, inode := range t.listening {
		ports = append(ports, byInode[inode])
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	if slices.Equal(ports, t.ports) {
		return
	}
	t.ports = ports
	if !t.report {
		t.report = true
		s.count(func(c *counters) { c.portsChanged++ })
	}
}
