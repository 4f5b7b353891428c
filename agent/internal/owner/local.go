package owner

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// localAddresses is the set of addresses of this host, read anew when old.
type localAddresses struct {
	maxAge time.Duration

	mu        sync.Mutex
	at        time.Time
	addresses map[netip.Addr]struct{}

	once sync.Once
	own  uint64
}

// has reports whether address is one of this host. A list that cannot be read
// counts as "yes", so that a fault never passes for a gateway.
func (l *localAddresses) has(address netip.Addr) bool {
	if address.IsLoopback() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.addresses[address]; ok {
		return true
	}
	if l.addresses != nil && time.Since(l.at) < l.maxAge {
		return false
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	l.at = time.Now()
	l.addresses = make(map[netip.Addr]struct{}, len(list))
	for _, entry := range list {
		prefix, err := netip.ParsePrefix(entry.String())
		if err == nil {
			l.addresses[prefix.Addr().Unmap()] = struct{}{}
		}
	}
	_, ok := l.addresses[address]
	return ok
}

// namespace is the cookie of the network namespace that the agent is in; 0
// where the kernel does not tell.
func (l *localAddresses) namespace() uint64 {
	l.once.Do(func() { l.own = namespaceCookie() })
	return l.own
}
