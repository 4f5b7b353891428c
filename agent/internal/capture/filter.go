package capture

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// FilterOptions say what a kernel filter is for.
type FilterOptions struct {
	RawIP      bool // frames start with the IP header, without a link layer
	Loopback   bool // drop the copy that the kernel hands out when it sends, as each packet also comes in
	SnapLength int  // bytes of a frame that reach user space
}

// Filter assembles the classic BPF program that decides in the kernel which
// frames reach user space. A filter of this kind keeps no state, so it cannot
// pass "the first bytes of each connection". It passes
//
//   - TCP with SYN, FIN or RST;
//   - TCP with payload towards the lower port, which is the server's almost
//     always: requests and hellos with all their segments, and uploads;
//   - TCP with payload between two ports of the range that systems take client
//     ports from (32768 on), where the order says nothing;
//   - TCP with payload the other way where PSH is set, where it comes from port
//     53, or where it starts like a TLS handshake record: the case where the
//     client has the lower port;
//   - UDP of DNS ports, of tunnels and IKE, with a QUIC long header, that starts
//     like a DTLS handshake record or the handshake of OpenVPN or WireGuard, or
//     that starts like a DNS query on any port;
//   - IP fragments, IP in IP, GRE, IPv6 with extension headers, and tagged or
//     labelled frames, which it cannot look into.
//
// What that costs: uploads and tunnelled bulk reach user space and are dropped
// there; and where a client has the lower port and that is below 32768, the
// middle one of three or more segments of a hello is lost, which is counted as
// a hello that was not complete. Acknowledgements and downloads stay in the
// kernel.
func Filter(o FilterOptions) ([]bpf.Instruction, error) {
	a := &assembler{labels: map[string]int{}}
	var base uint32
	if !o.RawIP {
		base = 14
	}
	if o.Loopback {
		const outgoing = 4 // PACKET_OUTGOING, linux/if_packet.h
		a.add(bpf.LoadExtension{Num: bpf.ExtType})
		a.jump(bpf.JumpEqual, outgoing, "drop")
	}
	a.network(o.RawIP)
	a.ipv4(base)
	a.ipv6(base)
	a.tcp(base)
	a.udp(base)
	a.label("accept")
	a.add(bpf.RetConstant{Val: uint32(o.SnapLength)})
	a.label("drop")
	a.add(bpf.RetConstant{Val: 0})
	return a.link()
}

// firstEphemeral is where Linux begins to take client ports
// (net.ipv4.ip_local_port_range); other systems begin at 49152 (RFC 6335).
const firstEphemeral = 32768

// Scratch cells of the program.
const (
	cellPayload = iota // offset of the TCP payload in the IP packet
	cellPort
	cellHeader // length of the IP header
	cellTotal  // length of the IP packet, 0 where it is not told
)

// network finds the IP version.
func (a *assembler) network(raw bool) {
	if raw {
		a.add(bpf.LoadAbsolute{Off: 0, Size: 1})
		a.add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
		a.jump(bpf.JumpEqual, 4, "ipv4")
		a.jump(bpf.JumpEqual, 6, "ipv6")
		a.goTo("drop")
		return
	}
	a.add(bpf.LoadAbsolute{Off: 12, Size: 2})
	a.jump(bpf.JumpEqual, 0x0800, "ipv4")
	a.jump(bpf.JumpEqual, 0x86dd, "ipv6")
	for _, tagged := range []uint32{0x8100, 0x88a8, 0x9100, 0x8847, 0x8848, 0x8864} {
		a.jump(bpf.JumpEqual, tagged, "accept")
	}
	a.goTo("drop")
}

func (a *assembler) ipv4(base uint32) {
	a.label("ipv4")
	a.add(bpf.LoadAbsolute{Off: base + 6, Size: 2})
	a.jump(bpf.JumpBitsSet, 0x3fff, "accept") // a fragment
	a.add(bpf.LoadAbsolute{Off: base + 2, Size: 2})
	a.add(bpf.StoreScratch{Src: bpf.RegA, N: cellTotal})
	a.add(bpf.LoadMemShift{Off: base})
	a.add(bpf.StoreScratch{Src: bpf.RegX, N: cellHeader})
	a.add(bpf.LoadAbsolute{Off: base + 9, Size: 1})
	a.jump(bpf.JumpEqual, 6, "tcp")
	a.jump(bpf.JumpEqual, 17, "udp")
	for _, tunnel := range []uint32{4, 41, 47, 137} {
		a.jump(bpf.JumpEqual, tunnel, "accept")
	}
	a.goTo("drop")
}

func (a *assembler) ipv6(base uint32) {
	const header = 40
	a.label("ipv6")
	a.add(bpf.LoadConstant{Dst: bpf.RegA, Val: header})
	a.add(bpf.StoreScratch{Src: bpf.RegA, N: cellHeader})
	a.add(bpf.LoadAbsolute{Off: base + 4, Size: 2})
	a.jump(bpf.JumpEqual, 0, "jumbo")
	a.add(bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: header})
	a.label("jumbo")
	a.add(bpf.StoreScratch{Src: bpf.RegA, N: cellTotal})
	a.add(bpf.LoadAbsolute{Off: base + 6, Size: 1})
	a.jump(bpf.JumpEqual, 6, "tcp")
	a.jump(bpf.JumpEqual, 17, "udp")
	for _, extension := range []uint32{0, 43, 44, 51, 60, 135, 4, 41, 47, 137} {
		a.jump(bpf.JumpEqual, extension, "accept")
	}
	a.goTo("drop")
}

func (a *assembler) tcp(base uint32) {
	const (
		endsOrStarts = 0x07 // FIN, SYN, RST
		push         = 0x08
	)
	a.label("tcp")
	a.add(bpf.LoadScratch{Dst: bpf.RegX, N: cellHeader})
	a.add(bpf.LoadIndirect{Off: base + 13, Size: 1})
	a.jump(bpf.JumpBitsSet, endsOrStarts, "accept")
	a.add(bpf.LoadIndirect{Off: base + 12, Size: 1})
	a.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0})
	a.add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 2})
	a.add(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	a.add(bpf.StoreScratch{Src: bpf.RegA, N: cellPayload})
	a.add(bpf.LoadScratch{Dst: bpf.RegA, N: cellTotal})
	a.jump(bpf.JumpEqual, 0, "payload") // the network card is to split it
	a.add(bpf.LoadScratch{Dst: bpf.RegX, N: cellPayload})
	a.jumpX(bpf.JumpGreaterThan, "payload")
	a.goTo("drop")

	a.label("payload")
	a.add(bpf.LoadScratch{Dst: bpf.RegX, N: cellHeader})
	a.add(bpf.LoadIndirect{Off: base + 2, Size: 2})
	a.add(bpf.StoreScratch{Src: bpf.RegA, N: cellPort})
	a.add(bpf.LoadIndirect{Off: base, Size: 2})
	a.jump(bpf.JumpEqual, 53, "accept")
	a.add(bpf.LoadScratch{Dst: bpf.RegX, N: cellPort})
	a.jumpX(bpf.JumpGreaterOrEqual, "accept") // source >= destination
	a.jump(bpf.JumpGreaterOrEqual, firstEphemeral, "accept")
	a.add(bpf.LoadScratch{Dst: bpf.RegX, N: cellHeader})
	a.add(bpf.LoadIndirect{Off: base + 13, Size: 1})
	a.jump(bpf.JumpBitsSet, push, "accept")
	a.add(bpf.LoadScratch{Dst: bpf.RegX, N: cellPayload})
	a.add(bpf.LoadIndirect{Off: base, Size: 1})
	a.jump(bpf.JumpEqual, 0x16, "accept")
	a.goTo("drop")
}

func (a *assembler) udp(base uint32) {
	a.label("udp")
	a.add(bpf.LoadScratch{Dst: bpf.RegX, N: cellHeader})
	for _, at := range []uint32{0, 2} {
		a.add(bpf.LoadIndirect{Off: base + at, Size: 2})
		for _, port := range passedPorts() {
			a.jump(bpf.JumpEqual, port, "accept")
		}
	}
	a.add(bpf.LoadIndirect{Off: base + 8, Size: 1})
	for _, opening := range []uint32{0x16, 0x38, 0x50} { // DTLS handshake; resets of OpenVPN
		a.jump(bpf.JumpEqual, opening, "accept")
	}
	a.jump(bpf.JumpBitsSet, quicLong, "long")
	a.goTo("query")
	a.label("long")
	a.jump(bpf.JumpBitsSet, quicFixed, "accept")
	a.add(bpf.LoadIndirect{Off: base + 9, Size: 4})
	a.jump(bpf.JumpEqual, quicVersion1, "accept")
	a.jump(bpf.JumpEqual, quicVersion2, "accept")
	a.add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 8})
	a.jump(bpf.JumpEqual, quicDrafts, "accept")
	a.label("query")
	a.add(bpf.LoadIndirect{Off: base + 8, Size: 4})
	a.jump(bpf.JumpEqual, wireGuardFirst, "accept")
	for i, count := range []uint32{1, 0, 0} { // a DNS query: one question, no answer, no authority
		a.add(bpf.LoadIndirect{Off: base + 12 + uint32(i)*2, Size: 2})
		a.jump(bpf.JumpNotEqual, count, "drop")
	}
	a.goTo("accept")
}

// A QUIC packet with a long header has these bits in its first byte; the second
// may be greased (RFC 9287), and then a version that is known speaks for it:
// those of RFC 9000, RFC 9369, and the drafts.
const (
	quicLong     = 0x80
	quicFixed    = 0x40
	quicVersion1 = 1
	quicVersion2 = 0x6b3343cf
	quicDrafts   = 0xff0000
)

// wireGuardFirst is the type of the message that begins a handshake of
// WireGuard (https://www.wireguard.com/protocol/), as read in network order.
const wireGuardFirst = 0x01000000

// passedPorts lists the UDP ports that pass whatever the packet holds: DNS,
// mDNS, LLMNR; IKE; VXLAN (three), Geneve, GTP-U, Teredo, CAPWAP, MPLS, AYIYA.
func passedPorts() []uint32 {
	return []uint32{53, 5353, 5355, 500, 4789, 8472, 4790, 6081, 2152, 3544, 5247, 6635, 5072}
}

// assembler resolves labels, which the bpf package leaves to its user.
type assembler struct {
	program []bpf.Instruction
	targets []string // label that the instruction jumps to, "" for the others
	labels  map[string]int
}

func (a *assembler) add(i bpf.Instruction) {
	a.program = append(a.program, i)
	a.targets = append(a.targets, "")
}

func (a *assembler) label(name string) { a.labels[name] = len(a.program) }

func (a *assembler) jump(test bpf.JumpTest, value uint32, target string) {
	a.program = append(a.program, bpf.JumpIf{Cond: test, Val: value})
	a.targets = append(a.targets, target)
}

func (a *assembler) jumpX(test bpf.JumpTest, target string) {
	a.program = append(a.program, bpf.JumpIfX{Cond: test})
	a.targets = append(a.targets, target)
}

func (a *assembler) goTo(target string) {
	a.program = append(a.program, bpf.Jump{})
	a.targets = append(a.targets, target)
}

// link fills in the jumps.
func (a *assembler) link() ([]bpf.Instruction, error) {
	for i, target := range a.targets {
		if target == "" {
			continue
		}
		at, ok := a.labels[target]
		skip := at - i - 1
		if !ok || skip < 0 || skip > 255 {
			return nil, fmt.Errorf("assembling the kernel filter: no way from instruction %d to %q", i, target)
		}
		switch in := a.program[i].(type) {
		case bpf.JumpIf:
			in.SkipTrue = uint8(skip)
			a.program[i] = in
		case bpf.JumpIfX:
			in.SkipTrue = uint8(skip)
			a.program[i] = in
		case bpf.Jump:
			in.Skip = uint32(skip)
			a.program[i] = in
		}
	}
	return a.program, nil
}
