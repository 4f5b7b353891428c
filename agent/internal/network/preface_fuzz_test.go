package network

import "testing"

// FuzzPreface reads bytes with every recogniser, whole and as a start of
// itself: what is measured lies within limits, a message is never longer than
// what is there, and what was decided stays so when more comes.
func FuzzPreface(f *testing.F) {
	for _, seed := range []string{
		"PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\r\n", proxySignature + "\x21\x11\x00\x0caaaabbbbccdd",
		"\x05\x01\x00\x05\x01\x00\x03\x01a\x01\xbb", "\x01\x01u\x01p", "\x04\x01\x01\xbb\x00\x00\x00\x01u\x00a.example\x00",
		"\x00\x00\x00\x08\x04\xd2\x16\x2f", "\x20\x00\x00\x01\x05\xae\xff\x19\x00\x00\x00\x01\x2d" + string(make([]byte, 23)),
		"\x12\x01\x00\x0a\x00\x00\x00\x00\x00\x00", "\x12\x01\x00\x50\x00\x00\x00\x00\x16\x03\x01", "\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x00\x00",
		"\x30\x1d\x02\x01\x02\x77\x18\x80\x161.3.6.1.4.1.1466.20037", "<?xml version='1.0'?><starttls/>", "EHLO a\r\nSTARTTLS\r\n",
		"CAPA\r\nSTLS\r\n", "AUTH TLS\r\n", "a1 CAPABILITY\r\na2 STARTTLS\r\n",
	} {
		f.Add([]byte(seed), 0, 5)
		f.Add([]byte(seed), 1, 9)
	}
	f.Fuzz(func(t *testing.T, b []byte, stage, cut int) {
		if len(b) == 0 {
			return
		}
		part := b[:min(max(cut, 1), len(b))]
		for _, w := range wrappers {
			var whole, some preface
			n, v := w.read(b, max(stage, 0), &whole)
			switch v {
			case wrapMore:
				if n <= len(b) {
					t.Fatalf("%s needs %d, has %d", w.name, n, len(b))
				}
			case wrapAgain, wrapOver:
				if n <= 0 || n > len(b) {
					t.Fatalf("%s takes %d of %d", w.name, n, len(b))
				}
			}
			m, u := w.read(part, max(stage, 0), &some)
			if (u == wrapAgain || u == wrapOver) && (m != n || u != v || some != whole) {
				t.Fatalf("%s: %d %d of a part, %d %d of the whole", w.name, m, u, n, v)
			}
			if u == wrapNot && v != wrapNot {
				t.Fatalf("%s: a part is not, and the whole is", w.name)
			}
			if len(whole.target) > 2*longestMessage {
				t.Fatalf("a target of %d bytes", len(whole.target))
			}
		}
	})
}
