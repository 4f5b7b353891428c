// Package capture brings frames to the network sensor: from capture files
// (pcap, pcapng, either of them gzipped) on every system, and from network
// interfaces on Linux.
//
// It may import google/gopacket's pcapgo for the AF_PACKET handle of endpoints,
// golang.org/x/net/bpf and cilium/ebpf for the kernel filters, and
// golang.org/x/sys; it imports nothing else of ours. User space does not look
// into a frame here: that is package link and its neighbours below decode. File formats are read here and not by pcapgo, because its readers
// refuse pcap minor versions below 4 and trust block lengths for allocation.
package capture

import (
	"errors"
	"fmt"
	"time"
)

// LinkType is a link-layer header type as registered at
// https://www.tcpdump.org/linktypes.html.
type LinkType uint16

// The link types that package link can walk.
const (
	LinkNull        LinkType = 0
	LinkEthernet    LinkType = 1
	LinkPPP         LinkType = 9
	LinkFDDI        LinkType = 10
	LinkRawBSD      LinkType = 12 // DLT_RAW as some systems write it into files
	LinkRawOpenBSD  LinkType = 14
	LinkPPPHDLC     LinkType = 50
	LinkPPPoE       LinkType = 51
	LinkRaw         LinkType = 101
	LinkCHDLC       LinkType = 104
	LinkIEEE80211   LinkType = 105
	LinkLoop        LinkType = 108
	LinkSLL         LinkType = 113
	LinkRadiotap    LinkType = 127
	LinkIPv4        LinkType = 228
	LinkIPv6        LinkType = 229
	LinkNFLog       LinkType = 239
	LinkPKTAP       LinkType = 258
	LinkSLL2        LinkType = 276
	LinkUnsupported LinkType = 0xffff
)

// Frame is one captured frame.
type Frame struct {
	Time      time.Time
	Link      LinkType
	Interface int    // index within the file or of the system
	Data      []byte // what was captured; valid until the next read
	Length    int    // bytes on the wire, at least len(Data)
}

// MaxFrame bounds the captured bytes of one frame; it is libpcap's
// MAXIMUM_SNAPLEN. A longer record is malformed.
const MaxFrame = 262144

// FormatError says that a capture file is not sound. Frames returned before it
// are good.
type FormatError struct {
	Offset    int64 // bytes into the (unzipped) file
	Reason    string
	Truncated bool // the file ends inside a record: the usual end of a capture that was killed
	Cause     error
}

// Error implements error.
func (e *FormatError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("capture file is unsound at byte %d: %s: %v", e.Offset, e.Reason, e.Cause)
	}
	return fmt.Sprintf("capture file is unsound at byte %d: %s", e.Offset, e.Reason)
}

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Cause }

// Stats counts what a kernel handle saw since it was opened.
type Stats struct {
	Received uint64 // frames that passed the filter, dropped ones included
	Dropped  uint64 // frames lost because user space was too slow
	Frozen   uint64 // times a ring was full and stopped taking frames
}

// ErrUnsupported says that live capture is not built for this system.
var ErrUnsupported = errors.New("live capture is built for Linux only")

// ErrDown says that an interface went down or away: its capture has ended.
var ErrDown = errors.New("the interface is down")

// ErrTimeout says that no frame came within the time given.
var ErrTimeout = errors.New("no frame yet")
