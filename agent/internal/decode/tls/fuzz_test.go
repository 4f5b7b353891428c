package tls

import (
	"bytes"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// FuzzHello reads bytes as a record stream, a datagram and a body.
func FuzzHello(f *testing.F) {
	one := flight(f, "api.example.com", false)
	f.Add(one, 100)
	f.Add(wire.Records(one, 30), 40)
	f.Add(wire.DatagramHello(wire.HelloBody(one), 100)[0], 7)
	f.Add(wire.HelloBody(one), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		scratch := make([]byte, MaxHello)
		r := Next(b, scratch, false)
		switch r.Status {
		case NeedMore:
			if r.Need <= len(b) {
				t.Fatalf("needs %d, has %d", r.Need, len(b))
			}
		case Hello:
			if r.Consumed <= 0 || r.Consumed > len(b) {
				t.Fatalf("consumed %d of %d", r.Consumed, len(b))
			}
		case Other:
			if r.Consumed <= 0 {
				t.Fatal("nothing consumed")
			}
		}
		if last := Next(b, scratch, true); last.Status == NeedMore {
			t.Fatal("more is needed of the last bytes")
		}
		// What a start of the stream decides, more bytes do not change.
		part := b[:min(max(cut, 0), len(b))]
		if p := Next(part, make([]byte, MaxHello), false); p.Status == Hello && (r.Status != Hello || !bytes.Equal(p.Body, r.Body)) {
			t.Fatalf("%v became %v", p, r)
		}
		for _, datagram := range []bool{false, true} {
			var whole, cut ClientHello
			ok := Parse(b, datagram, true, &whole)
			if !Parse(part, datagram, false, &cut) {
				continue
			}
			if len(part) == len(b) && ok && !bytes.Equal(whole.ServerName, cut.ServerName) {
				t.Fatalf("name %q became %q", cut.ServerName, whole.ServerName)
			}
			if ok && cut.ServerName != nil && !bytes.Equal(whole.ServerName, cut.ServerName) {
				t.Fatalf("name %q of a part became %q", cut.ServerName, whole.ServerName)
			}
			if print := new(JA4).Append(nil, &whole, JA4Stream); len(print) != 0 && (len(print) != len(chromeJA4) || print[10] != '_' || print[23] != '_') {
				t.Fatalf("fingerprint %q", print)
			}
			n := 0
			for p := range whole.ALPN() {
				n += 1 + len(p)
			}
			if n > len(b) || len(whole.ServerName) > len(b) {
				t.Fatal("more is read than is there")
			}
		}
		var a Assembly
		for rest, piece := b, (Fragment{}); ; {
			next, ok := NextFragment(rest, &piece)
			if !ok {
				break
			}
			if len(next) >= len(rest) || piece.Offset+len(piece.Data) > piece.Length {
				t.Fatalf("%+v", piece)
			}
			if a.Add(piece.Offset, piece.Data) && len(a.Prefix()) > MaxHello {
				t.Fatal("beyond the limit")
			}
			rest = next
		}
	})
}

// FuzzECHConfigs reads bytes as a list of configurations: what is read is a
// part of it, and reading ends.
func FuzzECHConfigs(f *testing.F) {
	one := wire.ECHConfig(1, make([]byte, 32), "one.example")
	f.Add(wire.ECHConfigList(one, wire.ECHConfig(2, make([]byte, 65), "two.example")))
	f.Add(wire.ECHConfigList(wire.Join(wire.U16(0xfe0a), wire.U16(1), []byte{1}), one))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, ok := ECHConfigs(b)
		for ok {
			before := len(entries)
			var c ECHConfig
			if entries, ok = NextECHConfig(entries, &c); !ok {
				break
			}
			if len(entries) >= before || len(c.PublicName) == 0 || len(c.PublicName) > maxPublicName || !bytes.Contains(b, c.PublicName) {
				t.Fatalf("%+v, %d of %d bytes left", c, len(entries), before)
			}
		}
	})
}
