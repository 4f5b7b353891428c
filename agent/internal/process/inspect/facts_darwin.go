package inspect

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// bootClock is not needed: start times are absolute here.
type bootClock struct{}

// zombieState is SZOMB of sys/proc.h.
const zombieState = 5

// Stamp reads the identity of pid.
func (r *Reader) Stamp(pid int32) (Stamp, error) {
	_, stamp, err := r.kernelInfo(pid)
	return stamp, err
}

func (r *Reader) kernelInfo(pid int32) (*unix.KinfoProc, Stamp, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", int(pid))
	if err != nil {
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EIO) {
			return nil, Stamp{}, ErrGone // an empty answer reads as EIO
		}
		return nil, Stamp{}, fmt.Errorf("reading status of process %d: %w", pid, err)
	}
	if info.Proc.P_pid != pid {
		return nil, Stamp{}, ErrGone
	}
	started := info.Proc.P_starttime
	return info, Stamp{
		PID:   pid,
		Start: uint64(started.Sec)*1000 + uint64(started.Usec)/1000,
		Comm:  unix.ByteSliceToString(info.Proc.P_comm[:]),
	}, nil
}

// Facts reads what is known of pid. Other users' command lines need root.
func (r *Reader) Facts(pid int32) (Facts, error) {
	info, stamp, err := r.kernelInfo(pid)
	if err != nil {
		return Facts{}, err
	}
	facts := Facts{Stamp: stamp, Zombie: info.Proc.P_stat == zombieState}
	facts.PID = pid
	facts.ParentPID = info.Eproc.Ppid
	facts.StartedAt = time.UnixMilli(int64(stamp.Start)).UTC()
	facts.UID, facts.UIDKnown = info.Eproc.Pcred.P_ruid, true
	facts.User = r.User(facts.UID)
	raw, err := unix.SysctlRaw("kern.procargs2", int(pid))
	switch {
	case err == nil:
		executable, arguments, cut, ok := parseProcArgs(raw, r.config.MaxArguments, r.config.MaxArgumentBytes)
		if ok && filepath.IsAbs(executable) {
			facts.Executable = executable
		}
		facts.Arguments, facts.ArgumentsCut = arguments, cut
	case !facts.Zombie:
		// The kernel answers EINVAL for processes of other users.
		facts.ExecutableBlind, facts.ArgumentsBlind = true, true
	}
	facts.Name = processName(facts.Executable, stamp.Comm, facts.Arguments)
	return facts, nil
}
