package sockettrace

import "github.com/cilium/ebpf/asm"

// program records what the process in R7 is, once for each process and
// execve(2): its file, the first two elements of its command line, its parents,
// its cgroup. The connection on the stack must be filled in. It uses all
// registers.
//
// The value is written in place and marked ready at the end. Threads of one
// process may write at the same time: they write the same.
func (c *code) program(m maps, o *offsets) {
	if o == nil {
		return
	}
	// A kernel thread connects for itself: nobody's program.
	c.read(asm.R8, asm.R7, o.mm, asm.DWord, stackRead)
	c.add(asm.JEq.Imm(asm.R8, 0, "end"))
	c.add(asm.LoadMem(asm.R1, asm.RFP, stackConn+connStart, asm.DWord), asm.StoreMem(asm.RFP, stackProgram+programKeyStart, asm.R1, asm.DWord))
	c.add(asm.LoadMem(asm.R1, asm.RFP, stackConn+connPID, asm.Word), asm.StoreMem(asm.RFP, stackProgram+programKeyPID, asm.R1, asm.Word))
	c.add(asm.LoadMem(asm.R1, asm.RFP, stackConn+connExec, asm.Word), asm.StoreMem(asm.RFP, stackProgram+programKeyExec, asm.R1, asm.Word))
	fresh, write, failed := c.label(), c.label(), c.label()
	c.findProgram(m)
	c.add(asm.JEq.Imm(asm.R0, 0, fresh))
	c.add(asm.LoadMem(asm.R1, asm.R0, programReady, asm.Word), asm.JEq.Imm(asm.R1, 1, "end"))
	c.add(asm.Mov.Reg(asm.R6, asm.R0), asm.Ja.Label(write))
	c.here(fresh)
	c.zero(stackRead, 8)
	c.add(asm.LoadMapPtr(asm.R1, m.empty))
	c.stack(asm.R2, stackRead)
	c.add(asm.FnMapLookupElem.Call(), asm.JEq.Imm(asm.R0, 0, "end"))
	c.add(asm.Mov.Reg(asm.R3, asm.R0), asm.LoadMapPtr(asm.R1, m.programs))
	c.stack(asm.R2, stackProgram)
	c.add(asm.Mov.Imm(asm.R4, 0), asm.FnMapUpdateElem.Call())
	c.findProgram(m)
	c.add(asm.JEq.Imm(asm.R0, 0, failed))
	c.add(asm.Mov.Reg(asm.R6, asm.R0))
	c.here(write)
	c.arguments(o)
	c.parents(o)
	c.cgroups(o)
	c.file(o)
	c.add(asm.StoreImm(asm.R6, programReady, 1, asm.Word))
	c.count(m.stats, statPrograms)
	c.add(asm.Ja.Label("end"))
	c.here(failed)
	c.count(m.stats, statProgramsFailed)
}

func (c *code) findProgram(m maps) {
	c.add(asm.LoadMapPtr(asm.R1, m.programs))
	c.stack(asm.R2, stackProgram)
	c.add(asm.FnMapLookupElem.Call())
}

// arguments copies the first two elements of the command line of the memory in
// R8, and no more.
func (c *code) arguments(o *offsets) {
	done := c.label()
	c.read(asm.R9, asm.R8, o.argStart, asm.DWord, stackRead)
	c.add(asm.JEq.Imm(asm.R9, 0, done))
	c.userText(programArgument0, argument0Room)
	c.add(asm.JSLE.Imm(asm.R0, 0, done), asm.JSGE.Imm(asm.R0, argument0Room, done)) // cut: where the next begins is not known
	c.add(asm.Add.Reg(asm.R9, asm.R0))
	// The end of the command line would be the environment.
	c.read(asm.R1, asm.R8, o.argStart+8, asm.DWord, stackRead) // arg_end follows arg_start
	c.add(asm.JGE.Reg(asm.R9, asm.R1, done))
	c.userText(programArgument1, argument1Room)
	c.here(done)
}

// userText copies a text of the process at R9 into the program in R6.
func (c *code) userText(at, room int32) {
	c.add(asm.Mov.Reg(asm.R1, asm.R6), asm.Add.Imm(asm.R1, at), asm.Mov.Imm(asm.R2, room), asm.Mov.Reg(asm.R3, asm.R9), asm.FnProbeReadUserStr.Call())
}

// parents copies the names of the parents of the process in R7.
func (c *code) parents(o *offsets) {
	done := c.label()
	c.add(asm.Mov.Reg(asm.R9, asm.R7))
	for i := int32(0); i < maxParents; i++ {
		c.read(asm.R9, asm.R9, o.parent, asm.DWord, stackRead)
		c.read(asm.R9, asm.R9, o.leader, asm.DWord, stackRead)
		c.add(asm.JEq.Imm(asm.R9, 0, done))
		c.read(asm.R1, asm.R9, o.tgid, asm.Word, stackRead)
		if i == 0 {
			c.add(asm.StoreMem(asm.R6, programParent, asm.R1, asm.Word))
		}
		c.add(asm.JLE.Imm(asm.R1, 1, done)) // the first process is everybody's
		c.add(asm.Mov.Reg(asm.R1, asm.R6), asm.Add.Imm(asm.R1, programParents+i*commBytes), asm.Mov.Imm(asm.R2, commBytes),
			asm.Mov.Reg(asm.R3, asm.R9), asm.Add.Imm(asm.R3, o.comm), asm.FnProbeReadKernelStr.Call())
	}
	c.here(done)
}

// cgroups copies the last names of the cgroup of the process in R7, which is
// not needed after it.
func (c *code) cgroups(o *offsets) {
	done := c.label()
	c.read(asm.R7, asm.R7, o.cgroups, asm.DWord, stackRead)
	c.read(asm.R7, asm.R7, o.cgroup, asm.DWord, stackRead)
	c.read(asm.R7, asm.R7, o.node, asm.DWord, stackRead)
	c.add(asm.Mov.Imm(asm.R9, 0))
	for range maxCgroups {
		c.add(asm.JEq.Imm(asm.R7, 0, done))
		c.read(asm.R3, asm.R7, o.nodeName, asm.DWord, stackRead)
		c.name(programCgroup, cgroupRoom, cgroupElementRoom, done)
		c.read(asm.R7, asm.R7, o.nodeParent, asm.DWord, stackRead)
	}
	c.here(done)
	c.add(asm.StoreMem(asm.R6, programCgroupBytes, asm.R9, asm.Word))
}

// name appends the kernel's text at R3 to the names at the given place of the
// program in R6; R9 is what they take so far.
func (c *code) name(at, room, element int32, full string) {
	c.add(asm.JGE.Imm(asm.R9, room, full))
	c.add(asm.Mov.Reg(asm.R1, asm.R6), asm.Add.Imm(asm.R1, at), asm.Add.Reg(asm.R1, asm.R9), asm.Mov.Imm(asm.R2, element), asm.FnProbeReadKernelStr.Call())
	c.add(asm.JSLE.Imm(asm.R0, 0, full), asm.JSGT.Imm(asm.R0, element, full), asm.Add.Reg(asm.R9, asm.R0))
}

// file walks from the file that the memory in R8 runs up to the root, over
// mounts, and copies the names on the way.
func (c *code) file(o *offsets) {
	done, full := c.label(), c.label()
	c.read(asm.R8, asm.R8, o.exeFile, asm.DWord, stackRead)
	c.add(asm.JEq.Imm(asm.R8, 0, full))
	c.read(asm.R7, asm.R8, o.fileDentry, asm.DWord, stackRead)
	c.read(asm.R8, asm.R8, o.fileMount, asm.DWord, stackRead)
	c.add(asm.Mov.Imm(asm.R9, 0))
	for range maxElements {
		inside, next := c.label(), c.label()
		c.read(asm.R1, asm.R8, o.mountRoot, asm.DWord, stackRead)
		c.add(asm.JNE.Reg(asm.R1, asm.R7, inside))
		c.add(asm.Sub.Imm(asm.R8, o.mount))
		c.read(asm.R7, asm.R8, o.mountPoint, asm.DWord, stackRead)
		c.read(asm.R1, asm.R8, o.mountParent, asm.DWord, stackRead)
		c.add(asm.JEq.Reg(asm.R1, asm.R8, done))
		c.add(asm.Mov.Reg(asm.R8, asm.R1), asm.Add.Imm(asm.R8, o.mount), asm.Ja.Label(next))
		c.here(inside)
		c.read(asm.R1, asm.R7, o.dentryParent, asm.DWord, stackRead)
		c.add(asm.JEq.Reg(asm.R1, asm.R7, done), asm.JEq.Imm(asm.R1, 0, full))
		c.read(asm.R3, asm.R7, o.dentryName, asm.DWord, stackRead)
		c.name(programExe, exeRoom, elementRoom, full)
		c.read(asm.R7, asm.R7, o.dentryParent, asm.DWord, stackRead)
		c.here(next)
	}
	c.add(asm.Ja.Label(full))
	c.here(done)
	c.add(asm.StoreImm(asm.R6, programExeDone, 1, asm.Word), asm.StoreMem(asm.R6, programExeBytes, asm.R9, asm.Word))
	c.here(full)
}
