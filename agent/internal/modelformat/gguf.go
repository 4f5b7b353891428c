package modelformat

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// GGUF, versions 1 to 3 and big-endian version 3.
// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; numbers of
// file types: enum llama_ftype in llama.cpp, include/llama.h; of tensor types:
// enum ggml_type in ggml, include/ggml.h.

const (
	ggufMaxKeys    = 1 << 16
	ggufMaxTensors = 1 << 20
	ggufMaxDepth   = 4 // arrays inside arrays
)

type ggufReader struct {
	c       *cursor
	order   binary.ByteOrder
	version uint32
	res     *Result
	basic   ggufNames
}

// ggufNames are facts that only matter where a better one is missing.
type ggufNames struct{ basename, author, licenseName, fileType string }

func detectGGUF(f *File) (Result, bool) {
	if !f.hasPrefix(0, "GGUF") || len(f.head) < 16 {
		return Result{}, false
	}
	g := ggufReader{order: binary.LittleEndian, version: binary.LittleEndian.Uint32(f.head[4:])}
	if swapped := binary.BigEndian.Uint32(f.head[4:]); g.version > 0xffff && swapped < 64 {
		g.order, g.version = binary.BigEndian, swapped
	}
	if g.version == 0 || g.version > 64 {
		return Result{}, false // a text that starts with the word
	}
	res := Result{Format: "gguf", Confidence: Certain}
	g.res = &res
	res.set(FactFormatVersion, strconv.FormatUint(uint64(g.version), 10))
	if g.order == binary.BigEndian {
		res.set(FactByteOrder, "big")
	}
	if g.version > 3 {
		res.damaged(fmt.Sprintf("gguf version %d is not known", g.version))
		return res, true
	}
	g.c = f.cursor(8, f.size)
	if err := g.read(); err != nil {
		if f.cut {
			return res, true // the header is longer than the budget
		}
		res.damaged("header: " + err.Error())
	}
	return res, true
}

// length reads a count: 4 bytes in version 1, 8 bytes later.
func (g *ggufReader) length() uint64 {
	if g.version == 1 {
		return uint64(g.c.u32(g.order))
	}
	return g.c.u64(g.order)
}

func (g *ggufReader) read() error {
	tensors, keys := g.length(), g.length()
	if g.c.err != nil {
		return g.c.err
	}
	// A key takes at least 8 bytes, a tensor at least 24.
	left := uint64(g.c.rest())
	if keys > ggufMaxKeys || keys > left/8 {
		return fmt.Errorf("%d keys cannot be in it", keys)
	}
	if tensors > ggufMaxTensors || tensors > left/24 {
		return fmt.Errorf("%d tensors cannot be in it", tensors)
	}
	g.res.set(FactTensors, strconv.FormatUint(tensors, 10))
	for i := range keys {
		if err := g.pair(); err != nil {
			g.names()
			return fmt.Errorf("key %d of %d: %w", i+1, keys, err)
		}
	}
	g.names()
	return g.tensors(tensors)
}

// pair reads one key and its value.
func (g *ggufReader) pair() error {
	n := g.length()
	if n == 0 || n > 65535 { // the specification's limit
		g.c.fail(fmt.Errorf("key of %d bytes", n))
		return g.c.err
	}
	key := g.c.text(n, maxFact)
	kind := g.c.u32(g.order)
	if g.c.err != nil {
		return g.c.err
	}
	if !plainKey(key) {
		return fmt.Errorf("key is not a name")
	}
	value, err := g.value(kind, 0)
	if err != nil {
		return err
	}
	g.note(key, value)
	return nil
}

// value reads a value and returns scalars and strings as text.
func (g *ggufReader) value(kind uint32, depth int) (string, error) {
	c := g.c
	switch kind {
	case 0: // u8
		return strconv.Itoa(int(c.byte())), c.err
	case 1:
		return strconv.Itoa(int(int8(c.byte()))), c.err
	case 2:
		return strconv.Itoa(int(c.u16(g.order))), c.err
	case 3:
		return strconv.Itoa(int(int16(c.u16(g.order)))), c.err
	case 4:
		return strconv.FormatUint(uint64(c.u32(g.order)), 10), c.err
	case 5:
		return strconv.Itoa(int(int32(c.u32(g.order)))), c.err
	case 6:
		return strconv.FormatFloat(float64(math.Float32frombits(c.u32(g.order))), 'g', -1, 32), c.err
	case 7:
		b := c.byte()
		if b > 1 {
			return "", fmt.Errorf("bool of value %d", b)
		}
		return strconv.FormatBool(b == 1), c.err
	case 8:
		return c.text(g.length(), maxFact), c.err
	case 9:
		return "", g.array(depth)
	case 10:
		return strconv.FormatUint(c.u64(g.order), 10), c.err
	case 11:
		return strconv.FormatInt(int64(c.u64(g.order)), 10), c.err
	case 12:
		return strconv.FormatFloat(math.Float64frombits(c.u64(g.order)), 'g', -1, 64), c.err
	}
	return "", fmt.Errorf("value type %d is not known", kind)
}

// array passes over an array.
func (g *ggufReader) array(depth int) error {
	if depth >= ggufMaxDepth {
		return fmt.Errorf("arrays nested deeper than %d", ggufMaxDepth)
	}
	kind, n := g.c.u32(g.order), g.length()
	if g.c.err != nil {
		return g.c.err
	}
	if n > uint64(g.c.rest()) {
		return fmt.Errorf("array of %d values cannot be in it", n)
	}
	if kind < uint32(len(ggufWidth)) && ggufWidth[kind] > 0 {
		g.c.skip(mul(n, uint64(ggufWidth[kind])))
		return g.c.err
	}
	if kind != 8 && kind != 9 {
		return fmt.Errorf("array type %d is not known", kind)
	}
	for ; n > 0 && g.c.err == nil; n-- {
		if kind == 8 {
			g.c.skip(g.length())
		} else if err := g.array(depth + 1); err != nil {
			return err
		}
	}
	return g.c.err
}

// ggufWidth is the width in bytes of a value type, 0 where it varies.
var ggufWidth = [13]uint8{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

// note records what a key says.
func (g *ggufReader) note(key, value string) {
	switch key {
	case "general.architecture":
		g.res.set(FactArchitecture, value)
	case "general.name":
		g.res.set(FactName, value)
	case "general.version":
		g.res.set(FactVersion, value)
	case "general.organization":
		g.res.set(FactOrganization, value)
	case "general.author":
		g.basic.author = value
	case "general.basename":
		g.basic.basename = value
	case "general.size_label":
		g.res.set(FactSizeLabel, value)
	case "general.license":
		g.res.set(FactLicense, value)
	case "general.license.name":
		g.basic.licenseName = value
	case "general.file_type":
		g.basic.fileType = value
	case "general.base_model.0.name":
		g.res.set(FactBaseModel, value)
	case "tokenizer.chat_template":
		g.res.set(FactChatTemplate, "yes")
	case "split.count":
		if value != "0" && value != "1" {
			g.res.set(FactShards, value)
		}
	}
}

// names fills the gaps that weaker keys can fill.
func (g *ggufReader) names() {
	if g.res.Facts[FactName] == "" {
		g.res.set(FactName, g.basic.basename)
	}
	if g.res.Facts[FactOrganization] == "" {
		g.res.set(FactOrganization, g.basic.author)
	}
	if l := g.res.Facts[FactLicense]; l == "" || l == "other" {
		g.res.set(FactLicense, g.basic.licenseName)
	}
	if n, err := strconv.ParseUint(g.basic.fileType, 10, 32); err == nil {
		g.res.set(FactQuantization, ggufFileType(uint32(n)))
	}
}

// tensors sums up the tensor table.
func (g *ggufReader) tensors(count uint64) error {
	var parameters uint64
	var byType [64]uint64
	for i := range count {
		g.c.skip(g.length())
		dims := g.c.u32(g.order)
		if g.c.err == nil && dims > 8 {
			return fmt.Errorf("tensor %d of %d has %d dimensions", i+1, count, dims)
		}
		n := uint64(1)
		for ; dims > 0 && g.c.err == nil; dims-- {
			n = mul(n, g.length())
		}
		kind := g.c.u32(g.order)
		g.c.skip(8)
		if g.c.err != nil {
			return fmt.Errorf("tensor %d of %d: %w", i+1, count, g.c.err)
		}
		parameters = add(parameters, n)
		if kind < uint32(len(byType)) {
			byType[kind] = add(byType[kind], n)
		}
	}
	if count == 0 || parameters == math.MaxUint64 {
		return nil
	}
	g.res.set(FactParameters, strconv.FormatUint(parameters, 10))
	most := 0
	for i, n := range byType {
		if n > byType[most] {
			most = i
		}
	}
	if g.res.Facts[FactQuantization] == "" && byType[most] > 0 {
		g.res.set(FactQuantization, ggmlType(most))
	}
	return nil
}

// plainKey says whether a metadata key is made of printable ASCII.
func plainKey(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}
