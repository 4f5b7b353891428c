package modelformat

import (
	"encoding/binary"
	"slices"
	"strings"
)

// Walking a pickle: opcode by opcode, never executed. The opcodes and their
// arguments are those of Python's Lib/pickletools.py, protocols 0 to 5.

const (
	pickleMaxOps     = 4 << 20
	pickleMaxImports = 64
	pickleMaxMemo    = 4096
	pickleMaxLine    = 64 << 10
)

// pickleWalk is what one walk, over one or more pickles in a row, found.
type pickleWalk struct {
	c          *cursor
	imports    []string // "module.name", in order of appearance, without repeats
	more       bool     // there were more imports than pickleMaxImports
	unresolved bool     // an import whose name the walk cannot know
	calls      bool     // an opcode that calls what was imported
	protocol   int
	ops        int
	persistent uint64 // references to storage outside the pickle
	stack      [2]string
	memo       map[uint64]string
	last       string
	next       uint64
	line       []byte
}

func newPickleWalk(c *cursor) *pickleWalk { return &pickleWalk{c: c, protocol: -1} }

// push notes a string that may become part of an import.
func (p *pickleWalk) push(s string) {
	p.stack[0], p.stack[1] = p.stack[1], s
	p.last = s
}

func (p *pickleWalk) remember(i uint64) {
	if p.last == "" || len(p.memo) >= pickleMaxMemo {
		return
	}
	if p.memo == nil {
		p.memo = make(map[uint64]string)
	}
	p.memo[i] = p.last
}

func (p *pickleWalk) recall(i uint64) { p.push(p.memo[i]) }

func (p *pickleWalk) imported(module, name string) {
	if module == "" || name == "" {
		p.unresolved = true
		return
	}
	s := module + "." + name
	if slices.Contains(p.imports, s) {
		return
	}
	if len(p.imports) >= pickleMaxImports {
		p.more = true
		return
	}
	p.imports = append(p.imports, s)
}

// run walks one pickle up to its STOP. It returns false where the bytes are
// not a pickle or end early.
func (p *pickleWalk) run() bool {
	p.memo, p.next, p.last = nil, 0, ""
	for {
		if p.ops++; p.ops > pickleMaxOps {
			return false
		}
		op := p.c.byte()
		if p.c.err != nil {
			return false
		}
		if op == '.' {
			return true
		}
		if !p.step(op) || p.c.err != nil {
			return false
		}
	}
}

// step takes one opcode's argument and effect.
func (p *pickleWalk) step(op byte) bool {
	c, le := p.c, binary.LittleEndian
	switch op {
	case '(', ')', ']', '}', '0', '1', '2', 'N', 'a', 'd', 'e', 'l', 's', 't', 'u',
		0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x90, 0x91, 0x97, 0x98:
		p.last = ""
	case 'R', 'b', 'o', 0x81, 0x92: // REDUCE BUILD OBJ NEWOBJ NEWOBJ_EX
		p.calls, p.last = true, ""
	case 'Q': // BINPERSID
		p.persistent++
		p.last = ""
	case 'P':
		p.persistent++
		p.text()
	case 0x80:
		v := c.byte()
		if v > 5 {
			return false
		}
		p.protocol = max(p.protocol, int(v))
	case 0x95: // FRAME
		c.skip(8)
	case 'K':
		c.skip(1)
	case 'M':
		c.skip(2)
	case 'J':
		c.skip(4)
	case 'G':
		c.skip(8)
	case 0x8a:
		c.skip(uint64(c.byte()))
	case 0x8b:
		n := int32(c.u32(le))
		if n < 0 {
			return false
		}
		c.skip(uint64(n))
	default:
		return p.stringOp(op)
	}
	return true
}

// stringOp takes the opcodes whose argument is bytes or text behind its
// length, and those that keep, fetch and use names.
func (p *pickleWalk) stringOp(op byte) bool {
	c, le := p.c, binary.LittleEndian
	switch op {
	case 'C', 'U':
		p.string(uint64(c.byte()), op == 'U')
	case 'B', 'T':
		p.string(uint64(c.u32(le)), op == 'T')
	case 0x8e, 0x96:
		p.string(c.u64(le), false)
	case 0x8c:
		p.string(uint64(c.byte()), true)
	case 'X':
		p.string(uint64(c.u32(le)), true)
	case 0x8d:
		p.string(c.u64(le), true)
	case 'h':
		p.recall(uint64(c.byte()))
	case 'j':
		p.recall(uint64(c.u32(le)))
	case 'q':
		p.remember(uint64(c.byte()))
	case 'r':
		p.remember(uint64(c.u32(le)))
	case 0x94: // MEMOIZE
		p.remember(p.next)
		p.next++
		return true
	case 0x93: // STACK_GLOBAL
		p.imported(p.stack[0], p.stack[1])
		p.last = ""
	case 0x82, 0x83, 0x84: // EXT1 EXT2 EXT4: a name from a registry
		c.skip(1 << (op - 0x82))
		p.unresolved = true
	default:
		return p.textOp(op)
	}
	return true
}

// textOp takes the opcodes of protocol 0, whose argument is a line.
func (p *pickleWalk) textOp(op byte) bool {
	switch op {
	case 'I', 'L', 'F':
		s := p.text()
		if s == "" || strings.Trim(s, "0123456789+-.eEL infa") != "" {
			return false
		}
	case 'S', 'V':
		s := strings.Trim(p.text(), `'"`)
		p.push(s)
	case 'g':
		p.recall(lineNumber(p.text()))
	case 'p':
		s := p.text()
		if s == "" || strings.Trim(s, "0123456789") != "" {
			return false
		}
		p.remember(lineNumber(s))
	case 'c', 'i':
		module, name := p.text(), p.text()
		if !identifier(module) || !identifier(name) {
			return false
		}
		p.imported(module, name)
		p.calls = p.calls || op == 'i'
		p.last = ""
	default:
		return false
	}
	return true
}

func (p *pickleWalk) text() string {
	p.line = p.c.line(pickleMaxLine, p.line)
	return string(p.line[:min(len(p.line), maxFact)])
}

func (p *pickleWalk) string(n uint64, isText bool) {
	if !isText || n > maxFact {
		p.c.skip(n)
		p.push("")
		return
	}
	p.push(p.c.text(n, maxFact))
}

func lineNumber(s string) uint64 {
	var n uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i > 9 {
			return 1 << 63
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n
}

// identifier says whether s can be a dotted Python name.
func identifier(s string) bool {
	for i := range len(s) {
		b := s[i]
		if !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '.' || b == '<' || b == '>' || b >= 0x80) {
			return false
		}
	}
	return s != ""
}

// facts writes what the walk found into res: the modules named, and the
// imports outside the allow-list where something is called.
func (p *pickleWalk) facts(res *Result) {
	var modules, risk []string
	for _, s := range p.imports {
		module, _, _ := strings.Cut(s, ".")
		if !slices.Contains(modules, module) {
			modules = append(modules, module)
		}
		if !safeImport(s) {
			risk = append(risk, s)
		}
	}
	slices.Sort(modules)
	res.set(FactImports, strings.Join(modules, ","))
	if p.calls {
		res.set(FactRiskImports, strings.Join(risk, ","))
	}
	if p.unresolved {
		res.set(FactUnresolved, "yes")
	}
	if p.more {
		res.set(FactHeader, "partial")
	}
}
