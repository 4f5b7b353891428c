package inspect

import (
	"context"
	"fmt"
	"slices"
	"time"

	psutil "github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/process"
)

// Reader reads facts of processes. It is safe for concurrent use and holds
// nothing open.
type Reader struct {
	config Config
	users  users
	boot   bootClock
}

// NewReader returns a Reader; config must be valid.
func NewReader(config Config) *Reader {
	return &Reader{config: config, users: users{ttl: config.UserTTL, max: config.MaxUsers}}
}

// PIDs lists the processes that this user may see, lowest id first.
func (r *Reader) PIDs(ctx context.Context) ([]int32, error) {
	ctx = context.WithValue(ctx, psutil.EnvKey, psutil.EnvMap{psutil.HostProcEnvKey: r.config.ProcRoot})
	pids, err := process.PidsWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	// An id of 0 is the idle process of Windows and the kernel of macOS.
	return slices.DeleteFunc(pids, func(pid int32) bool { return pid <= 0 }), nil
}

// User returns the account name of uid, or the number where none is known.
func (r *Reader) User(uid uint32) string { return r.users.name(uid, time.Now()) }
