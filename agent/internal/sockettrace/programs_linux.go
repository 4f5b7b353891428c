package sockettrace

import "github.com/cilium/ebpf/asm"

// Fields of struct bpf_sock_addr, bpf_sock_ops and bpf_sock (linux/bpf.h).
const (
	addrUserIP4  = 4
	addrUserIP6  = 8
	addrUserPort = 24
	addrProtocol = 36
	addrSocket   = 64

	opsOp         = 0
	opsFamily     = 20
	opsRemoteIP4  = 24
	opsLocalIP4   = 28
	opsRemoteIP6  = 32
	opsLocalIP6   = 48
	opsRemotePort = 64
	opsLocalPort  = 68

	socketSourcePort = 44

	opTCPConnect = 3 // BPF_SOCK_OPS_TCP_CONNECT_CB
	familyIPv4   = 2 // AF_INET
)

// Places on the stack of the programs, below the frame pointer.
const (
	stackRead    = -16
	stackConn    = stackRead - connBytes
	stackProgram = stackConn - programKeyBytes
	stackKey     = stackProgram - keyBytes
)

// Totals that the programs keep, by index.
const (
	statConnects       = iota // connect(2) calls seen
	statTCP                   // TCP connections recorded
	statUDP                   // UDP sockets and peers recorded
	statUnpaired              // TCP connections whose connect(2) was not seen, or forgotten
	statFailed                // records that could not be written
	statPrograms              // programs recorded
	statProgramsFailed        // programs that could not be written
	statCount
)

// maps are the file descriptors that the programs use.
type maps struct {
	connecting, tcp, udp, programs, empty, stats int
}

// connectCode runs in connect(2), before the kernel chooses a local port: it
// keeps who connects where under the cookie of the socket.
func connectCode(m maps, o *offsets, six bool) asm.Instructions {
	var c code
	c.add(asm.Mov.Reg(asm.R6, asm.R1))
	c.add(asm.LoadMem(asm.R8, asm.R6, addrProtocol, asm.Word))
	known := c.label()
	c.add(asm.JEq.Imm(asm.R8, protocolTCP, known), asm.JNE.Imm(asm.R8, protocolUDP, "end"))
	c.here(known)
	c.count(m.stats, statConnects)
	c.who(o)
	c.add(asm.StoreMem(asm.RFP, stackConn+connProtocol, asm.R8, asm.Word))
	c.target(asm.RFP, stackConn+connRemote, stackConn+connRemotePort, six)
	c.put(m, m.connecting, stackConn+connCookie, asm.RFP, stackConn)
	// A UDP socket that is bound already needs no more.
	open := c.label()
	c.add(asm.JNE.Imm(asm.R8, protocolUDP, open))
	c.add(asm.LoadMem(asm.R1, asm.R6, addrSocket, asm.DWord), asm.LoadMem(asm.R9, asm.R1, socketSourcePort, asm.Word))
	c.add(asm.JEq.Imm(asm.R9, 0, open))
	c.add(asm.StoreMem(asm.RFP, stackConn+connLocalPort, asm.R9, asm.Half))
	c.putUDP(m, asm.RFP, stackConn)
	c.here(open)
	c.program(m, o)
	return c.end("end")
}

// sendCode runs in sendmsg(2) of an unconnected UDP socket, which has its
// local port by then: it records each pair of port and peer once.
func sendCode(m maps, o *offsets, six bool) asm.Instructions {
	var c code
	c.add(asm.Mov.Reg(asm.R6, asm.R1))
	c.add(asm.LoadMem(asm.R1, asm.R6, addrProtocol, asm.Word), asm.JNE.Imm(asm.R1, protocolUDP, "end"))
	c.add(asm.LoadMem(asm.R1, asm.R6, addrSocket, asm.DWord), asm.LoadMem(asm.R9, asm.R1, socketSourcePort, asm.Word))
	c.add(asm.JEq.Imm(asm.R9, 0, "end"))
	c.zero(stackKey, keyBytes)
	c.add(asm.StoreImm(asm.RFP, stackKey+keyProtocol, protocolUDP, asm.Byte))
	c.add(asm.StoreMem(asm.RFP, stackKey+keyLocalPort, asm.R9, asm.Half))
	c.target(asm.RFP, stackKey+keyRemote, stackKey+keyRemotePort, six)
	c.add(asm.Mov.Reg(asm.R1, asm.R6), asm.FnGetSocketCookie.Call(), asm.Mov.Reg(asm.R8, asm.R0))
	fresh := c.label()
	c.add(asm.LoadMapPtr(asm.R1, m.udp))
	c.stack(asm.R2, stackKey)
	c.add(asm.FnMapLookupElem.Call(), asm.JEq.Imm(asm.R0, 0, fresh))
	c.add(asm.LoadMem(asm.R1, asm.R0, connCookie, asm.DWord), asm.JEq.Reg(asm.R1, asm.R8, "end"))
	c.here(fresh)
	c.who(o)
	c.add(asm.StoreImm(asm.RFP, stackConn+connProtocol, protocolUDP, asm.Word))
	c.add(asm.StoreMem(asm.RFP, stackConn+connLocalPort, asm.R9, asm.Half))
	c.target(asm.RFP, stackConn+connRemote, stackConn+connRemotePort, six)
	c.putUDP(m, asm.RFP, stackConn)
	c.program(m, o)
	return c.end("end")
}

// opsCode runs when a TCP socket is about to send its SYN: the local port is
// known, so what connectCode kept becomes a connection.
func opsCode(m maps) asm.Instructions {
	var c code
	c.add(asm.Mov.Reg(asm.R6, asm.R1))
	c.add(asm.LoadMem(asm.R1, asm.R6, opsOp, asm.Word), asm.JNE.Imm(asm.R1, opTCPConnect, "end"))
	c.kept(m)
	found := c.label()
	c.add(asm.JNE.Imm(asm.R7, 0, found))
	c.count(m.stats, statUnpaired)
	c.add(asm.Ja.Label("end"))
	c.here(found)
	c.add(asm.LoadMem(asm.R1, asm.R6, opsLocalPort, asm.Word), asm.StoreMem(asm.R7, connLocalPort, asm.R1, asm.Half))
	c.add(asm.LoadMem(asm.R1, asm.R6, opsRemotePort, asm.Word), asm.HostTo(asm.BE, asm.R1, asm.Word), asm.StoreMem(asm.R7, connRemotePort, asm.R1, asm.Half))
	six, done := c.label(), c.label()
	c.add(asm.LoadMem(asm.R1, asm.R6, opsFamily, asm.Word), asm.JNE.Imm(asm.R1, familyIPv4, six))
	c.add(asm.LoadMem(asm.R1, asm.R6, opsRemoteIP4, asm.Word))
	c.mapped(asm.R7, connRemote, asm.R1)
	c.add(asm.LoadMem(asm.R1, asm.R6, opsLocalIP4, asm.Word))
	c.mapped(asm.R7, connLocal, asm.R1)
	c.add(asm.Ja.Label(done))
	c.here(six)
	for i := int16(0); i < 16; i += 4 {
		c.add(asm.LoadMem(asm.R1, asm.R6, opsRemoteIP6+i, asm.Word), asm.StoreMem(asm.R7, connRemote+i, asm.R1, asm.Word))
		c.add(asm.LoadMem(asm.R1, asm.R6, opsLocalIP6+i, asm.Word), asm.StoreMem(asm.R7, connLocal+i, asm.R1, asm.Word))
	}
	c.here(done)
	c.key(asm.R7, 0, protocolTCP)
	c.put(m, m.tcp, stackKey, asm.R7, 0)
	c.count(m.stats, statTCP)
	return c.end("end")
}

// releaseCode runs when a socket is closed: a connected UDP socket has its
// local port at the latest by now.
func releaseCode(m maps, o *offsets) asm.Instructions {
	var c code
	c.add(asm.Mov.Reg(asm.R6, asm.R1))
	c.kept(m)
	c.add(asm.JEq.Imm(asm.R7, 0, "end"))
	c.add(asm.LoadMem(asm.R1, asm.R7, connProtocol, asm.Word), asm.JNE.Imm(asm.R1, protocolUDP, "end"))
	c.read(asm.R9, asm.R6, o.socketPort, asm.Half, stackRead) // the context is the kernel's own socket
	c.add(asm.JEq.Imm(asm.R9, 0, "end"))
	c.add(asm.StoreMem(asm.R7, connLocalPort, asm.R9, asm.Half))
	c.putUDP(m, asm.R7, 0)
	return c.end("end")
}

// nameCode runs in getsockname(2), which most clients of QUIC call: it learns
// the local port of a connected UDP socket while that is open.
func nameCode(m maps) asm.Instructions {
	var c code
	c.add(asm.Mov.Reg(asm.R6, asm.R1))
	c.add(asm.LoadMem(asm.R1, asm.R6, addrProtocol, asm.Word), asm.JNE.Imm(asm.R1, protocolUDP, "end"))
	c.add(asm.LoadMem(asm.R1, asm.R6, addrSocket, asm.DWord), asm.LoadMem(asm.R9, asm.R1, socketSourcePort, asm.Word))
	c.add(asm.JEq.Imm(asm.R9, 0, "end"))
	c.kept(m)
	c.add(asm.JEq.Imm(asm.R7, 0, "end"))
	c.add(asm.StoreMem(asm.R7, connLocalPort, asm.R9, asm.Half))
	c.putUDP(m, asm.R7, 0)
	return c.end("end")
}

// kept finds in R7 what connectCode kept of the socket in R6.
func (c *code) kept(m maps) {
	c.add(asm.Mov.Reg(asm.R1, asm.R6), asm.FnGetSocketCookie.Call(), asm.StoreMem(asm.RFP, stackRead, asm.R0, asm.DWord))
	c.add(asm.LoadMapPtr(asm.R1, m.connecting))
	c.stack(asm.R2, stackRead)
	c.add(asm.FnMapLookupElem.Call(), asm.Mov.Reg(asm.R7, asm.R0))
}

// who fills in the connection on the stack: socket, cgroup, process, user. R7
// is then the task of the process. R6 is the context; R8 and R9 are kept.
func (c *code) who(o *offsets) {
	c.zero(stackConn, connBytes)
	c.add(asm.Mov.Reg(asm.R1, asm.R6), asm.FnGetSocketCookie.Call(), asm.StoreMem(asm.RFP, stackConn+connCookie, asm.R0, asm.DWord))
	c.add(asm.Mov.Reg(asm.R1, asm.R6), asm.FnGetNetnsCookie.Call(), asm.StoreMem(asm.RFP, stackConn+connNetNS, asm.R0, asm.DWord))
	c.add(asm.FnGetCurrentCgroupId.Call(), asm.StoreMem(asm.RFP, stackConn+connCgroup, asm.R0, asm.DWord))
	c.add(asm.FnKtimeGetBootNs.Call(), asm.StoreMem(asm.RFP, stackConn+connAt, asm.R0, asm.DWord))
	c.add(asm.FnGetCurrentPidTgid.Call(), asm.RSh.Imm(asm.R0, 32), asm.StoreMem(asm.RFP, stackConn+connPID, asm.R0, asm.Word))
	c.add(asm.FnGetCurrentUidGid.Call(), asm.StoreMem(asm.RFP, stackConn+connUID, asm.R0, asm.Word))
	if o == nil {
		return
	}
	c.stack(asm.R1, stackConn+connComm)
	c.add(asm.Mov.Imm(asm.R2, commBytes), asm.FnGetCurrentComm.Call()) // with CAP_PERFMON alone in some kernels
	c.add(asm.FnGetCurrentTask.Call(), asm.Mov.Reg(asm.R7, asm.R0))
	c.read(asm.R7, asm.R7, o.leader, asm.DWord, stackRead)
	c.read(asm.R1, asm.R7, o.start, asm.DWord, stackRead)
	c.add(asm.StoreMem(asm.RFP, stackConn+connStart, asm.R1, asm.DWord))
	c.read(asm.R1, asm.R7, o.exec, asm.Word, stackRead)
	c.add(asm.StoreMem(asm.RFP, stackConn+connExec, asm.R1, asm.Word))
}

// target stores where the context in R6 connects or sends to.
func (c *code) target(base asm.Register, address, port int16, six bool) {
	if six {
		for i := int16(0); i < 16; i += 4 {
			c.add(asm.LoadMem(asm.R1, asm.R6, addrUserIP6+i, asm.Word), asm.StoreMem(base, address+i, asm.R1, asm.Word))
		}
	} else {
		c.add(asm.LoadMem(asm.R1, asm.R6, addrUserIP4, asm.Word))
		c.mapped(base, address, asm.R1)
	}
	c.add(asm.LoadMem(asm.R1, asm.R6, addrUserPort, asm.Word), asm.HostTo(asm.BE, asm.R1, asm.Half), asm.StoreMem(base, port, asm.R1, asm.Half))
}

// key writes the key of the connection at base+at to the stack.
func (c *code) key(base asm.Register, at int16, protocol int64) {
	c.zero(stackKey, keyBytes)
	c.add(asm.StoreImm(asm.RFP, stackKey+keyProtocol, protocol, asm.Byte))
	c.add(asm.LoadMem(asm.R1, base, at+connLocalPort, asm.Half), asm.StoreMem(asm.RFP, stackKey+keyLocalPort, asm.R1, asm.Half))
	c.add(asm.LoadMem(asm.R1, base, at+connRemotePort, asm.Half), asm.StoreMem(asm.RFP, stackKey+keyRemotePort, asm.R1, asm.Half))
	for i := int16(0); i < 16; i += 8 {
		c.add(asm.LoadMem(asm.R1, base, at+connRemote+i, asm.DWord), asm.StoreMem(asm.RFP, stackKey+keyRemote+i, asm.R1, asm.DWord))
	}
}

// putUDP records the connection at base+at under its ends.
func (c *code) putUDP(m maps, base asm.Register, at int16) {
	c.key(base, at, protocolUDP)
	c.put(m, m.udp, stackKey, base, at)
	c.count(m.stats, statUDP)
}

// put stores the connection at base+at under the key on the stack.
func (c *code) put(m maps, table int, key int16, base asm.Register, at int16) {
	c.add(asm.LoadMapPtr(asm.R1, table))
	c.stack(asm.R2, key)
	c.add(asm.Mov.Reg(asm.R3, base), asm.Add.Imm(asm.R3, int32(at)), asm.Mov.Imm(asm.R4, 0), asm.FnMapUpdateElem.Call())
	written := c.label()
	c.add(asm.JEq.Imm(asm.R0, 0, written))
	c.count(m.stats, statFailed)
	c.here(written)
}
