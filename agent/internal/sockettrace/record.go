package sockettrace

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
)

// Protocols of a record, as IANA numbers them.
const (
	protocolTCP = 6
	protocolUDP = 17
)

// Layout of a key of the map of connections. Ports are in host order,
// addresses in network order, IPv4 as v4-mapped IPv6.
const (
	keyProtocol   = 0 // byte
	keyLocalPort  = 2
	keyRemotePort = 4
	keyRemote     = 8
	keyBytes      = 24
)

// Layout of a connection: the value of both maps of connections. Times are
// nanoseconds since boot.
const (
	connCookie     = 0
	connNetNS      = 8
	connCgroup     = 16
	connStart      = 24 // of the process; 0 where the layout of the kernel is not known
	connAt         = 32
	connPID        = 40
	connUID        = 44
	connExec       = 48 // counts execve(2) of the process
	connProtocol   = 52
	connComm       = 56
	connLocal      = 72
	connRemote     = 88
	connLocalPort  = 104
	connRemotePort = 106
	connBytes      = 112
	commBytes      = 16 // TASK_COMM_LEN of linux/sched.h
)

// Layout of a key of the map of programs.
const (
	programKeyStart = 0
	programKeyPID   = 8
	programKeyExec  = 12
	programKeyBytes = 16
)

// Layout of a program: the value of that map. Names of files and cgroups are
// kept as elements, the last one of the path first, each with a final zero.
const (
	programReady       = 0 // 0 while it is being written
	programParent      = 4
	programParents     = 8 // maxParents names
	programExeBytes    = 72
	programCgroupBytes = 76
	programExeDone     = 80 // 0 where the path has more elements than maxElements
	programArgsAt      = 88
	programExe         = 96
	programCgroup      = programExe + exeRoom + elementRoom
	programArgument0   = programCgroup + cgroupRoom + cgroupElementRoom
	programArgument1   = programArgument0 + argument0Room
	programBytes       = programArgument1 + argument1Room

	maxParents        = 4
	maxElements       = 28  // elements of a path, mounts that are crossed included
	exeRoom           = 512 // an element may begin before here …
	elementRoom       = 256 // … and is at most this long, NAME_MAX and a zero
	maxCgroups        = 5
	cgroupRoom        = 256
	cgroupElementRoom = 128
	argument0Room     = 256
	argument1Room     = 512
)

// Record is one connection that a process of this host opened.
type Record struct {
	Cookie   uint64        // the kernel's number of the socket, never given out twice
	NetNS    uint64        // cookie of its network namespace
	Cgroup   uint64        // id of the process's cgroup (version 2)
	At       time.Duration // since boot, when the connection was opened
	PID      int32
	UID      uint32
	Comm     string         // the kernel's short name of the thread
	Protocol string         // tcp or udp
	Local    netip.AddrPort // the address is unspecified where the kernel had not chosen one
	Remote   netip.AddrPort

	start uint64
	exec  uint32
}

// Start is when the process began, since boot; 0 where that is not known.
func (r *Record) Start() time.Duration { return time.Duration(r.start) }

// ProgramID tells a process, and the program that it ran, from all others.
// Without the layout of the kernel it is the number of the process alone.
type ProgramID struct {
	start uint64
	pid   int32
	exec  uint32
}

// Program is the process that opened the connection.
func (r *Record) Program() ProgramID { return ProgramID{r.start, r.PID, r.exec} }

// Program is what a process was when it opened a connection.
type Program struct {
	Executable string   // absolute path in the process's own mount namespace; "" where it is not known
	Arguments  []string // the first two elements of the command line at most
	ParentPID  int32
	Parents    []string // the kernel's short names of parent, its parent … without the first process
	Cgroup     string   // the last elements of the cgroup's path, "a/b/c"; "" for the root
}

// decodeRecord reads a connection. A value of another size, or of a protocol
// that is not recorded, is none.
func decodeRecord(data []byte) (Record, bool) {
	if len(data) != connBytes {
		return Record{}, false
	}
	order := binary.NativeEndian
	r := Record{
		Cookie: order.Uint64(data[connCookie:]), NetNS: order.Uint64(data[connNetNS:]), Cgroup: order.Uint64(data[connCgroup:]),
		At:  time.Duration(order.Uint64(data[connAt:])),
		PID: int32(order.Uint32(data[connPID:])), UID: order.Uint32(data[connUID:]),
		Comm:   text(data[connComm : connComm+commBytes]),
		Local:  addressPort(data[connLocal:], order.Uint16(data[connLocalPort:])),
		Remote: addressPort(data[connRemote:], order.Uint16(data[connRemotePort:])),
		start:  order.Uint64(data[connStart:]), exec: order.Uint32(data[connExec:]),
	}
	switch order.Uint32(data[connProtocol:]) {
	case protocolTCP:
		r.Protocol = "tcp"
	case protocolUDP:
		r.Protocol = "udp"
	default:
		return Record{}, false
	}
	return r, r.PID > 0 && r.At >= 0
}

func addressPort(data []byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(data[:16])).Unmap(), port)
}

// text is what stands before the first zero.
func text(data []byte) string {
	if end := bytes.IndexByte(data, 0); end >= 0 {
		data = data[:end]
	}
	return string(data)
}

// appendKey encodes the key of a connection.
func appendKey(into []byte, protocol uint8, local uint16, remote netip.AddrPort) []byte {
	order := binary.NativeEndian
	into = append(into, protocol, 0)
	into = order.AppendUint16(into, local)
	into = order.AppendUint16(into, remote.Port())
	into = append(into, 0, 0)
	address := remote.Addr().As16()
	return append(into, address[:]...)
}

// appendProgramKey encodes the key of the program of a connection.
func appendProgramKey(into []byte, r *Record) []byte {
	order := binary.NativeEndian
	into = order.AppendUint64(into, r.start)
	into = order.AppendUint32(into, uint32(r.PID))
	return order.AppendUint32(into, r.exec)
}

// decodeProgram reads a program; false while the kernel still writes it.
func decodeProgram(data []byte) (Program, bool) {
	order := binary.NativeEndian
	if len(data) != programBytes || order.Uint32(data[programReady:]) != 1 {
		return Program{}, false
	}
	p := Program{ParentPID: int32(min(order.Uint32(data[programParent:]), 1<<31-1))}
	for i := range maxParents {
		at := programParents + i*commBytes
		name := text(data[at : at+commBytes])
		if name == "" {
			break
		}
		p.Parents = append(p.Parents, name)
	}
	if order.Uint32(data[programExeDone:]) == 1 {
		p.Executable = executable(elements(data[programExe:programCgroup], order.Uint32(data[programExeBytes:])))
	}
	p.Cgroup = strings.Join(elements(data[programCgroup:programArgument0], order.Uint32(data[programCgroupBytes:])), "/")
	first := data[programArgument0:programArgument1]
	if first[0] != 0 {
		p.Arguments = append(p.Arguments, text(first))
		if second := data[programArgument1:]; second[0] != 0 {
			p.Arguments = append(p.Arguments, text(second))
		}
	}
	return p, true
}

// elements returns the names in the first used bytes of data, in the order of
// the path.
func elements(data []byte, used uint32) []string {
	if uint64(used) > uint64(len(data)) {
		return nil
	}
	var list []string
	for part := range bytes.SplitSeq(bytes.TrimSuffix(data[:used], []byte{0}), []byte{0}) {
		if len(part) > 0 {
			list = append(list, string(part))
		}
	}
	slices.Reverse(list)
	return list
}

// executable joins the elements of a path; an element with a separator in it
// is no file's name.
func executable(list []string) string {
	if len(list) == 0 {
		return ""
	}
	for _, element := range list {
		if strings.Contains(element, "/") {
			return ""
		}
	}
	return path.Clean("/" + strings.Join(list, "/"))
}
