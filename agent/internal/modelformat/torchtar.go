package modelformat

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// detectTorchTar recognises the tar of torch 0.1 (members sys_info, pickle,
// storages, tensors) and NVIDIA NeMo's (model_config.yaml, *.ckpt).
func detectTorchTar(f *File) (Result, bool) {
	if !f.hasPrefix(257, "ustar") {
		return Result{}, false
	}
	names := tarNames(f, 16)
	seen := func(name string) bool { return slices.Contains(names, name) }
	if seen("sys_info") && seen("pickle") && seen("storages") {
		res := Result{Format: "pytorch-tar", Confidence: Certain}
		res.set(FactFramework, "torch")
		return res, true
	}
	weights := false
	for _, n := range names {
		weights = weights || strings.HasSuffix(n, ".ckpt") || n == "model_weights"
	}
	if seen("model_config.yaml") && weights {
		res := Result{Format: "nemo", Confidence: Certain}
		res.set(FactFramework, "nemo")
		return res, true
	}
	return Result{}, false
}

// tarNames lists the first names of a POSIX tar, without "./".
func tarNames(f *File, limit int) []string {
	var names []string
	var h [512]byte
	for at := int64(0); len(names) < limit; {
		if _, err := f.ReadAt(h[:], at); err != nil || h[0] == 0 || string(h[257:262]) != "ustar" {
			return names
		}
		name, _, _ := strings.Cut(string(h[:100]), "\x00")
		names = append(names, strings.TrimPrefix(name, "./"))
		size, ok := tarSize(h[124:136])
		if !ok || size > f.size {
			return names
		}
		at += 512 + (size+511)/512*512
	}
	return names
}

// tarSize reads an octal or, with the high bit set, a binary number.
func tarSize(b []byte) (int64, bool) {
	if b[0] == 0x80 {
		n := binary.BigEndian.Uint64(b[4:])
		return int64(n), n < 1<<62
	}
	n, err := strconv.ParseInt(strings.Trim(string(b), " \x00"), 8, 63)
	return n, err == nil && n >= 0
}
