package http2

// Literal strings may be coded in the Huffman code of RFC 7541, Appendix B. It
// is canonical: the codes of one length are consecutive numbers in the order of
// their symbols, so that the lengths alone define it.

// level is all codes of one length.
type level struct {
	bits    uint
	symbols string
}

// levels are the symbols by the length of their codes. The fourth code of 30
// bits, all ones, is the end of the string, which must not occur.
var levels = [...]level{
	{5, "012aceiost"},
	{6, " %-./3456789=A_bdfghlmnpru"},
	{7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"},
	{8, "&*,;XZ"},
	{10, "!\"()?"},
	{11, "'+|"},
	{12, "#>"},
	{13, "\x00$@[]~"},
	{14, "^}"},
	{15, "<`{"},
	{19, "\\\xc3\xd0"},
	{20, "\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"},
	{21, "\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"},
	{22, "\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9"},
	{23, "\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef"},
	{24, "\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"},
	{25, "\xc7\xcf\xea\xeb"},
	{26, "\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"},
	{27, "\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe"},
	{28, "\x02\x03\x04\x05\x06\a\b\v\f\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9"},
	{30, "\n\r\x16"},
}

// first holds, for each level, its lowest code, and limit the lowest code that
// is longer; both stand at the left of 32 bits. limit is one more than fits
// where no code is longer.
var first, limit = codes()

func codes() (first [len(levels)]uint32, limit [len(levels)]uint64) {
	next := uint64(0)
	for i, l := range levels {
		first[i] = uint32(next)
		next += uint64(len(l.symbols)) << (32 - l.bits)
		limit[i] = next
	}
	return first, limit
}

// shortCode is a symbol whose code has at most eight bits; with 0 bits it is none.
type shortCode struct{ symbol, bits uint8 }

// short finds, by the next eight bits, the symbols that most text is made of.
var short = shortCodes()

func shortCodes() (codes [256]shortCode) {
	for i, l := range levels {
		for n := 0; n < len(l.symbols) && l.bits <= 8; n++ {
			from := first[i]>>24 + uint32(n)<<(8-l.bits)
			for at := range uint32(1) << (8 - l.bits) {
				codes[from+at] = shortCode{l.symbols[n], uint8(l.bits)}
			}
		}
	}
	return codes
}

// huffman decodes src. It appends to dst as much of the string as keeps dst
// within most bytes, and returns the length of the whole string. ok is false
// where src is not sound: it holds the end symbol, or its padding is longer
// than seven bits or not all ones (RFC 7541, section 5.2).
func huffman(dst, src []byte, most int) (out []byte, length int, ok bool) {
	var window uint64 // the bits that come next, at the left
	have := uint(0)   // how many they are
	for {
		for have <= 56 && len(src) > 0 {
			window |= uint64(src[0]) << (56 - have)
			src = src[1:]
			have += 8
		}
		if s := short[window>>56]; s.bits > 0 && uint(s.bits) <= have {
			length++
			if len(dst) < most {
				dst = append(dst, s.symbol)
			}
			window <<= s.bits
			have -= uint(s.bits)
			continue
		}
		code := uint32(window >> 32)
		i := 0
		for i < len(levels) && uint64(code) >= limit[i] {
			i++
		}
		if i == len(levels) || levels[i].bits > have {
			// What is left is no code: it must be padding.
			return dst, length, have < 8 && window>>(64-have) == 1<<have-1
		}
		l := &levels[i]
		length++
		if len(dst) < most {
			dst = append(dst, l.symbols[(code-first[i])>>(32-l.bits)])
		}
		window <<= l.bits
		have -= l.bits
	}
}
