// Package daemon starts, watches, kills and stops the built binaries for the
// demo and the tests from outside. It knows them by their commands, files and
// what they print, and by nothing else.
package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a running daemon.
type Process struct {
	Log    *Log
	cmd    *exec.Cmd
	ended  chan struct{}
	result error
}

// Log keeps what a daemon wrote to standard error.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Tail returns the last n lines.
func (l *Log) Tail(n int) string {
	lines := strings.Split(strings.TrimRight(l.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Start starts a program. Its environment is the caller's with env added.
func Start(env []string, program string, arguments ...string) (*Process, error) {
	p := &Process{Log: &Log{}, cmd: exec.Command(program, arguments...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Log, p.Log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(program), err)
	}
	go func() {
		p.result = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the process at once, as a crash would, and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// Stop asks the process to end and waits for it, at most until the timeout.
func (p *Process) Stop(timeout time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping: %w", err)
	}
	select {
	case <-p.ended:
	case <-time.After(timeout):
		p.Kill()
		return fmt.Errorf("did not stop within %s; its last lines:\n%s", timeout, p.Log.Tail(15))
	}
	if p.result != nil {
		return fmt.Errorf("ended badly: %w; its last lines:\n%s", p.result, p.Log.Tail(15))
	}
	return nil
}

// Run runs a command to its end and returns its standard output. An error
// holds what it wrote to standard error.
func Run(ctx context.Context, program string, arguments ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, arguments...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(arguments, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out, nil
}

// Rows runs a command with --output jsonl and returns its lines.
func Rows(ctx context.Context, program string, arguments ...string) ([]map[string]any, error) {
	out, err := Run(ctx, program, append(arguments, "--output", "jsonl")...)
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	for line := range bytes.Lines(out) {
		var row map[string]any
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, fmt.Errorf("a line of %s is not JSON: %w: %s", filepath.Base(program), err, line)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Until asks again until holds, the context ends, or a process ends.
func Until(ctx context.Context, what string, holds func() (bool, error), processes ...*Process) error {
	var last error
	for {
		done, err := holds()
		if done {
			return nil
		}
		if err != nil {
			last = err
		}
		for _, p := range processes {
			select {
			case <-p.ended:
				return fmt.Errorf("waiting for %s: a daemon ended: %w; its last lines:\n%s", what, errors.Join(p.result, last), p.Log.Tail(15))
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, errors.Join(ctx.Err(), last))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
