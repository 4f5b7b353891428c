package quic

import (
	"bytes"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// FuzzPackets reads bytes as a datagram: packets lie inside it and do not
// overlap, and what is opened was sealed by its client.
func FuzzPackets(f *testing.F) {
	id := []byte("12345678")
	for _, version := range []uint32{wire.QUICv1, wire.QUICv2, wire.QUICDraft29, 0x1a2a3a4a} {
		scheme := version
		if Reserved(version) {
			scheme = wire.QUICv1
		}
		c := wire.NewQUICClient(version, scheme, id, []byte("src"))
		f.Add(wire.Join(c.Opaque(1, 40), c.Initial(wire.QUICAck(true), wire.QUICCrypto(7, []byte("seven"))), c.Opaque(2, 30), []byte{0x40}))
		f.Add(c.Retry([]byte("token")))
		f.Add(c.VersionNegotiation(1, version))
	}
	f.Add(unhex(f, v1Packet))
	f.Add(unhex(f, v2Packet)[:300])
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var p Packet
		var o Opener
		rest := b
		for {
			next, ok := Next(rest, &p)
			if !ok {
				break
			}
			if len(next) > len(rest) || len(p.bytes)+len(next) > len(rest) || len(p.Destination)+len(p.Source)+shortest > len(rest) {
				t.Fatalf("%d bytes became %d and %d", len(rest), len(p.bytes), len(next))
			}
			if p.Kind == Initial {
				openAll(t, &o, &p)
			}
			if len(next) == 0 {
				break
			}
			rest = next
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the input was changed")
		}
	})
}

func openAll(t *testing.T, o *Opener, p *Packet) {
	for _, s := range Candidates(p.Version) {
		keys := s.ClientKeys(p.Destination)
		cut, number, read := o.Peek(&keys, p, 0)
		cut = bytes.Clone(cut)
		payload, same, ok := o.Open(&keys, p, 0)
		if !ok {
			continue
		}
		if !read || number != same || !bytes.HasPrefix(cut, payload) || p.Cut {
			t.Fatalf("opened as packet %d with %d bytes, read as packet %d with %d", same, len(payload), number, len(cut))
		}
	}
}

// FuzzFrames reads bytes as a payload, whole and cut: CRYPTO data are parts of
// it in order, and a cut changes no frame before it.
func FuzzFrames(f *testing.F) {
	a, b := wire.QUICCrypto(0, []byte("aa")), wire.QUICCrypto(20000, []byte("b"))
	f.Add(wire.Join(wire.QUICPing(), wire.QUICAck(false), wire.QUICAck(true), wire.QUICClose("gone"), b, a, make([]byte, 30)), 20)
	f.Add([]byte{2, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0}, 3)
	f.Add([]byte{0x1d, 1, 2, 'b', 'y', 8}, 1)
	f.Fuzz(func(t *testing.T, payload []byte, at int) {
		at = min(max(at, 0), len(payload))
		whole, part := ReadFrames(payload, false), ReadFrames(payload[:at], true)
		total := 0
		for {
			offset, data, ok := whole.Crypto()
			start, head, there := part.Crypto()
			if there && ok && (start != offset || !bytes.HasPrefix(data, head)) {
				t.Fatalf("%d bytes at %d became %d at %d", len(data), offset, len(head), start)
			}
			if part.Malformed {
				t.Fatal("a cut payload is malformed")
			}
			if !ok {
				break
			}
			if offset >= 1<<62 {
				t.Fatalf("offset %d", offset)
			}
			total += 3 + len(data)
		}
		if total > len(payload) {
			t.Fatalf("%d bytes of frames in %d", total, len(payload))
		}
	})
}
