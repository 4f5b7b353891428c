// Package inspect asks the operating system about running programs and their
// sockets: the facts of a process, the socket of a connection, the sockets
// that listen, and which process holds a socket. The process sensor and the
// owner resolver share it.
//
// It may import signatures (for Process), golang.org/x/sys and gopsutil. It
// starts no goroutine and no program, and writes nothing. It deliberately does
// not read environment variables, working directories, memory or open files:
// the command line is read because a signature may match on it, and it is
// bounded. Content of sockets is never touched.
//
// On Linux the facts come from proc(5) and sock_diag(7), read with bounded
// buffers; gopsutil lists processes everywhere, reads facts on Windows and is
// the fallback where netlink is refused. On macOS gopsutil would run ps(1) and
// lsof(8), which the agent must not do, so facts come from sysctl(3) there and
// sockets are unsupported.
package inspect

import (
	"errors"
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Errors a caller decides on.
var (
	// ErrGone says that the process ended, or that its id belongs to another
	// process by now.
	ErrGone = errors.New("process is gone")
	// ErrUnsupported says that this operating system offers no way that the
	// agent may use.
	ErrUnsupported = errors.New("unsupported on this operating system")
)

// Config bounds what is read of one process.
type Config struct {
	ProcRoot         string        `yaml:"proc_root"`          // where procfs is mounted; Linux only
	MaxArguments     int           `yaml:"max_arguments"`      // elements of a command line that are kept
	MaxArgumentBytes int           `yaml:"max_argument_bytes"` // bytes of a command line that are kept
	UserTTL          time.Duration `yaml:"user_ttl"`           // how long an account name is believed
	MaxUsers         int           `yaml:"max_users"`          // account names remembered
}

// Default is the configuration that fits a host with its own procfs.
func Default() Config {
	return Config{
		ProcRoot:         "/proc",
		MaxArguments:     256,
		MaxArgumentBytes: 32 << 10,
		UserTTL:          10 * time.Minute,
		MaxUsers:         1024,
	}
}

// Validate says which key is wrong and what it should be.
func (c Config) Validate() error {
	switch {
	case c.ProcRoot == "":
		return errors.New(`proc_root: must name a folder, usually "/proc"`)
	case c.MaxArguments < 1 || c.MaxArguments > 4096:
		return fmt.Errorf("max_arguments: %d is outside 1 to 4096", c.MaxArguments)
	case c.MaxArgumentBytes < 256 || c.MaxArgumentBytes > 1<<20:
		return fmt.Errorf("max_argument_bytes: %d is outside 256 to 1048576", c.MaxArgumentBytes)
	case c.UserTTL < time.Second:
		return fmt.Errorf("user_ttl: %s is below 1s", c.UserTTL)
	case c.MaxUsers < 1:
		return fmt.Errorf("max_users: %d is below 1", c.MaxUsers)
	}
	return nil
}

// Stamp tells one process from every other, also from a later one with the
// same id, and its present program image from the one before an execve(2).
type Stamp struct {
	PID   int32
	Start uint64 // start time: clock ticks since boot on Linux, else milliseconds since 1970
	Image uint64 // changes on execve; 0 where the system hides it
	Comm  string // the kernel's own short name, which a program may change
}

// SameProcess reports whether both stamps belong to one process.
func (s Stamp) SameProcess(other Stamp) bool {
	return s.PID == other.PID && s.Start == other.Start
}

// SameImage reports whether both stamps belong to one process that still runs
// the same program. Where the image is hidden the kernel's name decides, so a
// mere change of title counts as another image there.
func (s Stamp) SameImage(other Stamp) bool {
	if !s.SameProcess(other) {
		return false
	}
	if s.Image != 0 && other.Image != 0 {
		return s.Image == other.Image
	}
	return s.Comm == other.Comm
}

// Facts is what is known of one process.
type Facts struct {
	signatures.Process
	Stamp           Stamp
	UID             uint32 // real user id; 0 also where UIDKnown is false
	UIDKnown        bool
	KernelThread    bool // has no program and no command line
	Zombie          bool // ended, and waits for its parent
	Ended           bool // it went while it was read: any field but those of the stamp may be missing
	ExecutableBlind bool // the path was there but may not be read
	ArgumentsBlind  bool // the command line was there but may not be read
	ArgumentsCut    bool // the command line was longer than the limits
}

// Socket is one end of a connection on this host.
type Socket struct {
	Inode     uint32 // 0 where no process holds it any more, or where PID answers instead
	PID       int32  // known at once on some systems, else 0
	UID       uint32
	UIDKnown  bool
	Listening bool
	Port      uint16 // local port
	Cookie    uint64 // the kernel's number of the socket, never given out twice; 0 where it is not told
}

// Held is what looking for the holder of a socket brought.
type Held struct {
	PID     int32 // 0 where none was found
	Outcome Outcome
}

// Outcome says how a search for a holder ended.
type Outcome uint8

// The outcomes.
const (
	Found   Outcome = iota + 1
	Absent          // every process was looked at: none holds it
	Denied          // not found, and some processes may not be looked into
	Limited         // not found among the likely ones, and no full walk was due
)
