package inspect

import (
	"bytes"
	"encoding/binary"
)

// parseProcArgs decodes the answer of the kern.procargs2 sysctl of macOS
// (bsd/kern/kern_sysctl.c of XNU): a 32-bit argument count, the path of the
// program, padding zeros, the arguments, the environment. Decoding stops after
// the last argument: the environment that follows is never looked at.
func parseProcArgs(data []byte, maxArgs, maxBytes int) (executable string, arguments []string, cut, ok bool) {
	if len(data) < 4 {
		return "", nil, false, false
	}
	count := binary.NativeEndian.Uint32(data)
	data = data[4:]
	end := bytes.IndexByte(data, 0)
	if end <= 0 {
		return "", nil, false, false
	}
	executable = string(data[:end])
	data = bytes.TrimLeft(data[end:], "\x00")
	used := 0
	for range count {
		end := bytes.IndexByte(data, 0)
		if end < 0 {
			return executable, arguments, true, true
		}
		if len(arguments) == maxArgs || used+end > maxBytes {
			return executable, arguments, true, true
		}
		used += end + 1
		arguments = append(arguments, string(data[:end]))
		data = data[end+1:]
	}
	return executable, arguments, false, true
}
