package modelformat

import (
	"encoding/binary"
)

// flatTable is a table of a FlatBuffers file
// (https://flatbuffers.dev/internals/), read with every offset checked.
type flatTable struct {
	f      *File
	at     int64
	vtable int64
	size   uint16 // of the vtable in bytes
}

// flatRoot returns the root table of the buffer that starts at offset 0.
func flatRoot(f *File) (flatTable, bool) {
	if len(f.head) < 12 {
		return flatTable{}, false
	}
	return flatAt(f, int64(binary.LittleEndian.Uint32(f.head)))
}

func flatAt(f *File, at int64) (flatTable, bool) {
	t := flatTable{f: f, at: at}
	if at < 4 || at%4 != 0 || at > f.size-4 {
		return t, false
	}
	var b [4]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return t, false
	}
	t.vtable = at - int64(int32(binary.LittleEndian.Uint32(b[:])))
	if t.vtable < 4 || t.vtable%2 != 0 || t.vtable > f.size-4 {
		return t, false
	}
	if _, err := f.ReadAt(b[:], t.vtable); err != nil {
		return t, false
	}
	t.size = binary.LittleEndian.Uint16(b[:])
	object := binary.LittleEndian.Uint16(b[2:])
	ok := t.size >= 4 && t.size%2 == 0 && t.size <= 4096 && object >= 4 &&
		int64(t.size) <= f.size-t.vtable && int64(object) <= f.size-at
	return t, ok
}

// field returns the offset of a field, 0 where the table lacks it.
func (t flatTable) field(i int) int64 {
	at := 4 + 2*i
	if at+2 > int(t.size) {
		return 0
	}
	var b [2]byte
	if _, err := t.f.ReadAt(b[:], t.vtable+int64(at)); err != nil {
		return 0
	}
	if off := binary.LittleEndian.Uint16(b[:]); off != 0 {
		return t.at + int64(off)
	}
	return 0
}

func (t flatTable) u32(i int) (uint32, bool) {
	at := t.field(i)
	var b [4]byte
	if at == 0 || at > t.f.size-4 {
		return 0, false
	}
	if _, err := t.f.ReadAt(b[:], at); err != nil {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b[:]), true
}

// vector returns where the elements of a vector or string start and how many
// there are.
func (t flatTable) vector(i int) (int64, uint32, bool) {
	off, ok := t.u32(i)
	if !ok {
		return 0, 0, false
	}
	at := t.field(i) + int64(off)
	var b [4]byte
	if at > t.f.size-4 {
		return 0, 0, false
	}
	if _, err := t.f.ReadAt(b[:], at); err != nil {
		return 0, 0, false
	}
	n := binary.LittleEndian.Uint32(b[:])
	return at + 4, n, int64(n) <= t.f.size-at-4
}

func (t flatTable) string(i int) string {
	at, n, ok := t.vector(i)
	if !ok {
		return ""
	}
	b := make([]byte, min(n, maxFact))
	if _, err := t.f.ReadAt(b, at); err != nil {
		return ""
	}
	return string(b)
}
