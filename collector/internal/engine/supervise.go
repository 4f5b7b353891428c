package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// steadyAfter is how long an engine has to run for its next restart to begin
// with the shortest backoff again.
const steadyAfter = 30 * time.Second

// supervisor keeps one child running until its context ends.
type supervisor struct {
	engine  *Engine
	program program
	log     *boundedLog
	backoff time.Duration
}

// run starts children one after the other. It stays on one system thread:
// the kernel sends the parent's death signal when the thread that started the
// child ends.
func (s *supervisor) run(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e := s.engine
	log, err := openLog(e.files.log(), e.cfg.LogBytes)
	if err != nil {
		e.setState(Failed, err)
		return
	}
	s.log = log
	defer log.close()
	e.setState(Starting, nil)
	lockedSince := time.Time{}
	for {
		began := time.Now()
		exit := s.once(ctx)
		if ctx.Err() != nil && !errors.Is(exit, ErrOpenDoor) {
			_ = os.Remove(e.files.credentials()) // stale ones only make Attach fail later
			e.setState(Stopped, nil)
			return
		}
		switch {
		case errors.Is(exit, errLocked):
			e.update(func() { e.lockWaits++ })
			if lockedSince.IsZero() {
				lockedSince = began
			}
			if time.Since(lockedSince) > e.cfg.LockTimeout {
				e.setState(Failed, fmt.Errorf("%w (an engine process still holds %s)", ErrInUse, e.files.data()))
				return
			}
			s.backoff = min(s.backoff, 200*time.Millisecond)
		case errors.Is(exit, errFatal), errors.Is(exit, ErrOpenDoor):
			e.setState(Failed, exit)
			return
		case errors.Is(exit, errNamespace) && e.cfg.Isolation == IsolationAuto && e.contained():
			e.update(func() { e.isolation = IsolationLoopback })
			e.log.Warn("the system refuses the engine a network namespace: whatever else runs in this container can reach it", "cause", exit)
			continue
		case errors.Is(exit, errNamespace):
			e.setState(Failed, fmt.Errorf("%w (%w)", ErrNoNamespace, exit))
			return
		default:
			lockedSince = time.Time{}
			e.update(func() { e.restarts++ })
			if time.Since(began) > steadyAfter {
				s.backoff = e.cfg.MinBackoff
			}
			e.log.Error("the engine ended unexpectedly and is started again",
				"cause", exit, "restarts", e.Restarts(), "wait", s.backoff, "log", e.files.log())
		}
		e.setState(Restarting, exit)
		select {
		case <-time.After(s.backoff):
		case <-ctx.Done():
		}
		s.backoff = min(2*s.backoff, e.cfg.MaxBackoff)
	}
}

var (
	errLocked    = errors.New("the data directory is still locked by an earlier engine")
	errNamespace = errors.New("no network namespace")
	errFatal     = errors.New("the engine cannot run")
)

// once runs one child from start to exit and says why it ended.
func (s *supervisor) once(ctx context.Context) error {
	e := s.engine
	namespace := e.cfg.Isolation != IsolationLoopback && e.Isolation() != IsolationLoopback
	if namespace && e.namespace() == nil {
		return fmt.Errorf("%w on %s", errNamespace, runtime.GOOS)
	}
	port, err := choosePort(namespace)
	if err != nil {
		return err
	}
	if err := e.files.writeConfig(e.cfg, s.program.binary != "", port, e.password); err != nil {
		return err
	}
	in, hold, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hold.Close() // the child ends when its standard input does
	cmd, err := s.command(namespace, port)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	cmd.Stdin = in
	s.log.takeTail()
	err = cmd.Start()
	_ = in.Close() // the child has its own
	if err != nil {
		if namespace {
			return fmt.Errorf("%w: %w", errNamespace, err)
		}
		return fmt.Errorf("%w: %w", errFatal, err)
	}
	mode := IsolationLoopback
	if namespace {
		mode = IsolationNamespace
	}
	e.update(func() { e.process, e.isolation = cmd.Process, mode })

	ended := make(chan struct{})
	watched := make(chan error, 1)
	go func() { watched <- s.watch(ctx, ended, namespace, port) }()
	waitErr := cmd.Wait()
	e.update(func() { e.process = nil })
	close(ended)
	if err := <-watched; err != nil {
		return err
	}
	return s.exitReason(cmd, waitErr)
}

// command prepares the child.
func (s *supervisor) command(namespace bool, port int) (*exec.Cmd, error) {
	e := s.engine
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("%w: finding the collector's own binary: %w", errFatal, err)
	}
	cmd := exec.Command(self, ChildCommand, "--library="+s.program.library, "--binary="+s.program.binary,
		"--port="+strconv.Itoa(port), "--connections="+strconv.Itoa(e.cfg.MaxConnections-4),
		"--namespace="+strconv.FormatBool(namespace), e.files.dir)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	// Nothing of the collector's environment: it may hold secrets, and the
	// engine reads some names of its own.
	cmd.Env = []string{"TZ=UTC", "LC_ALL=C.UTF-8", "HOME=" + e.files.data(), "PATH=/usr/bin:/bin"}
	cmd.Dir = e.files.data()
	cmd.SysProcAttr = childAttributes()
	if namespace {
		cmd.SysProcAttr = e.namespace()
	}
	cmd.WaitDelay = time.Second
	return cmd, nil
}

// watch brings the child to Ready, and ends it when ctx ends. It returns when
// the child has ended; its error is more telling than the exit.
func (s *supervisor) watch(ctx context.Context, ended <-chan struct{}, namespace bool, port int) error {
	e := s.engine
	if err := s.untilReady(ctx, ended); err != nil {
		e.kill()
		<-ended
		if errors.Is(err, errEndedEarly) || ctx.Err() != nil {
			return nil //nolint:nilerr // the exit says more
		}
		return err
	}
	if err := e.files.writeCredentials(credentials{Socket: e.files.socket(), User: User, Password: e.password, PID: os.Getpid()}); err != nil {
		e.log.Error("commands of this machine cannot attach to the engine", "error", err)
	}
	e.log.Info("the engine is ready", "pid", e.PID(), "namespace", namespace, "port", port)
	e.setState(Ready, nil)
	select {
	case <-ended:
	case <-ctx.Done():
		s.stop(ended)
	}
	return nil
}

var errEndedEarly = errors.New("the engine ended before it was ready")

// untilReady asks again until the engine answers, then checks that it refuses
// strangers.
func (s *supervisor) untilReady(ctx context.Context, ended <-chan struct{}) error {
	e := s.engine
	deadline := time.Now().Add(e.cfg.StartTimeout)
	server := s.program.binary != ""
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := probeOwner(attempt, e.dialSocket, e.password, server)
		cancel()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w in %s: %w", ErrNotReady, e.cfg.StartTimeout, err)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ended:
			return errEndedEarly
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	probe, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return probeStranger(probe, e.dialSocket)
}

// stop asks the engine to end and kills it when it does not.
func (s *supervisor) stop(ended <-chan struct{}) {
	e := s.engine
	statement := "KILL QUERY WHERE query_id != queryID() AND user = '' AND query LIKE 'SELECT sleepEachRow(%' ASYNC"
	if s.program.binary != "" {
		statement = "SYSTEM SHUTDOWN"
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.cfg.StopTimeout)
	defer cancel()
	if err := ask(ctx, e.dialSocket, User, e.password, statement); err != nil {
		e.log.Warn("the engine does not take the order to stop and is ended", "error", err)
		e.kill()
	}
	select {
	case <-ended:
	case <-ctx.Done():
		e.log.Warn("the engine does not stop in time and is ended", "timeout", e.cfg.StopTimeout)
		e.kill()
		<-ended
	}
}

// exitReason reads the exit code and the last lines of the log: an engine that
// could not lock its data directory ends with code 0.
func (s *supervisor) exitReason(cmd *exec.Cmd, waitErr error) error {
	tail := s.log.takeTail()
	code := cmd.ProcessState.ExitCode()
	last := lastLine(tail)
	switch {
	case strings.Contains(tail, "Cannot lock file"):
		return errLocked
	case code == exitNamespace:
		return fmt.Errorf("%w: %s", errNamespace, last)
	case code == exitLibrary:
		return fmt.Errorf("%w: %s", errFatal, last)
	case waitErr != nil:
		return fmt.Errorf("%w: %s", waitErr, last)
	default:
		return fmt.Errorf("exit status 0: %s", last)
	}
}

// lastLine is the last line that says something, shortened.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := lines[len(lines)-1]
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], "DB::Exception") || strings.HasPrefix(lines[i], "engine-child:") {
			line = lines[i]
			break
		}
	}
	return line[:min(len(line), 300)]
}

// choosePort is fixed in a namespace of its own, and a free one on loopback,
// new at every start.
func choosePort(namespace bool) (int, error) {
	if namespace {
		return 9000, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("choosing a port for the engine: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("choosing a port for the engine: %w", err)
	}
	return port, nil
}
