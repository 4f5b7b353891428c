package sockettrace

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/asm"
)

// isOneOf reports whether name is one of names, which "|" separates.
func isOneOf(names, name string) bool {
	for candidate := range strings.SplitSeq(names, "|") {
		if candidate == name {
			return true
		}
	}
	return false
}

// code collects the instructions of one program. Registers: R6 to R9 survive
// calls, R0 to R5 do not.
type code struct {
	list   asm.Instructions
	labels int
	next   string // label of the next instruction
}

func (c *code) add(list ...asm.Instruction) {
	for _, ins := range list {
		if c.next != "" {
			ins = ins.WithSymbol(c.next)
			c.next = ""
		}
		c.list = append(c.list, ins)
	}
}

// label returns a name for a place to jump to.
func (c *code) label() string {
	c.labels++
	return fmt.Sprintf("l%d", c.labels)
}

// here makes the next instruction the place called label.
func (c *code) here(label string) {
	if c.next != "" {
		c.add(asm.Mov.Reg(asm.R0, asm.R0)) // two names for one place
	}
	c.next = label
}

// zero clears size bytes of the stack from at, a multiple of 8.
func (c *code) zero(at, size int16) {
	c.add(asm.Mov.Imm(asm.R1, 0))
	for ; size > 0; at, size = at+8, size-8 {
		c.add(asm.StoreMem(asm.RFP, at, asm.R1, asm.DWord))
	}
}

// stack puts the address of a place on the stack into register.
func (c *code) stack(register asm.Register, at int16) {
	c.add(asm.Mov.Reg(register, asm.RFP), asm.Add.Imm(register, int32(at)))
}

// read copies size bytes of the kernel's memory at base+offset to the stack
// and loads them into register. What cannot be read is zero.
func (c *code) read(register, base asm.Register, offset int32, size asm.Size, at int16) {
	c.add(asm.Mov.Reg(asm.R3, base), asm.Add.Imm(asm.R3, offset))
	c.add(asm.Mov.Imm(asm.R2, int32(size.Sizeof())))
	c.stack(asm.R1, at)
	c.add(asm.FnProbeReadKernel.Call(), asm.LoadMem(register, asm.RFP, at, size))
}

// count adds 1 to a total.
func (c *code) count(stats, which int) {
	done := c.label()
	c.add(asm.StoreImm(asm.RFP, -4, int64(which), asm.Word), asm.LoadMapPtr(asm.R1, stats))
	c.stack(asm.R2, -4)
	c.add(asm.FnMapLookupElem.Call(), asm.JEq.Imm(asm.R0, 0, done))
	c.add(asm.Mov.Imm(asm.R1, 1), asm.StoreXAdd(asm.R0, asm.R1, asm.DWord))
	c.here(done)
}

// mapped stores the IPv4 address in register, in network order, as v4-mapped
// IPv6 at base+at (RFC 4291, section 2.5.5.2).
func (c *code) mapped(base asm.Register, at int16, register asm.Register) {
	prefix := int32(binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff}))
	c.add(
		asm.StoreImm(base, at, 0, asm.Word), asm.StoreImm(base, at+4, 0, asm.Word),
		asm.StoreImm(base, at+8, int64(prefix), asm.Word), asm.StoreMem(base, at+12, register, asm.Word),
	)
}

// end returns 1: the system call goes on.
func (c *code) end(label string) asm.Instructions {
	if label != "" {
		c.here(label)
	}
	c.add(asm.Mov.Imm(asm.R0, 1), asm.Return())
	return c.list
}
