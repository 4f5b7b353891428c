package inspect

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is USER_HZ, the unit of times in procfs: 100 on every Linux
// that Go runs on (asm-generic/param.h).
const ticksPerSecond = 100

// maxPath is PATH_MAX of limits.h: what the kernel hands out as a link.
const maxPath = 4096

// bootClock is when the host started, asked once so that the start time of a
// process never wavers.
type bootClock struct {
	once sync.Once
	at   time.Time
}

func (b *bootClock) time() time.Time {
	b.once.Do(func() {
		var since unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err == nil {
			b.at = time.Now().Add(-time.Duration(since.Nano())).Round(10 * time.Millisecond)
		}
	})
	return b.at
}

// Stamp reads the identity of pid: one small file.
func (r *Reader) Stamp(pid int32) (Stamp, error) {
	_, stamp, err := r.stat(pid)
	return stamp, err
}

// statFields is what Facts needs of the status line beside the stamp.
type statFields struct {
	state  byte
	parent int32
	flags  uint64
}

func (r *Reader) stat(pid int32) (statFields, Stamp, error) {
	var buffer [1024]byte // the line has at most 52 short fields
	n, _, err := readBounded(r.path(pid, "stat"), buffer[:])
	if err != nil {
		return statFields{}, Stamp{}, err
	}
	stat, err := parseStat(buffer[:n])
	if err != nil {
		return statFields{}, Stamp{}, fmt.Errorf("reading status of process %d: %w", pid, err)
	}
	return statFields{state: stat.state, parent: stat.parent, flags: stat.flags},
		Stamp{PID: pid, Start: stat.start, Image: stat.startStack, Comm: string(stat.comm)}, nil
}

// Facts reads what is known of pid. ErrGone means that it is not there; one
// that ends while it is read comes with Ended set and with what was read by
// then. An error that is fs.ErrPermission means that it may not be looked at.
func (r *Reader) Facts(pid int32) (Facts, error) {
	stat, stamp, err := r.stat(pid)
	if err != nil {
		return Facts{}, err
	}
	facts := Facts{Stamp: stamp}
	facts.PID = pid
	facts.ParentPID = stat.parent
	if boot := r.boot.time(); !boot.IsZero() {
		facts.StartedAt = boot.Add(time.Duration(stamp.Start) * time.Second / ticksPerSecond)
	}
	facts.KernelThread = stat.flags&kernelThreadFlag != 0
	facts.Zombie = stat.state == 'Z' || stat.state == 'X'
	if !facts.KernelThread {
		r.readProgram(&facts)
		r.readAccount(&facts)
	}
	facts.Name = processName(facts.Executable, stamp.Comm, facts.Arguments)
	// The files were read one after the other: the id may have gone to
	// another process, or the process may run another program by now.
	after, err := r.Stamp(pid)
	switch {
	case errors.Is(err, ErrGone):
		facts.Ended = true
		facts.ExecutableBlind, facts.ArgumentsBlind = false, false // refused because it was gone
	case err != nil:
		return Facts{}, err
	case !after.SameProcess(stamp):
		return Facts{}, ErrGone
	}
	facts.Stamp.Image = stamp.Image // an execve between the two shows in the next pass
	return facts, nil
}

// readProgram fills in executable and command line.
func (r *Reader) readProgram(facts *Facts) {
	var link [maxPath]byte
	n, err := unix.Readlink(r.path(facts.PID, "exe"), link[:])
	switch {
	case err == nil && n > 0:
		name := strings.TrimSuffix(string(link[:n]), deletedMark)
		if filepath.IsAbs(name) {
			facts.Executable = name
		}
	case isDenied(err):
		facts.ExecutableBlind = true
	}
	if facts.Zombie {
		return
	}
	path := r.path(facts.PID, "cmdline")
	var short [2048]byte // takes nearly every command line
	buffer := short[:min(len(short), r.config.MaxArgumentBytes)]
	n, full, err := readBounded(path, buffer)
	if err == nil && full && len(buffer) < r.config.MaxArgumentBytes {
		buffer = make([]byte, r.config.MaxArgumentBytes)
		n, full, err = readBounded(path, buffer)
	}
	if isDenied(err) {
		facts.ArgumentsBlind = true
	}
	if err == nil {
		facts.Arguments, facts.ArgumentsCut = splitArguments(buffer[:n], full, r.config.MaxArguments)
	}
}

// readAccount fills in user and container.
func (r *Reader) readAccount(facts *Facts) {
	var buffer [4096]byte
	if n, _, err := readBounded(r.path(facts.PID, "status"), buffer[:]); err == nil {
		if uid, ok := statusID(buffer[:n], "Uid"); ok && uid <= 1<<32-1 {
			facts.UID, facts.UIDKnown = uint32(uid), true
			facts.User = r.User(facts.UID)
		}
	}
	place := r.Placement(facts.PID)
	facts.Container, facts.PodUID = place.Container, place.PodUID
}

// Placement reads the container and the pod of pid; nothing where it is gone.
func (r *Reader) Placement(pid int32) Placement {
	var buffer [4096]byte
	n, _, err := readBounded(r.path(pid, "cgroup"), buffer[:])
	if err != nil {
		return Placement{}
	}
	return PlacementOf(buffer[:n])
}

// maxParents bounds how far Parents looks.
const maxParents = 4

// Parents returns the kernel's short names of pid, its parent and so on,
// without the first process, which is everybody's.
func (r *Reader) Parents(pid int32) []string {
	var names []string
	for pid > 1 && len(names) < maxParents {
		stat, stamp, err := r.stat(pid)
		if err != nil {
			break
		}
		names = append(names, stamp.Comm)
		pid = stat.parent
	}
	return names
}

// StartedAt is the wall clock's time of a moment since boot, in steps of
// 10 milliseconds as the start times of Facts are.
func (r *Reader) StartedAt(sinceBoot time.Duration) time.Time {
	boot := r.boot.time()
	if boot.IsZero() {
		return time.Time{}
	}
	return boot.Add(sinceBoot.Truncate(time.Second / ticksPerSecond))
}

// Began is when the process of s started, since boot.
func (s Stamp) Began() time.Duration {
	return time.Duration(s.Start) * time.Second / ticksPerSecond
}

func (r *Reader) path(pid int32, file string) string {
	return r.config.ProcRoot + "/" + strconv.Itoa(int(pid)) + "/" + file
}

// readBounded reads a file into buffer; full reports that the buffer could not
// take it all. A process that is not there is ErrGone.
func readBounded(path string, buffer []byte) (n int, full bool, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false, processError(err)
	}
	defer unix.Close(fd)
	for n < len(buffer) {
		got, err := unix.Read(fd, buffer[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, false, processError(err)
		}
		if got == 0 {
			return n, false, nil
		}
		n += got
	}
	return n, true, nil
}

// processError turns what procfs answers for an ended process into ErrGone.
func processError(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return err
}

// isDenied reports whether a right was missing.
func isDenied(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
}
