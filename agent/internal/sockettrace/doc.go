// Package sockettrace has the kernel tell which process opens which
// connection, at the moment when it does: TCP and UDP, IPv4 and IPv6, in every
// network namespace and container of the host.
//
// It may import cilium/ebpf and golang.org/x/sys. Its programs are kept in Go
// and run in the kernel (Linux 5.9 and later) at the root of the control
// groups: in connect(2) and sendmsg(2), where the calling process is known, and
// before the SYN, where the local port is. They write to maps of a fixed size,
// in which the least recently used goes first; the agent reads a map when it
// has a question. So nothing wakes the agent for connections that do not matter,
// there is no queue to overflow, and the record is there before the first
// packet is. With it goes what the process was: file, the first two elements of
// its command line, parents and cgroup, so that a process that has ended by the
// time of the question is named all the same.
//
// What it deliberately does not do: it changes, delays and refuses nothing; it
// reads no content, no environment and no more of a command line than its first
// two elements; it does not look at connections that a process accepts; it
// keeps nothing attached when the agent ends, however it ends (bpf links); it
// mounts nothing.
//
// References: https://docs.kernel.org/bpf/, the layout of contexts in
// linux/bpf.h.
package sockettrace

import (
	"errors"
	"fmt"
)

// Config bounds what is kept in the kernel.
type Config struct {
	CgroupRoot  string // root of the control groups, version 2; "" looks for it in the mount table
	Connections int    // entries of each of three maps, 112 bytes and a key each
	Programs    int    // entries of the map of programs, about 2 KiB each
}

// Default is about 8 MiB of kernel memory.
func Default() Config { return Config{Connections: 16384, Programs: 1024} }

// Validate says which key is wrong and what it should be.
func (c Config) Validate() error {
	switch {
	case c.Connections < 64 || c.Connections > 1<<20:
		return fmt.Errorf("connections: %d is outside 64 to 1048576", c.Connections)
	case c.Programs < 16 || c.Programs > 1<<16:
		return fmt.Errorf("programs: %d is outside 16 to 65536", c.Programs)
	}
	return nil
}

// ErrClosed is the error of a question after Close.
var ErrClosed = errors.New("tracing of connections is closed")

// Missing says what the host lacks, and what to do about it.
type Missing struct {
	Cause  error
	Remedy string
}

// Error implements error.
func (m *Missing) Error() string { return m.Cause.Error() + " (" + m.Remedy + ")" }

// Unwrap returns the cause.
func (m *Missing) Unwrap() error { return m.Cause }

// Counts are totals since Open, kept by the kernel.
type Counts struct {
	Connects       uint64 // connect(2) calls seen
	TCP            uint64 // TCP connections recorded
	UDP            uint64 // pairs of UDP socket and peer recorded
	Unpaired       uint64 // TCP connections whose connect(2) was not seen, or forgotten by the SYN
	Failed         uint64 // connections that could not be recorded
	Programs       uint64 // programs recorded
	ProgramsFailed uint64 // programs that could not be recorded
	Overwritten    uint64 // of TCP and UDP: beyond what is remembered, at least
}
