package modelformat

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

const tfTableMagic = "\x57\xfb\x80\x8b\x24\x75\x47\xdb"

// detectTFCheckpoint recognises the table files of checkpoints. The footer is
// LevelDB's, so the first entry decides: its key is empty and its value is a
// BundleHeaderProto (version 2) or SavedTensorSlices (version 1). LevelDB's
// own keys are never empty. Source: tensorflow/core/util/tensor_bundle,
// tensorflow/core/protobuf/tensor_bundle.proto, saved_tensor_slice.proto.
//
// The first block may be packed with Snappy; its first literal then starts the
// same way.
func detectTFCheckpoint(f *File) (Result, bool) {
	if f.size < 64 {
		return Result{}, false
	}
	start, packed := 0, false
	if !f.hasPrefix(0, "\x00\x00") {
		start, packed = snappyLiteral(f.head), true
		if start == 0 || !f.hasPrefix(start, "\x00\x00") {
			return Result{}, false
		}
	}
	c := f.cursor(int64(start)+2, f.size)
	n := c.uvarint()
	if c.err != nil || n == 0 || n > 1<<20 || n > uint64(c.rest()) {
		return Result{}, false
	}
	at := c.offset()
	first := c.byte()
	var foot [8]byte
	if first != 0x08 && first != 0x0a && first != 0x1a {
		return Result{}, false
	}
	if _, err := f.ReadAt(foot[:], f.size-8); err != nil || string(foot[:]) != tfTableMagic {
		return Result{}, false
	}
	if first == 0x0a {
		res := Result{Format: "tf-checkpoint-v1", Confidence: Certain}
		res.set(FactFramework, "tensorflow")
		return res, true
	}
	return bundleIndex(f, at, n, packed)
}

// snappyLiteral returns where the first literal of a Snappy block starts
// (format_description.txt of google/snappy), 0 where it starts otherwise.
func snappyLiteral(b []byte) int {
	_, n := binary.Uvarint(b[:min(len(b), 5)])
	if n <= 0 || len(b) < n+4 || b[n]&3 != 0 {
		return 0
	}
	switch size := b[n] >> 2; size {
	case 60:
		return n + 2
	case 61:
		return n + 3
	default:
		if size > 61 || size < 3 {
			return 0
		}
		return n + 1
	}
}

// bundleIndex reads the header of a version 2 index: num_shards 1, endianness
// 2, version 3. It names the data files.
func bundleIndex(f *File, at int64, n uint64, packed bool) (Result, bool) {
	c := f.cursor(at, at+int64(n))
	shards := uint64(1)
	ok := walkProto(c, n, func(p protoField) bool {
		switch {
		case p.number == 1 && p.wire == wireVarint:
			shards = p.value
		case p.number == 2 && p.wire == wireVarint, p.number == 3 && p.wire == wireBytes:
		default:
			return false
		}
		return true
	})
	if !ok || shards == 0 || shards > 99999 {
		return Result{}, false
	}
	res := Result{Format: "tf-checkpoint-index", Confidence: Certain}
	res.set(FactFramework, "tensorflow")
	if shards > 1 {
		res.set(FactShards, strconv.FormatUint(shards, 10))
	}
	if n := bundleTensors(f); n > 0 && !packed {
		res.set(FactTensors, strconv.Itoa(n))
	}
	if base, ok := f.stem(".index"); ok {
		for i := range min(shards, 1024) {
			if part, ok := relativePart(fmt.Sprintf("%s.data-%05d-of-%05d", base, i, shards)); ok {
				res.Parts = append(res.Parts, Part{Path: part, Format: "tf-checkpoint-data"})
			}
		}
	}
	return res, true
}

// bundleTensors counts the entries of an index of a single block, which is how
// all but very large ones are written; 0 where it is none.
func bundleTensors(f *File) int {
	var foot [48]byte
	if _, err := f.ReadAt(foot[:], f.size-48); err != nil {
		return 0
	}
	// The metaindex block follows the data block in such a file.
	end, n := binary.Uvarint(foot[:])
	if n <= 0 || end < 13 || end > uint64(f.size) {
		return 0
	}
	c := f.cursor(0, int64(end))
	count := -1 // the header is an entry
	for c.rest() > 13 && c.err == nil {
		c.uvarint()
		key, value := c.uvarint(), c.uvarint()
		if c.err != nil || key > 4096 || value > 1<<20 || count >= 0 && key == 0 {
			break
		}
		c.skip(key)
		c.skip(value)
		count++
	}
	return max(count, 0)
}
