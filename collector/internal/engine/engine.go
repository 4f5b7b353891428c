package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// State is what the engine is doing.
type State string

// The states. Failed is final: the engine cannot run here, see Start's error.
const (
	Stopped    State = "stopped"
	Starting   State = "starting"
	Ready      State = "ready"
	Restarting State = "restarting"
	Failed     State = "failed"
)

// Errors a caller may decide on.
var (
	// ErrUnsupported: no embedded engine on this platform, name a server.
	ErrUnsupported = errors.New("no embedded engine on this platform: name a server with --clickhouse")
	// ErrNoEngine: neither the library nor a usable `clickhouse` is here.
	ErrNoEngine = errors.New("no engine found: run deploy/engine/fetch, install clickhouse, or name a server with --clickhouse")
	// ErrInUse: another collector holds the data directory.
	ErrInUse = errors.New("the data directory is in use by another collector: stop it, or choose another data directory")
	// ErrNotReady: the engine is starting, restarting or stopped.
	ErrNotReady = errors.New("the engine is not ready")
	// ErrNoNamespace: the system refuses the engine a network of its own, and
	// this is not a container, where loopback would do.
	ErrNoNamespace = errors.New("the system refuses the engine a network namespace, without which other local users could read its data: " +
		"allow user namespaces, run the collector as a service with CAP_SYS_ADMIN, name a server with --clickhouse, " +
		"or set isolation: loopback where nobody else can log in")
	// ErrOpenDoor: a stranger's query was not refused; the engine was ended.
	ErrOpenDoor = errors.New("the engine answers to strangers and was ended")
)

// dialPatience is how long Dial waits for an engine that restarts.
const dialPatience = 5 * time.Second

// Engine is a supervised ClickHouse. Its methods may be called from any
// goroutine.
type Engine struct {
	cfg   Config
	log   *slog.Logger
	files layout

	namespace func() *syscall.SysProcAttr // nil result: the system has none
	contained func() bool                 // whether loopback is this container's own

	password string   // fixed for one Start to Stop
	lock     *os.File // held from Start to Stop
	cancel   context.CancelFunc
	done     chan struct{} // closed when the supervisor has ended

	mu        sync.Mutex
	state     State
	changed   chan struct{} // closed and replaced at every change of state
	restarts  uint64
	lockWaits uint64
	process   *os.Process // nil where none runs
	isolation string
	failure   error
}

// New takes a valid configuration. It starts nothing.
func New(cfg Config, log *slog.Logger) *Engine {
	return &Engine{
		cfg: cfg, log: log, state: Stopped, changed: make(chan struct{}),
		namespace: namespaceAttributes, contained: inContainer,
	}
}

// Start starts the engine and returns when it answers the collector and
// refuses strangers. ctx bounds the start, not the engine's life. It is called
// once.
func (e *Engine) Start(ctx context.Context) error {
	if err := e.cfg.Validate(); err != nil {
		return fmt.Errorf("engine configuration: %w", err)
	}
	if !supported && e.cfg.Binary == "" {
		return ErrUnsupported
	}
	dir, err := filepath.Abs(e.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("finding the data directory: %w", err)
	}
	e.files = layout{dir: dir}
	program, err := locate(ctx, e.cfg)
	if err != nil {
		return err
	}
	if err := e.files.prepare(); err != nil {
		return err
	}
	if e.lock, err = takeLock(e.files.lock()); err != nil {
		return err
	}
	e.password = newPassword()
	life, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.done = make(chan struct{})
	s := &supervisor{engine: e, program: program, backoff: e.cfg.MinBackoff}
	go func() {
		defer close(e.done)
		s.run(life)
	}()
	ctx, release := context.WithTimeout(ctx, e.cfg.StartTimeout)
	defer release()
	if err := e.waitReady(ctx); err != nil {
		stopCtx, release := context.WithTimeout(context.Background(), e.cfg.StopTimeout)
		defer release()
		return errors.Join(err, e.Stop(stopCtx))
	}
	return nil
}

// waitReady returns nil in state Ready and an error in state Failed or when
// ctx ends.
func (e *Engine) waitReady(ctx context.Context) error {
	for {
		e.mu.Lock()
		state, changed, failure := e.state, e.changed, e.failure
		e.mu.Unlock()
		switch state {
		case Ready:
			return nil
		case Failed:
			return failure
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%w: it is %s (its log: %s)", ErrNotReady, state, e.files.log()), failure)
		}
	}
}

// Stop ends the engine: it ends the query that holds the session, waits, and
// kills the process when stop_timeout or ctx ends first. The engine does not
// run when Stop returns. A second call does nothing.
func (e *Engine) Stop(ctx context.Context) error {
	if e.cancel == nil {
		return nil
	}
	e.cancel()
	select {
	case <-e.done:
	case <-ctx.Done():
		e.kill()
		<-e.done
	}
	e.mu.Lock()
	lock := e.lock
	e.lock = nil
	e.mu.Unlock()
	if lock == nil {
		return nil
	}
	if err := lock.Close(); err != nil {
		return fmt.Errorf("letting the data directory go: %w", err)
	}
	return nil
}

// Dial connects to the engine; it has the signature store.Options wants. An
// address is not needed. It waits up to five seconds for an engine that
// restarts.
func (e *Engine) Dial(ctx context.Context, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	if err := e.waitReady(ctx); err != nil {
		return nil, err
	}
	return e.dialSocket(ctx)
}

func (e *Engine) dialSocket(ctx context.Context) (net.Conn, error) { return dialIn(ctx, e.files.dir) }

// Endpoint is how the engine is reached, valid until Stop.
func (e *Engine) Endpoint() Endpoint {
	return Endpoint{Dir: e.files.dir, User: User, Password: e.password}
}

// State reports what the engine is doing.
func (e *Engine) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// Restarts counts the times the engine ended without being asked to.
func (e *Engine) Restarts() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.restarts
}

// LockWaits counts the starts that met an earlier engine still holding the
// data.
func (e *Engine) LockWaits() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lockWaits
}

// PID is the process id of the running child, 0 where there is none.
func (e *Engine) PID() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.process == nil {
		return 0
	}
	return e.process.Pid
}

// Isolation is namespace or loopback, "" before the first start.
func (e *Engine) Isolation() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.isolation
}

func (e *Engine) setState(s State, failure error) {
	e.mu.Lock()
	if e.state == s && failure == nil {
		e.mu.Unlock()
		return
	}
	e.state, e.failure = s, failure
	close(e.changed)
	e.changed = make(chan struct{})
	e.mu.Unlock()
	if e.cfg.Notify != nil {
		e.cfg.Notify(s)
	}
}

func (e *Engine) update(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// kill ends the child at once, where there is one.
func (e *Engine) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.process != nil {
		_ = e.process.Kill() // gone already is what is wanted
	}
}
