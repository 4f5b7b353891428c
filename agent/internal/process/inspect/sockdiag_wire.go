package inspect

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Sizes and numbers of linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
// and net/tcp_states.h. All netlink integers are in host order, ports and
// addresses in network order.
const (
	netlinkHeaderBytes = 16
	diagRequestBytes   = 56
	diagMessageBytes   = 72
	diagByFamily       = 20 // SOCK_DIAG_BY_FAMILY

	netlinkDone  = 3
	netlinkError = 2

	flagRequest = 0x1
	flagDump    = 0x300

	familyIPv4   = 2
	familyIPv6   = 10
	protocolTCP  = 6
	protocolUDP  = 17
	tcpListen    = 10
	allTCPStates = 0xffffffff
)

// diagQuery is one question to sock_diag.
type diagQuery struct {
	family, protocol uint8
	states           uint32 // bit set of TCP states; a dump only
	dump             bool
	local, remote    netip.AddrPort
}

// appendQuery encodes q as a netlink message.
func appendQuery(into []byte, q diagQuery, sequence uint32) []byte {
	order := binary.NativeEndian
	flags := uint16(flagRequest)
	if q.dump {
		flags |= flagDump
	}
	into = order.AppendUint32(into, netlinkHeaderBytes+diagRequestBytes)
	into = order.AppendUint16(into, diagByFamily)
	into = order.AppendUint16(into, flags)
	into = order.AppendUint32(into, sequence)
	into = order.AppendUint32(into, 0) // the kernel
	into = append(into, q.family, q.protocol, 0, 0)
	into = order.AppendUint32(into, q.states)
	into = binary.BigEndian.AppendUint16(into, q.local.Port())
	into = binary.BigEndian.AppendUint16(into, q.remote.Port())
	into = appendAddress(into, q.family, q.local.Addr())
	into = appendAddress(into, q.family, q.remote.Addr())
	into = order.AppendUint32(into, 0)          // any interface
	into = order.AppendUint32(into, 0xffffffff) // INET_DIAG_NOCOOKIE, twice
	return order.AppendUint32(into, 0xffffffff)
}

func appendAddress(into []byte, family uint8, address netip.Addr) []byte {
	if family == familyIPv4 {
		four := address.As4()
		into = append(into, four[:]...)
		return append(into, make([]byte, 12)...)
	}
	sixteen := address.As16()
	return append(into, sixteen[:]...)
}

// diagSocket is one inet_diag_msg.
type diagSocket struct {
	state         uint8
	local, remote netip.AddrPort
	uid, inode    uint32
	cookie        uint64
}

var errNetlink = errors.New("malformed netlink answer")

// diagEvent is one message of an answer.
type diagEvent struct {
	socket   diagSocket
	isSocket bool
	done     bool
	errno    int32 // of an error message, positive; 0 is an acknowledgement
	isError  bool
	sequence uint32
}

// nextEvent decodes the first message of data and returns what follows it.
// Lengths come from the kernel and are checked all the same.
func nextEvent(data []byte) (event diagEvent, rest []byte, err error) {
	if len(data) < netlinkHeaderBytes {
		return diagEvent{}, nil, errNetlink
	}
	order := binary.NativeEndian
	length := order.Uint32(data)
	if length < netlinkHeaderBytes || uint64(length) > uint64(len(data)) {
		return diagEvent{}, nil, errNetlink
	}
	kind := order.Uint16(data[4:])
	event.sequence = order.Uint32(data[8:])
	body := data[netlinkHeaderBytes:length]
	aligned := (uint64(length) + 3) &^ 3
	if aligned < uint64(len(data)) {
		rest = data[aligned:]
	}
	switch kind {
	case netlinkDone:
		event.done = true
	case netlinkError:
		if len(body) < 4 {
			return diagEvent{}, nil, errNetlink
		}
		event.isError = true
		event.errno = -int32(order.Uint32(body))
	case diagByFamily:
		event.socket, err = parseDiag(body)
		event.isSocket = err == nil
	}
	return event, rest, err
}

func parseDiag(body []byte) (diagSocket, error) {
	if len(body) < diagMessageBytes {
		return diagSocket{}, errNetlink
	}
	family := body[0]
	if family != familyIPv4 && family != familyIPv6 {
		return diagSocket{}, errNetlink
	}
	order := binary.NativeEndian
	return diagSocket{
		state:  body[1],
		local:  netip.AddrPortFrom(parseAddress(body[8:24], family), binary.BigEndian.Uint16(body[4:])),
		remote: netip.AddrPortFrom(parseAddress(body[24:40], family), binary.BigEndian.Uint16(body[6:])),
		uid:    order.Uint32(body[64:]),
		inode:  order.Uint32(body[68:]),
		cookie: uint64(order.Uint32(body[44:])) | uint64(order.Uint32(body[48:]))<<32, // low word first (sock_diag_save_cookie)
	}, nil
}

// parseAddress reads a 16-byte address field; v4-mapped ones become IPv4.
func parseAddress(field []byte, family uint8) netip.Addr {
	if family == familyIPv4 {
		return netip.AddrFrom4([4]byte(field))
	}
	return netip.AddrFrom16([16]byte(field)).Unmap()
}
