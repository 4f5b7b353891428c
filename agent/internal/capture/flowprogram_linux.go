package capture

import (
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Registers of the program. The kernel keeps them over calls.
const (
	regContext = asm.R6 // struct __sk_buff
	regAt      = asm.R7 // offset of the header at work; later, which end sent the packet
	regLength  = asm.R8 // offset of the packet's end; later, its payload bytes
	regFlags   = asm.R9 // IP protocol, then TCP flags; of UDP, whether the packet passes
)

// Places on the stack, from its top.
const (
	stackKey    = -40 // FlowKey
	stackHeader = -80
	stackValue  = -120 // FlowCounts
	stackBody   = -128 // offset of the TCP payload
)

// Offsets in FlowKey and FlowCounts, and of fields of struct __sk_buff
// (linux/bpf.h).
const (
	keySecond     = 16
	keyFirstPort  = 32
	keySecondPort = 34
	keyWhere      = 36

	valuePackets = 16
	valueLimit   = 32

	contextLength    = 0
	contextType      = 4
	contextInterface = 40
)

// firstDatagrams is how many datagrams of each end of a UDP flow pass whatever
// they hold: the handshakes of VPNs and of RDP are among them.
const firstDatagrams = 8

const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagACK = 16

	headerEthernet = 14
	headerIPv6     = 40
	headerUDP      = 8

	outgoing = 4 // PACKET_OUTGOING, linux/if_packet.h
)

// program collects instructions. It differs from Filter in that it keeps
// state; what it passes without looking into it is the same.
//
// It uses no more than maps of the LRU kind (Linux 4.10), bpf_skb_load_bytes
// (4.5), JLT/JLE jumps (4.14) and atomic addition: no BTF, no loop, no
// subprogram, and no pointer arithmetic that needs CAP_PERFMON.
type program struct {
	asm.Instructions
	options FilterOptions
	flows   *ebpf.Map
	control *ebpf.Map
	up      uint32
	down    uint32
}

func (p *program) add(list ...asm.Instruction) { p.Instructions = append(p.Instructions, list...) }

// mark names the next instruction: a move that does nothing, so that every
// label has one of its own.
func (p *program) mark(label string) {
	p.add(asm.Mov.Reg(regContext, regContext).WithSymbol(label))
}

func (p *program) goTo(label string) { p.add(asm.Ja.Label(label)) }

// assemble writes the whole program.
func (p *program) assemble() asm.Instructions {
	p.add(asm.Mov.Reg(regContext, asm.R1))
	if p.options.Loopback {
		p.add(
			asm.LoadMem(asm.R0, regContext, contextType, asm.Word),
			asm.JEq.Imm(asm.R0, outgoing, "drop"),
		)
	}
	p.network()
	p.ipv4()
	p.ipv6()
	p.tcp()
	p.udp()
	p.mark("accept")
	p.add(asm.Mov.Imm(asm.R0, int32(p.options.SnapLength)), asm.Return())
	p.mark("drop")
	p.add(asm.Mov.Imm(asm.R0, 0), asm.Return())
	return p.Instructions
}

// load copies n bytes of the packet, from delta behind regAt, to the stack.
func (p *program) load(delta, to, n int32, failed string) {
	p.add(
		asm.Mov.Reg(asm.R1, regContext),
		asm.Mov.Reg(asm.R2, regAt),
		asm.Add.Imm(asm.R2, delta),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, to),
		asm.Mov.Imm(asm.R4, n),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, failed),
	)
}

// big reads a big-endian number of 16 bits from the stack.
func (p *program) big(to asm.Register, at int16) {
	p.add(asm.LoadMem(to, asm.R10, at, asm.Half), asm.HostTo(asm.BE, to, asm.Half))
}

// network finds the IP version, behind at most two VLAN tags; the usual one is
// not in the frame but in the packet's metadata.
func (p *program) network() {
	if p.options.RawIP {
		p.add(asm.Mov.Imm(regAt, 0))
		p.load(0, stackHeader, 1, "drop")
		p.add(
			asm.LoadMem(asm.R1, asm.R10, stackHeader, asm.Byte),
			asm.RSh.Imm(asm.R1, 4),
			asm.JEq.Imm(asm.R1, 4, "ipv4"),
			asm.JEq.Imm(asm.R1, 6, "ipv6"),
		)
		p.goTo("drop")
		return
	}
	p.add(asm.Mov.Imm(regAt, headerEthernet))
	for _, label := range []string{"type", "tag1", "tag2"} {
		p.mark(label)
		p.load(-2, stackHeader, 2, "drop")
		p.big(asm.R1, stackHeader)
		p.add(asm.JEq.Imm(asm.R1, 0x0800, "ipv4"), asm.JEq.Imm(asm.R1, 0x86dd, "ipv6"))
		for _, labelled := range []int32{0x8847, 0x8848, 0x8864} {
			p.add(asm.JEq.Imm(asm.R1, labelled, "accept"))
		}
		tags := []int32{0x8100, 0x88a8, 0x9100}
		if label == "tag2" {
			for _, tag := range tags {
				p.add(asm.JEq.Imm(asm.R1, tag, "accept"))
			}
			break
		}
		for _, tag := range tags {
			p.add(asm.JEq.Imm(asm.R1, tag, label+".tagged"))
		}
		p.goTo("drop")
		p.mark(label + ".tagged")
		p.add(asm.Add.Imm(regAt, 4))
	}
	p.goTo("drop")
}

// protocol goes on by the IP protocol in regFlags.
func (p *program) protocol(others ...int32) {
	p.add(asm.JEq.Imm(regFlags, 6, "tcp"), asm.JEq.Imm(regFlags, 17, "udp"))
	for _, tunnel := range append(others, 4, 41, 47, 137) {
		p.add(asm.JEq.Imm(regFlags, tunnel, "accept"))
	}
	p.goTo("drop")
}

func (p *program) ipv4() {
	const source, destination = stackKey, stackKey + keySecond
	p.mark("ipv4")
	p.load(0, stackHeader, 20, "drop")
	p.big(asm.R1, stackHeader+6)
	p.add(asm.JSet.Imm(asm.R1, 0x3fff, "accept")) // a fragment
	p.big(regLength, stackHeader+2)
	p.add(
		asm.JNE.Imm(regLength, 0, "ipv4.total"),
		asm.LoadMem(regLength, regContext, contextLength, asm.Word), // the card is to split it
		asm.Sub.Reg(regLength, regAt),
	)
	p.mark("ipv4.total")
	p.add(asm.Add.Reg(regLength, regAt))
	for i, to := range []int16{source, destination} {
		p.add(
			asm.StoreImm(asm.R10, to, 0, asm.Word),
			asm.StoreImm(asm.R10, to+4, 0, asm.Word),
			asm.StoreImm(asm.R10, to+8, 0, asm.Half),
			asm.StoreImm(asm.R10, to+10, 0xffff, asm.Half),
			asm.LoadMem(asm.R1, asm.R10, stackHeader+12+4*int16(i), asm.Word),
			asm.StoreMem(asm.R10, to+12, asm.R1, asm.Word),
		)
	}
	p.add(
		asm.LoadMem(regFlags, asm.R10, stackHeader+9, asm.Byte),
		asm.LoadMem(asm.R1, asm.R10, stackHeader, asm.Byte),
		asm.And.Imm(asm.R1, 15),
		asm.LSh.Imm(asm.R1, 2),
		asm.Add.Reg(regAt, asm.R1),
	)
	p.protocol()
}

func (p *program) ipv6() {
	p.mark("ipv6")
	p.load(0, stackHeader, 8, "drop")
	p.load(8, stackKey, 32, "drop")
	p.big(regLength, stackHeader+4)
	p.add(
		asm.Add.Imm(regLength, headerIPv6),
		asm.JNE.Imm(regLength, headerIPv6, "ipv6.total"),
		asm.LoadMem(regLength, regContext, contextLength, asm.Word),
		asm.Sub.Reg(regLength, regAt),
	)
	p.mark("ipv6.total")
	p.add(
		asm.Add.Reg(regLength, regAt),
		asm.LoadMem(regFlags, asm.R10, stackHeader+6, asm.Byte),
		asm.Add.Imm(regAt, headerIPv6),
	)
	p.protocol(0, 43, 44, 51, 60, 135) // extension headers
}

// ports writes the ports, which lie at the start of the header on the stack,
// into the key.
func (p *program) ports() {
	p.big(asm.R1, stackHeader)
	p.big(asm.R2, stackHeader+2)
	p.add(
		asm.StoreMem(asm.R10, stackKey+keyFirstPort, asm.R1, asm.Half),
		asm.StoreMem(asm.R10, stackKey+keySecondPort, asm.R2, asm.Half),
	)
}

// order brings the two ends of the key into order; regAt is then the one that
// sent the packet. It also says where the packet was seen.
func (p *program) order(label string, protocol int32) {
	p.add(
		asm.LoadMem(asm.R1, regContext, contextInterface, asm.Word),
		asm.LSh.Imm(asm.R1, 8),
		asm.Or.Imm(asm.R1, protocol),
		asm.StoreMem(asm.R10, stackKey+keyWhere, asm.R1, asm.Word),
		asm.Mov.Imm(regAt, 0),
	)
	for _, half := range []int16{0, 8} {
		p.add(
			asm.LoadMem(asm.R1, asm.R10, stackKey+half, asm.DWord),
			asm.LoadMem(asm.R2, asm.R10, stackKey+keySecond+half, asm.DWord),
			asm.HostTo(asm.BE, asm.R1, asm.DWord),
			asm.HostTo(asm.BE, asm.R2, asm.DWord),
			asm.JGT.Reg(asm.R1, asm.R2, label+".swap"),
			asm.JLT.Reg(asm.R1, asm.R2, label+".ordered"),
		)
	}
	p.add(
		asm.LoadMem(asm.R1, asm.R10, stackKey+keyFirstPort, asm.Half),
		asm.LoadMem(asm.R2, asm.R10, stackKey+keySecondPort, asm.Half),
		asm.JLE.Reg(asm.R1, asm.R2, label+".ordered"),
	)
	p.mark(label + ".swap")
	p.add(asm.Mov.Imm(regAt, 1))
	swap := func(a, b int16, size asm.Size) {
		p.add(
			asm.LoadMem(asm.R1, asm.R10, stackKey+a, size),
			asm.LoadMem(asm.R2, asm.R10, stackKey+b, size),
			asm.StoreMem(asm.R10, stackKey+a, asm.R2, size),
			asm.StoreMem(asm.R10, stackKey+b, asm.R1, size),
		)
	}
	swap(0, keySecond, asm.DWord)
	swap(8, keySecond+8, asm.DWord)
	swap(keyFirstPort, keySecondPort, asm.Half)
	p.mark(label + ".ordered")
}

// call calls a map helper with the key.
func (p *program) call(f asm.BuiltinFunc, m *ebpf.Map) {
	p.add(
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, stackKey),
		f.Call(),
	)
}

// create adds an entry that counted nothing yet, and looks it up, so that two
// processors at once lose nothing. The client's index is in R3.
func (p *program) create(label string) {
	for at := int16(0); at < valueLimit; at += 4 {
		p.add(asm.StoreImm(asm.R10, stackValue+at, 0, asm.Word))
	}
	limit := func(first, second uint32) {
		p.add(
			asm.StoreImm(asm.R10, stackValue+valueLimit, int64(first), asm.Word),
			asm.StoreImm(asm.R10, stackValue+valueLimit+4, int64(second), asm.Word),
		)
	}
	limit(p.up, p.down)
	p.add(asm.JEq.Imm(asm.R3, 0, label+".limited"))
	limit(p.down, p.up)
	p.mark(label + ".limited")
	const noExist = 1 // BPF_NOEXIST
	p.add(
		asm.LoadMapPtr(asm.R1, p.flows.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, stackKey),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, stackValue),
		asm.Mov.Imm(asm.R4, noExist),
		asm.FnMapUpdateElem.Call(),
	)
	p.call(asm.FnMapLookupElem, p.flows)
	p.add(asm.JEq.Imm(asm.R0, 0, "accept"))
}

// count adds the payload in regLength to the entry at R0; R3 is then what the
// sender had sent before.
func (p *program) count(label string) {
	p.add(
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.JEq.Imm(regAt, 0, label+".end"),
		asm.Add.Imm(asm.R2, 8),
	)
	p.mark(label + ".end")
	p.add(
		asm.LoadMem(asm.R3, asm.R2, 0, asm.DWord),
		asm.JEq.Imm(regLength, 0, label+".counted"),
		asm.StoreXAdd(asm.R2, regLength, asm.DWord),
		asm.Mov.Imm(asm.R1, 1),
		asm.Add.Imm(asm.R2, valuePackets),
		asm.StoreXAdd(asm.R2, asm.R1, asm.DWord),
	)
	p.mark(label + ".counted")
}

func (p *program) tcp() {
	p.mark("tcp")
	p.load(0, stackHeader, 14, "accept")
	p.ports()
	p.add(
		asm.LoadMem(regFlags, asm.R10, stackHeader+13, asm.Byte),
		asm.LoadMem(asm.R1, asm.R10, stackHeader+12, asm.Byte),
		asm.And.Imm(asm.R1, 0xf0),
		asm.RSh.Imm(asm.R1, 2),
		asm.Sub.Reg(regLength, regAt),
		asm.Sub.Reg(regLength, asm.R1),
		asm.Add.Reg(asm.R1, regAt),
		asm.StoreMem(asm.R10, stackBody, asm.R1, asm.DWord),
		asm.JSGT.Imm(regLength, 0, "tcp.known"),
		asm.Mov.Imm(regLength, 0),
		asm.JSet.Imm(regFlags, flagSYN|flagFIN|flagRST, "tcp.known"),
	)
	p.goTo("drop") // a bare acknowledgement
	p.mark("tcp.known")
	p.order("tcp", 6)
	p.call(asm.FnMapLookupElem, p.flows)
	p.add(
		asm.JSet.Imm(regFlags, flagSYN, "tcp.syn"),
		asm.JNE.Imm(asm.R0, 0, "tcp.found"),
		asm.JEq.Imm(regLength, 0, "accept"), // the end of a connection that is not known
		// Its start was not seen: the client has the higher port.
		asm.LoadMem(asm.R1, asm.R10, stackKey+keyFirstPort, asm.Half),
		asm.LoadMem(asm.R2, asm.R10, stackKey+keySecondPort, asm.Half),
		asm.Mov.Imm(asm.R3, 0),
		asm.JGT.Reg(asm.R1, asm.R2, "tcp.create"),
		asm.Mov.Imm(asm.R3, 1),
		asm.JLT.Reg(asm.R1, asm.R2, "tcp.create"),
		asm.Mov.Reg(asm.R3, regAt),
	)
	p.goTo("tcp.create")
	p.syn()
	p.mark("tcp.create")
	p.create("tcp")
	p.mark("tcp.found")
	p.count("tcp")
	p.add(asm.JSet.Imm(regFlags, flagSYN|flagFIN|flagRST, "accept"))
	p.limit()
}

// syn takes the start of a connection. One on ports that were used before is a
// new one, which what was said of the old one does not concern.
func (p *program) syn() {
	p.mark("tcp.syn")
	p.add(
		asm.Mov.Reg(asm.R3, regAt),
		asm.JSet.Imm(regFlags, flagACK, "tcp.answer"),
		asm.JEq.Imm(asm.R0, 0, "tcp.forget"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.LoadMem(asm.R2, asm.R0, 8, asm.DWord),
		asm.Or.Reg(asm.R1, asm.R2),
		asm.JEq.Imm(asm.R1, 0, "tcp.found"), // the same SYN again
	)
	p.call(asm.FnMapDeleteElem, p.flows)
	p.mark("tcp.forget")
	p.call(asm.FnMapDeleteElem, p.control)
	p.add(asm.Mov.Reg(asm.R3, regAt))
	p.goTo("tcp.create")
	p.mark("tcp.answer")
	p.add(
		asm.JNE.Imm(asm.R0, 0, "tcp.found"),
		asm.Xor.Imm(asm.R3, 1),
	)
}

// requests opens an end for good whose first payload starts like an HTTP
// request: by the time that user space says so, many more may have come.
func (p *program) requests() {
	p.add(
		asm.Mov.Reg(asm.R1, regContext),
		asm.LoadMem(asm.R2, asm.R10, stackBody, asm.DWord),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, stackHeader),
		asm.Mov.Imm(asm.R4, 4),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "limit.ask"),
		asm.LoadMem(asm.R1, asm.R10, stackHeader, asm.Word),
		asm.HostTo(asm.BE, asm.R1, asm.Word),
	)
	for _, method := range httpStarts() {
		p.add(asm.JEq.Imm(asm.R1, int32(binary.BigEndian.Uint32([]byte(method))), "limit.request"))
	}
	p.goTo("limit.ask")
	p.mark("limit.request")
	p.add(asm.StoreImm(regFlags, valueLimit, PassAll, asm.Word))
	p.goTo("accept")
}

// httpStarts lists the first four bytes of requests with the methods of RFC
// 9110 and RFC 5789, and of HTTP/2's preface (RFC 9113).
func httpStarts() []string {
	return []string{"GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "PATC", "CONN", "TRAC", "PRI "}
}

// limit lets the payload of an end pass up to its limit. User space may have
// said another one since; 0 is final, and saves the look.
func (p *program) limit() {
	for _, at := range []int16{keyFirstPort, keySecondPort} {
		p.add(
			asm.LoadMem(asm.R1, asm.R10, stackKey+at, asm.Half),
			asm.JEq.Imm(asm.R1, 53, "accept"),
		)
	}
	p.add(
		asm.JEq.Imm(regAt, 0, "limit.end"),
		asm.Add.Imm(asm.R0, 4),
	)
	p.mark("limit.end")
	p.add(
		asm.LoadMem(asm.R4, asm.R0, valueLimit, asm.Word),
		asm.JEq.Imm(asm.R4, 0, "drop"),
		asm.Mov.Reg(regLength, asm.R3), // what was sent before
		asm.Mov.Reg(regFlags, asm.R0),
		asm.JNE.Imm(regLength, 0, "limit.ask"),
	)
	p.requests()
	p.mark("limit.ask")
	p.call(asm.FnMapLookupElem, p.control)
	p.add(
		asm.LoadMem(asm.R4, regFlags, valueLimit, asm.Word),
		asm.JEq.Imm(asm.R0, 0, "limit.decide"),
		asm.JEq.Imm(regAt, 0, "limit.control"),
		asm.Add.Imm(asm.R0, 4),
	)
	p.mark("limit.control")
	p.add(
		asm.LoadMem(asm.R4, asm.R0, 0, asm.Word),
		asm.StoreMem(regFlags, valueLimit, asm.R4, asm.Word),
	)
	p.mark("limit.decide")
	p.add(
		asm.JEq.Imm(asm.R4, PassAll, "accept"),
		asm.JLT.Reg(regLength, asm.R4, "accept"),
	)
	p.goTo("drop")
}

func (p *program) udp() {
	p.mark("udp")
	p.load(0, stackHeader, headerUDP, "drop")
	p.ports()
	for _, at := range []int16{keyFirstPort, keySecondPort} {
		p.add(asm.LoadMem(asm.R1, asm.R10, stackKey+at, asm.Half))
		for _, port := range passedPorts() {
			p.add(asm.JEq.Imm(asm.R1, int32(port), "accept"))
		}
	}
	p.add(
		asm.Sub.Reg(regLength, regAt),
		asm.Sub.Imm(regLength, headerUDP),
		asm.JSLE.Imm(regLength, 0, "drop"),
	)
	p.load(headerUDP, stackHeader, 1, "drop")
	p.add(
		asm.Mov.Imm(regFlags, 1),
		asm.LoadMem(asm.R1, asm.R10, stackHeader, asm.Byte),
		asm.JEq.Imm(asm.R1, 0x16, "udp.known"), // DTLS handshake
		asm.And.Imm(asm.R1, quicLong|quicFixed),
		asm.JEq.Imm(asm.R1, quicLong|quicFixed, "udp.known"),
		asm.JNE.Imm(asm.R1, quicLong, "udp.query"),
	)
	p.load(headerUDP+1, stackHeader, 4, "udp.query")
	p.add(
		asm.LoadMem(asm.R1, asm.R10, stackHeader, asm.Word),
		asm.HostTo(asm.BE, asm.R1, asm.Word),
		asm.JEq.Imm(asm.R1, quicVersion1, "udp.known"),
		asm.JEq.Imm(asm.R1, quicVersion2, "udp.known"),
		asm.RSh.Imm(asm.R1, 8),
		asm.JEq.Imm(asm.R1, quicDrafts, "udp.known"),
	)
	p.mark("udp.query")
	p.add(asm.Mov.Imm(regFlags, 0))
	p.load(headerUDP+4, stackHeader, 6, "udp.known") // a DNS query: one question, no answer, no authority
	for i, count := range []int32{1, 0, 0} {
		p.big(asm.R1, stackHeader+2*int16(i))
		p.add(asm.JNE.Imm(asm.R1, count, "udp.known"))
	}
	p.goTo("accept")
	p.mark("udp.known")
	p.order("udp", 17)
	p.call(asm.FnMapLookupElem, p.flows)
	p.add(
		asm.JNE.Imm(asm.R0, 0, "udp.found"),
		asm.Mov.Reg(asm.R3, regAt),
	)
	p.create("udp")
	p.mark("udp.found")
	p.count("udp")
	p.add(
		asm.JNE.Imm(regFlags, 0, "accept"),
		// R2 is where count left it: at the packets of this end, this one included.
		asm.LoadMem(asm.R1, asm.R2, 0, asm.DWord),
		asm.JLE.Imm(asm.R1, firstDatagrams, "accept"),
	)
	p.goTo("drop")
}
