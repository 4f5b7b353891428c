package capture

import "errors"

// FlowKey names a connection as the kernel counts it on one interface. First
// is the lower end: addresses compared as big-endian numbers (IPv4 as
// ::ffff:a.b.c.d), then ports. The layout is that of the map in the kernel.
type FlowKey struct {
	First, Second         [16]byte
	FirstPort, SecondPort uint16
	Where                 uint32 // interface index << 8 | IP protocol
}

// Where is the last field of a FlowKey.
func Where(ifindex int, protocol uint8) uint32 { return uint32(ifindex)<<8 | uint32(protocol) }

// FlowCounts is what the kernel counted of a connection, by end: [0] is what
// the first end of the key sent. Bytes are TCP or UDP payload, repeated
// segments included; packets are those that carried payload.
type FlowCounts struct {
	Bytes   [2]uint64
	Packets [2]uint64
	Limit   [2]uint32 // payload bytes that may pass
}

// PassAll is the limit of an end that stays visible for good.
const PassAll = 1<<31 - 1

// FlowOptions size a FlowFilter.
type FlowOptions struct {
	Flows      int    // connections known at once; beyond them the least recently used is forgotten
	Up         uint32 // payload bytes of each connection that pass, client to server
	Down       uint32 // the same, server to client
	SnapLength int    // bytes of a frame that reach user space
}

// ErrNoFlow says that the kernel has no entry for a connection.
var ErrNoFlow = errors.New("the kernel does not know this connection")
