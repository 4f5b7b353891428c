package http

import "bytes"

const maxChunkLine = 1024

// ChunkStatus says what a chunk header is.
type ChunkStatus uint8

// The states of reading a chunked body (RFC 9112, section 7.1).
const (
	ChunkNeedMore ChunkStatus = iota
	ChunkData                 // Size bytes and a line end follow
	ChunkLast                 // the trailer section follows
	ChunkBad
)

// Chunk reads the chunk header at the start of b. header is its length with
// the line end; size is that of the data, without the line end behind it.
func Chunk(b []byte) (status ChunkStatus, header int, size uint64) {
	end := bytes.IndexByte(b[:min(len(b), maxChunkLine)], '\n')
	if end < 0 {
		if len(b) >= maxChunkLine {
			return ChunkBad, 0, 0
		}
		return ChunkNeedMore, 0, 0
	}
	digits := 0
	for _, c := range b[:end] {
		v, ok := hex(c)
		if !ok {
			break
		}
		if digits++; digits > 15 {
			return ChunkBad, 0, 0
		}
		size = size<<4 | uint64(v)
	}
	switch {
	case digits == 0:
		return ChunkBad, 0, 0
	case size == 0:
		return ChunkLast, end + 1, 0
	}
	return ChunkData, end + 1, size
}

func hex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// TrailerEnd returns the length of the trailer section at the start of b with
// the empty line that ends it, or 0 where it does not end in b.
func TrailerEnd(b []byte) int {
	switch {
	case len(b) >= 1 && b[0] == '\n':
		return 1
	case len(b) >= 2 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return HeaderEnd(b, 0)
}
