package sockettrace

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/cilium/ebpf"
)

// Limits says what this host keeps the programs from recording, with what to
// do about it; nil where it is nothing.
func (t *Trace) Limits() []string { return t.limits }

// Find returns the record of the connection of a local port to remote;
// protocol is "tcp" or "udp". The local address is for the caller to compare.
func (t *Trace) Find(protocol string, local uint16, remote netip.AddrPort) (Record, bool, error) {
	table, number := t.tcp, uint8(protocolTCP)
	if protocol == "udp" {
		table, number = t.udp, protocolUDP
	}
	if !remote.Addr().IsValid() {
		return Record{}, false, nil
	}
	var room [keyBytes]byte
	return t.record(table, appendKey(room[:0], number, local, remote))
}

// FindSocket returns what is known of the socket that the kernel numbers with
// cookie; its local port may be missing.
func (t *Trace) FindSocket(cookie uint64) (Record, bool, error) {
	return t.record(t.connecting, cookie)
}

func (t *Trace) record(table *ebpf.Map, key any) (Record, bool, error) {
	var value [connBytes]byte
	ok, err := t.lookup(table, key, value[:])
	if !ok || err != nil {
		return Record{}, false, err
	}
	r, ok := decodeRecord(value[:])
	return r, ok, nil
}

// Program returns what the process of r was when it connected; false where
// the kernel did not record it, or forgot it.
func (t *Trace) Program(r *Record) (Program, bool, error) {
	if r.start == 0 {
		return Program{}, false, nil
	}
	var room [programKeyBytes]byte
	value := make([]byte, programBytes)
	ok, err := t.lookup(t.programs, appendProgramKey(room[:0], r), value)
	if !ok || err != nil {
		return Program{}, false, err
	}
	p, ok := decodeProgram(value)
	return p, ok, nil
}

func (t *Trace) lookup(table *ebpf.Map, key any, into []byte) (bool, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return false, ErrClosed
	}
	err := table.Lookup(key, into)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking the kernel for a connection: %w", err)
	}
	return true, nil
}

// Counts returns the totals; zeros after Close.
func (t *Trace) Counts() Counts {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var c Counts
	if t.closed {
		return c
	}
	for which, into := range map[uint32]*uint64{
		statConnects: &c.Connects, statTCP: &c.TCP, statUDP: &c.UDP, statUnpaired: &c.Unpaired,
		statFailed: &c.Failed, statPrograms: &c.Programs, statProgramsFailed: &c.ProgramsFailed,
	} {
		// The entries of an array are always there.
		_ = t.stats.Lookup(which, into)
	}
	for _, written := range []uint64{c.TCP, c.UDP} {
		c.Overwritten += max(written, uint64(t.config.Connections)) - uint64(t.config.Connections)
	}
	return c
}

// Recycled reports whether more was recorded than is remembered: a record that
// is not found may have been overwritten.
func (t *Trace) Recycled() bool { return t.Counts().Overwritten > 0 }

// missing says what to grant for what the kernel refused.
func missing(err error) error {
	remedy := "use Linux 5.9 or later with CONFIG_CGROUP_BPF"
	if errors.Is(err, fs.ErrPermission) {
		remedy = "grant CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and see that the service manager and seccomp let the agent call bpf(2)"
	}
	return &Missing{Cause: err, Remedy: remedy}
}
