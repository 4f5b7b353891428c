package modelformat

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

const (
	omHeader        = 256
	omMaxPartitions = 64
)

// detectAscendOM recognises offline models of Huawei's Ascend: the letters IMOD,
// the length of the header, its version, a name at 84, and behind the header a
// table of partitions that lie one after another in the rest of the file.
// Source: https://github.com/lutzroeder/netron/blob/main/source/om.js.
func detectAscendOM(f *File) (Result, bool) {
	if !f.hasPrefix(0, "IMOD") || len(f.head) < omHeader+16 {
		return Result{}, false
	}
	le := binary.LittleEndian
	if le.Uint32(f.head[4:]) != omHeader {
		return Result{}, false
	}
	n := le.Uint32(f.head[omHeader:])
	table := omHeader + 4
	if n == 0 || n > omMaxPartitions || len(f.head) < table+12*int(n) {
		return Result{}, false
	}
	room := f.size - int64(table) - 12*int64(n)
	res := Result{Format: "ascend-om", Confidence: Certain}
	for i := range int(n) {
		entry := f.head[table+12*i:]
		if int64(le.Uint32(entry[4:]))+int64(le.Uint32(entry[8:])) > room {
			res.damaged("a partition lies outside the file")
			break
		}
	}
	name, _, _ := bytes.Cut(f.head[84:116], []byte{0})
	res.set(FactName, string(name))
	res.set(FactFormatVersion, strconv.FormatUint(uint64(le.Uint32(f.head[8:])), 10))
	res.set(FactTargetPlatform, "ascend")
	return res, true
}
