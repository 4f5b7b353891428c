package owner

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/agent/internal/sockettrace"
	"github.com/gnomon-ai/gnomon/signatures"
)

// table answers which socket of this host a connection has.
type table interface {
	Find(protocol string, local, remote netip.AddrPort) (inspect.Socket, bool, error)
}

// Resolver finds owners. It is safe for concurrent use.
type Resolver struct {
	config   Config
	log      *slog.Logger
	queue    chan key
	reader   *inspect.Reader
	holders  *inspect.Holders
	snapshot *inspect.Snapshot
	memory   memory
	facts    processes
	local    localAddresses
	pods     *inspect.Pods
	traced   tracedPrograms
	counters counters

	// trace is nil where the kernel does not record connections.
	trace atomic.Pointer[sockettrace.Trace]

	mu       sync.Mutex
	kernel   *inspect.Sockets // nil until first used, and where it is refused
	refuse   bool             // the kernel cannot be asked for one connection
	untraced string           // why trace is nil, with what to do about it
}

// New returns a resolver; config must be valid. It opens nothing yet.
func New(config Config, log *slog.Logger) *Resolver {
	return &Resolver{
		config:   config,
		log:      log,
		queue:    make(chan key, config.Queue),
		reader:   inspect.NewReader(config.Facts),
		holders:  inspect.NewHolders(config.Holders),
		snapshot: inspect.NewSnapshot(config.SnapshotAge),
		memory: memory{
			keep:  config.RememberFor,
			known: make(map[key]answer),
			ring:  make([]key, config.Remember),
		},
		facts:    processes{max: config.Processes, known: make(map[int32]inspect.Facts)},
		local:    localAddresses{maxAge: config.LocalAddresses},
		pods:     inspect.NewPods(""),
		traced:   tracedPrograms{max: config.Processes},
		refuse:   config.Method == Proc,
		untraced: "not started",
	}
}

// Run has the kernel record connections, where it may, and works off what
// Observe was given until ctx ends. It is called once.
func (r *Resolver) Run(ctx context.Context) error {
	r.open()
	for {
		select {
		case <-ctx.Done():
			return nil
		case k := <-r.queue:
			r.prefetch(k)
		}
	}
}

// Close ends the recording in the kernel and frees the netlink socket, which a
// later Lookup opens again. Call it after Run.
func (r *Resolver) Close() error {
	var err error
	if trace := r.trace.Swap(nil); trace != nil {
		err = trace.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kernel != nil {
		err = errors.Join(err, r.kernel.Close())
	}
	r.kernel = nil
	return err
}

// Observe asks for the owner of flow to be remembered, best at the first packet
// from the client: a process that ends right after its request is found only
// so. It never blocks and needs Run; what does not fit is dropped and counted.
// A client that is not this host is left out, and all where the kernel records
// connections by itself.
func (r *Resolver) Observe(flow signatures.Flow) {
	if r.trace.Load() != nil {
		r.counters.observeNeedless.Add(1)
		return
	}
	k, ok := keyOf(flow)
	if !ok || !r.local.has(k.client.Addr()) {
		r.counters.observeSkipped.Add(1)
		return
	}
	r.memory.forget(k) // a new connection: the ports may have been somebody else's
	select {
	case r.queue <- k:
		r.counters.observed.Add(1)
	default:
		r.counters.observeDropped.Add(1)
	}
}

func (r *Resolver) prefetch(k key) {
	defer r.survive()
	if a, ok := r.memory.get(k, time.Now()); ok && a.reason == "" && r.confirmed(k, a) {
		return
	}
	r.remember(k, r.ask(k, 0))
}

// confirmed reports whether the socket that a was found for is still there, as
// when a SYN is sent again. Else the connection is a new one under the same
// ports, and what is remembered is of somebody else.
func (r *Resolver) confirmed(k key, a answer) bool {
	source, _ := r.source()
	socket, ok, err := source.Find(k.protocol(), k.client, k.server)
	if err != nil || !ok {
		return false
	}
	if a.cookie != 0 && socket.Cookie != 0 {
		return socket.Cookie == a.cookie
	}
	return socket.Inode == a.inode
}

// reused reports whether the addresses and ports of k belong to another socket
// by now than the one that a was found for.
func (r *Resolver) reused(k key, a answer) bool {
	if trace := r.trace.Load(); trace != nil && a.cookie != 0 {
		if record, ok := r.record(trace, k); ok {
			return record.Cookie != a.cookie
		}
	}
	source, _ := r.source()
	if source == table(r.snapshot) {
		return false // the table is no younger than what is remembered
	}
	near, far := k.client, k.server
	if a.server {
		near, far = far, near
	}
	socket, ok, err := source.Find(k.protocol(), near, far)
	if err != nil || !ok {
		return false
	}
	if a.cookie != 0 && socket.Cookie != 0 {
		return socket.Cookie != a.cookie
	}
	return socket.Inode != 0 && socket.Inode != a.inode
}

// Lookup returns the process and user of flow. The client's end is looked for
// first; where it is not ours, the server's end may be, as on a host that
// serves a model. Where the reason is not "", the process is unknown but its
// User may be set. It may take as long as MaxWait.
func (r *Resolver) Lookup(flow signatures.Flow) (process signatures.Process, reason Reason) {
	r.counters.lookups.Add(1)
	defer func() { r.counters.miss(reason) }()
	defer r.survive()
	reason = NoSocket // what a panic below leaves
	k, ok := keyOf(flow)
	if !ok {
		return signatures.Process{}, NoSocket
	}
	a, known := r.memory.get(k, time.Now())
	if known && a.reason == "" && !r.reused(k, a) {
		r.counters.remembered.Add(1)
	} else {
		a = merge(a, r.ask(k, r.config.MaxWait))
		r.remember(k, a)
	}
	if a.reason == "" && a.server {
		r.counters.hitsServer.Add(1)
	}
	process = a.process
	process.Arguments = slices.Clone(process.Arguments)
	process.Parents = slices.Clone(process.Parents)
	if process.PodUID != "" {
		pod := r.pods.Find(process.PodUID)
		process.PodNamespace, process.PodName = pod.Namespace, pod.Name
	}
	return process, a.reason
}

// merge takes the fresh answer, and from an earlier one that saw the socket the
// user that a socket without a process no longer tells.
func merge(earlier, fresh answer) answer {
	if fresh.reason == "" || fresh.process.User != "" || earlier.inode == 0 {
		return fresh
	}
	if fresh.reason == NoSocket {
		fresh.reason = Exited
	}
	fresh.process.User, fresh.inode, fresh.uid = earlier.process.User, earlier.inode, earlier.uid
	return fresh
}

func (r *Resolver) remember(k key, a answer) {
	a.at = time.Now()
	if r.memory.put(k, a) {
		r.counters.evicted.Add(1)
	}
}

// survive counts a panic and goes on: what is read comes from outside.
func (r *Resolver) survive() {
	if cause := recover(); cause != nil {
		r.counters.panics.Add(1)
		r.log.Error("owner lookup panicked", "cause", cause, "stack", string(debug.Stack()))
	}
}

// ask finds the owner now; it waits at most wait until a full walk is due.
func (r *Resolver) ask(k key, wait time.Duration) answer {
	trace := r.trace.Load()
	if trace != nil {
		if a, ok := r.askTrace(trace, k); ok {
			return a
		}
	}
	socket, ok, err := r.find(k.protocol(), k.client, k.server)
	ours, server := ok, false
	if err == nil && !ok {
		// The server's end counts only for a client from elsewhere: on this
		// host the server would be named for what its client did.
		if ours = r.local.has(k.client.Addr()); !ours {
			socket, ok, err = r.find(k.protocol(), k.server, k.client)
			server = ok
		}
	}
	switch {
	case errors.Is(err, inspect.ErrUnsupported):
		return answer{reason: Unsupported}
	case errors.Is(err, fs.ErrPermission):
		return answer{reason: NoPermission}
	case err != nil:
		r.log.Debug("finding a socket", "cause", err)
		return answer{reason: NoSocket}
	case !ok && !ours && !r.local.has(k.server.Addr()):
		return answer{reason: NotLocal}
	case !ok && trace != nil && trace.Recycled():
		return answer{reason: LostEvent}
	case !ok:
		return answer{reason: NoSocket}
	}
	a := r.hold(socket, wait)
	a.server = server
	return a
}

// find asks the kernel, or the connection table where that is refused.
func (r *Resolver) find(protocol string, local, remote netip.AddrPort) (inspect.Socket, bool, error) {
	source, fallback := r.source()
	socket, ok, err := source.Find(protocol, local, remote)
	if fallback && ok {
		r.counters.fallbacks.Add(1)
	}
	return socket, ok, err
}

func (r *Resolver) source() (source table, fallback bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kernel == nil && !r.refuse {
		kernel, err := inspect.OpenSockets()
		if err != nil {
			r.refuse = true
			r.log.Debug("asking the kernel for single sockets is not possible, reading whole tables instead", "cause", err)
		} else {
			r.kernel = kernel
		}
	}
	if r.kernel == nil {
		return r.snapshot, runtime.GOOS == "linux"
	}
	return r.kernel, false
}

// hold finds the process behind a socket and reads its facts.
func (r *Resolver) hold(socket inspect.Socket, wait time.Duration) answer {
	a := answer{inode: socket.Inode, uid: socket.UID, cookie: socket.Cookie}
	if socket.UIDKnown {
		a.process.User = r.reader.User(socket.UID)
	}
	pid := socket.PID
	if pid == 0 {
		if socket.Inode == 0 {
			a.reason = Exited
			return a
		}
		held := r.holder(socket, wait)
		switch held.Outcome {
		case inspect.Denied:
			a.reason = NoPermission
			return a
		case inspect.Limited:
			a.reason = NoSocket
			return a
		case inspect.Absent:
			a.reason = Exited
			return a
		}
		pid = held.PID
	}
	facts, err := r.facts.get(r.reader, pid)
	switch {
	case errors.Is(err, fs.ErrPermission):
		a.reason = NoPermission
		return a
	case err != nil:
		a.reason = Exited
		return a
	case facts.KernelThread, facts.Executable == "" && !facts.ExecutableBlind && runtime.GOOS == "linux":
		a.reason = Exited // nobody's program has it, or it went before it could be read
		return a
	}
	user := a.process.User
	a.process = facts.Process
	if a.process.User == "" {
		a.process.User = user
	}
	return a
}

// holder looks for the holder, waiting for a full walk where it must.
func (r *Resolver) holder(socket inspect.Socket, wait time.Duration) inspect.Held {
	held := r.holders.Find(socket.Inode, socket.UID)
	if held.Outcome != inspect.Limited || wait <= 0 {
		return held
	}
	deadline := time.Now().Add(wait)
	r.counters.waits.Add(1)
	for held.Outcome == inspect.Limited {
		due := r.holders.NextWalk()
		if due.After(deadline) || !time.Now().Before(deadline) {
			r.counters.waitsInVain.Add(1)
			return held
		}
		time.Sleep(time.Until(due))
		held = r.holders.Find(socket.Inode, socket.UID)
	}
	return held
}
