package modelformat

import (
	"strconv"
)

// Source: torch/serialization.py (magic number 0x1950a86a20f9469cfc6c, protocol
// version 1001).

const (
	torchLegacyMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." // LONG1 of ten bytes, STOP
	torchLegacyText  = "L119547037146038801333356L\n."                     // the same number, protocols 0 and 1
)

// detectTorchLegacy recognises files of torch before 1.6: a row of pickles that
// starts with the magic number, then raw storage.
func detectTorchLegacy(f *File) (Result, bool) {
	at := 0
	if len(f.head) > 2 && f.head[0] == 0x80 && f.head[1] <= 5 {
		at = 2
		if f.head[2] == 0x95 { // a frame
			at = 11
		}
	}
	if !(at > 0 && f.hasPrefix(at, torchLegacyMagic)) && !f.hasPrefix(0, torchLegacyText) {
		return Result{}, false
	}
	res := Result{Format: "pytorch-legacy", Confidence: Certain}
	res.set(FactFramework, "torch")
	p := newPickleWalk(f.cursor(0, f.size))
	done := 0
	for ; done < 4 && p.run(); done++ { // magic, version, system, object
	}
	p.facts(&res)
	if p.persistent > 0 {
		res.set(FactTensors, strconv.FormatUint(p.persistent, 10))
	}
	if done < 4 && !f.cut {
		res.damaged("ends inside its pickles")
	}
	return res, true
}
