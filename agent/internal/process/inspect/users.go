package inspect

import (
	"os/user"
	"strconv"
	"sync"
	"time"
)

// users remembers account names: looking one up reads the whole account file.
type users struct {
	ttl time.Duration
	max int

	mu    sync.Mutex
	names map[uint32]userName
}

type userName struct {
	name  string
	until time.Time
}

// name returns the account name of uid, or the number where none is known.
func (u *users) name(uid uint32, now time.Time) string {
	u.mu.Lock()
	known, ok := u.names[uid]
	u.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.name
	}
	name := strconv.FormatUint(uint64(uid), 10)
	if account, err := user.LookupId(name); err == nil && account.Username != "" {
		name = account.Username
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.names) >= u.max {
		clear(u.names) // a host has few accounts: starting anew is cheaper than keeping an order
	}
	if u.names == nil {
		u.names = make(map[uint32]userName)
	}
	u.names[uid] = userName{name: name, until: now.Add(u.ttl)}
	return name
}
