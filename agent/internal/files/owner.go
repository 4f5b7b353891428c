package files

import (
	"os/user"
	"runtime"
	"strconv"
	"sync"
)

const maxOwners = 4096

// owners turns account numbers into names and keeps them. Safe for concurrent
// use.
type owners struct {
	mu    sync.Mutex
	names map[uint32]string
}

// name returns the account's name, or its number where it has none; "" on
// systems where the number says nothing.
func (o *owners) name(id uint32) string {
	if runtime.GOOS == "windows" {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if n, ok := o.names[id]; ok {
		return n
	}
	if o.names == nil || len(o.names) >= maxOwners {
		o.names = make(map[uint32]string)
	}
	n := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(n); err == nil {
		n = u.Username
	}
	o.names[id] = n
	return n
}
