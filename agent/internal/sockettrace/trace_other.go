//go:build !linux

package sockettrace

import (
	"errors"
	"net/netip"
)

// Trace is not available on this operating system.
type Trace struct{}

// Open says so.
func Open(Config) (*Trace, error) {
	return nil, &Missing{Cause: errors.New("unsupported on this operating system"), Remedy: "the operating system's own table of connections is read instead"}
}

// Limits is empty.
func (*Trace) Limits() []string { return nil }

// Find finds nothing.
func (*Trace) Find(string, uint16, netip.AddrPort) (Record, bool, error) { return Record{}, false, nil }

// FindSocket finds nothing.
func (*Trace) FindSocket(uint64) (Record, bool, error) { return Record{}, false, nil }

// Program finds nothing.
func (*Trace) Program(*Record) (Program, bool, error) { return Program{}, false, nil }

// Counts are zero.
func (*Trace) Counts() Counts { return Counts{} }

// Recycled is false.
func (*Trace) Recycled() bool { return false }

// Close does nothing.
func (*Trace) Close() error { return nil }
