package modelformat

import (
	"encoding/binary"
	"strconv"
)

// The formats that came before GGUF: a little-endian magic word, for some a
// version, then hyper-parameters as 32-bit integers whose meaning depends on
// the program. Source: whisper.cpp, ggml/include/ggml.h (GGML_FILE_MAGIC) and
// the GGML section of ggml's docs/gguf.md.
func detectGGML(f *File) (Result, bool) {
	if len(f.head) < 48 {
		return Result{}, false
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(f.head[4*i:]) }
	var name string
	versioned := true
	switch string(f.head[:4]) {
	case "lmgg":
		name, versioned = "ggml", false
	case "fmgg":
		name = "ggmf"
	case "tjgg":
		name = "ggjt"
	case "algg":
		name = "ggla"
	default:
		return Result{}, false
	}
	first := 1
	if versioned {
		if v := word(1); v == 0 || v > 16 {
			return Result{}, false
		}
		first = 2
	}
	// The parameters that follow are small counts; text or noise is not.
	for i := first; i < first+5; i++ {
		if word(i) > 1<<24 {
			return Result{}, false
		}
	}
	if word(first) == 0 {
		return Result{}, false
	}
	res := Result{Format: "ggml-legacy", Confidence: Certain}
	res.set(FactFormatVersion, name)
	if versioned {
		res.set(FactFormatVersion, name+" "+strconv.Itoa(int(word(1))))
	}
	if !versioned && word(1) > 50000 && word(2) == 1500 {
		ggmlWhisper(f, &res)
	}
	return res, true
}

// ggmlWhisper reads the eleven parameters of whisper.cpp: n_vocab,
// n_audio_ctx (1500), n_audio_state, n_audio_head, n_audio_layer, n_text_ctx,
// n_text_state, n_text_head, n_text_layer, n_mels, ftype.
func ggmlWhisper(f *File, res *Result) {
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(f.head[4*i:]) }
	res.set(FactArchitecture, "whisper")
	if size, ok := whisperSizes[word(5)]; ok {
		res.set(FactSizeLabel, size)
	}
	if ftype := word(11) % 1000; ftype < uint32(len(fileTypes)) { // above it: the quantisation's version
		res.set(FactQuantization, ggufFileType(ftype))
	}
}

// whisperSizes names a model by its number of audio layers.
var whisperSizes = map[uint32]string{4: "tiny", 6: "base", 12: "small", 24: "medium", 32: "large"}
