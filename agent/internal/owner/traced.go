package owner

import (
	"errors"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/agent/internal/sockettrace"
	"github.com/gnomon-ai/gnomon/signatures"
)

// open has the kernel record connections, where the configuration and the host
// let it.
func (r *Resolver) open() {
	untraced := ""
	defer func() {
		r.mu.Lock()
		r.untraced = untraced
		r.mu.Unlock()
	}()
	if r.config.Method == SockDiag || r.config.Method == Proc {
		untraced = "owner.method is " + string(r.config.Method) + ": auto would let the kernel record connections"
		return
	}
	trace, err := sockettrace.Open(r.config.trace())
	if err != nil {
		untraced = "the kernel does not record connections: " + err.Error()
		r.log.Info("owners are looked for when a connection is seen, which misses programs that end at once", "reason", err)
		return
	}
	r.trace.Store(trace)
	debug.FreeOSMemory() // reading the kernel's layout took some megabytes, once
}

// Status is how owners are found.
type Status struct {
	Method Method // ebpf, sock_diag or proc
	Reason string // why it is no better one, or what this one cannot do here, with what to do about it; "" where it is nothing
	Unmet  bool   // the configuration asks for ebpf, and it is not to be had
}

// Status tells how owners are found now. Before Run it is the fallback.
func (r *Resolver) Status() Status {
	if trace := r.trace.Load(); trace != nil {
		return Status{Method: EBPF, Reason: strings.Join(trace.Limits(), "; ")}
	}
	_, fallback := r.source()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Method: SockDiag, Reason: r.untraced, Unmet: r.config.Method == EBPF && r.untraced != ""}
	if fallback || r.kernel == nil {
		s.Method = Proc
	}
	return s
}

// record finds what the kernel recorded of k. The record is under the local
// port and the peer; whether the local address fits is decided here.
func (r *Resolver) record(trace *sockettrace.Trace, k key) (sockettrace.Record, bool) {
	record, ok, err := trace.Find(k.protocol(), k.client.Port(), k.server)
	if err != nil {
		r.traceError(err)
		return record, false
	}
	return record, ok && r.fits(&record, k)
}

func (r *Resolver) traceError(err error) {
	if !errors.Is(err, sockettrace.ErrClosed) {
		r.counters.traceErrors.Add(1)
		r.log.Debug("asking the kernel for its record of a connection", "cause", err)
	}
}

// fits reports whether a record is of k itself, and not of the same ports at
// another address or in another network namespace.
func (r *Resolver) fits(record *sockettrace.Record, k key) bool {
	own := r.local.namespace()
	ours := own == 0 || record.NetNS == own
	client := k.client.Addr()
	switch {
	case client.IsLoopback():
		return ours // every namespace has a loopback of its own, and this one's is what sensors see
	case record.Local.Addr() == client:
		return true
	case !record.Local.Addr().IsUnspecified():
		return false
	}
	return ours == r.local.has(client)
}

// translated finds the record of a connection from another network namespace
// of this host that leaves under an address of the host: the port and the peer
// are the same. No socket of the host's own may have it.
func (r *Resolver) translated(trace *sockettrace.Trace, k key) (sockettrace.Record, bool) {
	own := r.local.namespace()
	if own == 0 || k.client.Addr().IsLoopback() || !r.local.has(k.client.Addr()) {
		return sockettrace.Record{}, false
	}
	record, ok, err := trace.Find(k.protocol(), k.client.Port(), k.server)
	if err != nil {
		r.traceError(err)
		return record, false
	}
	return record, ok && record.NetNS != own
}

// askTrace answers from the kernel's record, "not ok" where there is none.
func (r *Resolver) askTrace(trace *sockettrace.Trace, k key) (answer, bool) {
	record, ok := r.record(trace, k)
	if !ok {
		// The port of a connected UDP socket is not in the record while that is
		// open, its number is; and only one's own socket has a number here.
		socket, found, err := r.find(k.protocol(), k.client, k.server)
		switch {
		case err != nil:
			return answer{}, false
		case found && socket.Cookie == 0:
			return answer{}, false
		case found:
			record, ok, err = trace.FindSocket(socket.Cookie)
			if err != nil {
				r.traceError(err)
			}
		case k.udp:
			record, ok = r.record(trace, k) // closed between the two questions
		}
		if !ok && !found {
			if record, ok = r.translated(trace, k); ok {
				r.counters.hitsTranslated.Add(1)
			}
		}
	}
	if !ok {
		return answer{}, false
	}
	a := r.answerOf(trace, &record)
	if a.reason == "" {
		r.counters.hitsTraced.Add(1)
	}
	return a, a.reason == ""
}

// clockStep is the resolution of start times in /proc.
const clockStep = 10 * time.Millisecond

// answerOf is the process that opened a recorded connection.
func (r *Resolver) answerOf(trace *sockettrace.Trace, record *sockettrace.Record) answer {
	a := answer{cookie: record.Cookie, uid: record.UID}
	a.process.User = r.reader.User(record.UID)
	if process, ok := r.traced.get(record); ok {
		a.process = process
		return a
	}
	program, ok, err := trace.Program(record)
	if err != nil {
		r.traceError(err)
	}
	if !ok || program.Executable == "" {
		return r.livingProcess(a, record)
	}
	a.process = signatures.Process{
		PID: record.PID, ParentPID: program.ParentPID, StartedAt: r.reader.StartedAt(record.Start()),
		Name:       inspect.ProgramName(program.Executable, record.Comm, program.Arguments),
		Executable: program.Executable, Arguments: program.Arguments, User: a.process.User, Parents: program.Parents,
	}
	place := inspect.PathPlacement(program.Cgroup)
	if r.lives(record) {
		// Where version 1 of the groups is used beside, the containers are there.
		if place == (inspect.Placement{}) {
			place = r.reader.Placement(record.PID)
		}
	} else {
		r.counters.tracedEnded.Add(1)
	}
	a.process.Container, a.process.PodUID = place.Container, place.PodUID
	r.traced.put(record, a.process)
	return a
}

// lives reports whether the process of a record is still there, and not
// another with its number: one that began later than it connected.
func (r *Resolver) lives(record *sockettrace.Record) bool {
	stamp, err := r.reader.Stamp(record.PID)
	return err == nil && sameProcess(record, stamp)
}

// sameProcess tells them apart as finely as /proc does: a number would have to
// be given out again within the same hundredth of a second.
func sameProcess(record *sockettrace.Record, stamp inspect.Stamp) bool {
	if record.Start() != 0 {
		return stamp.Began() == record.Start().Truncate(clockStep)
	}
	return stamp.Began() <= record.At
}

// livingProcess answers from /proc where the kernel recorded the process's
// number but not its program.
func (r *Resolver) livingProcess(a answer, record *sockettrace.Record) answer {
	facts, err := r.facts.get(r.reader, record.PID)
	if err != nil || !sameProcess(record, facts.Stamp) || facts.KernelThread {
		a.reason = Exited
		return a
	}
	user := a.process.User
	a.process = facts.Process
	if a.process.User == "" {
		a.process.User = user
	}
	return a
}

// tracedPrograms keeps the processes that the kernel recorded, so that a
// browser with hundreds of connections is read once.
type tracedPrograms struct {
	max int

	mu    sync.Mutex
	known map[sockettrace.ProgramID]signatures.Process
}

func (t *tracedPrograms) get(record *sockettrace.Record) (signatures.Process, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	process, ok := t.known[record.Program()]
	return process, ok
}

func (t *tracedPrograms) put(record *sockettrace.Record, process signatures.Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= t.max || t.known == nil {
		t.known = make(map[sockettrace.ProgramID]signatures.Process)
	}
	t.known[record.Program()] = process
}
