package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v3/process"
	"golang.org/x/sys/windows"
)

// bootClock is not needed: start times are absolute here.
type bootClock struct{}

// Stamp reads the identity of pid.
func (r *Reader) Stamp(pid int32) (Stamp, error) {
	_, stamp, err := r.open(pid)
	return stamp, err
}

// open asks for the start time, which also proves that the process is there.
// A protected process hides it: its stamp then has a start of 0.
func (r *Reader) open(pid int32) (*process.Process, Stamp, error) {
	p := &process.Process{Pid: pid}
	started, err := p.CreateTimeWithContext(context.Background())
	switch {
	case err == nil:
		return p, Stamp{PID: pid, Start: uint64(started)}, nil
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return p, Stamp{PID: pid}, nil
	case errors.Is(err, windows.ERROR_INVALID_PARAMETER), errors.Is(err, process.ErrorProcessNotRunning):
		return nil, Stamp{}, ErrGone
	}
	return nil, Stamp{}, fmt.Errorf("reading status of process %d: %w", pid, err)
}

// Facts reads what is known of pid through gopsutil. The command line of other
// users' processes needs the right to debug programs.
func (r *Reader) Facts(pid int32) (Facts, error) {
	ctx := context.Background()
	p, stamp, err := r.open(pid)
	if err != nil {
		return Facts{}, err
	}
	facts := Facts{Stamp: stamp}
	facts.PID = pid
	if stamp.Start != 0 {
		facts.StartedAt = time.UnixMilli(int64(stamp.Start)).UTC()
	}
	if parent, err := p.PpidWithContext(ctx); err == nil {
		facts.ParentPID = parent
	}
	if executable, err := p.ExeWithContext(ctx); err == nil {
		facts.Executable = executable
	} else {
		facts.ExecutableBlind = errors.Is(err, windows.ERROR_ACCESS_DENIED)
	}
	if arguments, err := p.CmdlineSliceWithContext(ctx); err == nil {
		facts.Arguments, facts.ArgumentsCut = bounded(arguments, r.config.MaxArguments, r.config.MaxArgumentBytes)
	} else {
		facts.ArgumentsBlind = errors.Is(err, windows.ERROR_ACCESS_DENIED)
	}
	if account, err := p.UsernameWithContext(ctx); err == nil {
		facts.User = account
	}
	name, _ := p.NameWithContext(ctx)
	facts.Name = processName(facts.Executable, name, facts.Arguments)
	return facts, nil
}
