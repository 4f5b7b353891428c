package dns

import (
	"strings"
	"testing"
	"unicode/utf8"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// FuzzMessage reads a message to its end.
func FuzzMessage(f *testing.F) {
	target := wire.DNSName("edge.cdn.example")
	f.Add(wire.DNSQuery(1, "api.example.com", 1))
	f.Add(asking([]byte("\x01a\xc0\x0c")))
	f.Add(asking([]byte("\x04a.\\\xff\x03\x00\r\x1b\x00")))
	f.Add(wire.DNSAnswer(1, "api.example.com", 1, wire.DNSRecord([]byte{0xc0, 12}, TypeCNAME, 60, target),
		wire.DNSRecord(target, TypeHTTPS, 60, []byte{0, 1, 0, 0, 4, 0, 4, 1, 2, 3, 4})))
	f.Fuzz(func(t *testing.T, msg []byte) {
		check := func(n *Name) {
			text := n.String()
			if text == "" || len(text) > maxText || !utf8.ValidString(text) || strings.HasPrefix(text, ".") && text != "." {
				t.Fatalf("name %q", text)
			}
			labels := 0
			for i := range len(text) {
				if c := text[i]; c < ' ' || c == 0x7f {
					t.Fatalf("name %q has a raw control character", text)
				}
				if text[i] == '.' {
					labels++
				}
			}
			if labels > maxWire/2 {
				t.Fatalf("%d labels", labels)
			}
		}
		var r Reader
		var name, alias Name
		var q Question
		var rec Record
		var s Service
		if !r.Open(msg) {
			if len(msg) >= headerSize {
				t.Fatal("not opened")
			}
			return
		}
		n := 0
		for ; r.Question(&name, &q); n++ {
			check(&name)
		}
		for ; r.Answer(&name, &rec); n++ {
			check(&name)
			if r.Alias(&rec, &alias) {
				check(&alias)
			}
			if r.Service(&rec, &s) {
				check(&s.Target)
				if len(s.IPv4)%4 != 0 || len(s.IPv6)%16 != 0 {
					t.Fatal("odd hints")
				}
			}
		}
		if n > maxQuestions+maxRecords || n*5 > len(msg) {
			t.Fatalf("%d entries in %d bytes", n, len(msg))
		}
		if LooksLikeMessage(msg) {
			if names, _ := questions(msg); len(names) != 1 {
				t.Fatalf("looks like a message with %q", names)
			}
		}
	})
}
