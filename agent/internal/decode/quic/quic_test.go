package quic

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSamplePackets reads the packets that the specifications print.
func TestSamplePackets(t *testing.T) {
	f := func(name, key, iv, mask, packet string, version uint32) {
		t.Helper()
		id := unhex(t, sampleID)
		keys := SchemeOf(version).ClientKeys(id)
		if got := [3]string{hex.EncodeToString(keys.key[:]), hex.EncodeToString(keys.iv[:]), hex.EncodeToString(keys.mask[:])}; got != [3]string{key, iv, mask} {
			t.Errorf("%s: keys %v", name, got)
		}
		var p Packet
		b := unhex(t, packet)
		rest, ok := Next(b, &p)
		if !ok || len(rest) > 0 || p.Kind != Initial || p.Version != version || !bytes.Equal(p.Destination, id) || len(p.Source) > 0 || p.Cut {
			t.Fatalf("%s: %+v %v", name, p, ok)
		}
		var o Opener
		payload, number, ok := o.Open(&keys, &p, 0)
		if !ok || number != 2 || len(payload) != 1162 || !bytes.HasPrefix(payload, unhex(t, sampleFrame)) {
			t.Fatalf("%s: packet %d with %d bytes, %v", name, number, len(payload), ok)
		}
		frames := ReadFrames(payload, false)
		offset, data, ok := frames.Crypto()
		if !ok || offset != 0 || len(data) != 0xf1 || !bytes.Contains(data, []byte("example.com")) {
			t.Errorf("%s: %d bytes at %d, %v", name, len(data), offset, ok)
		}
		if _, _, more := frames.Crypto(); more || frames.Malformed {
			t.Errorf("%s: more frames", name)
		}
		b[len(b)-1] ^= 1
		if _, _, ok := o.Open(&keys, &p, 0); ok {
			t.Errorf("%s: a changed packet is opened", name)
		}
	}
	f("RFC 9001", v1Key, v1IV, v1Mask, v1Packet, Version1)
	f("RFC 9369", v2Key, v2IV, v2Mask, v2Packet, Version2)
}

// TestDerivationAgainstStandardLibrary holds the HMAC here against crypto/hkdf.
func TestDerivationAgainstStandardLibrary(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for n := range 256 {
		id := make([]byte, n)
		_, _ = random.Read(id) // never fails
		for _, s := range known[1:] {
			secret, err := hkdf.Extract(sha256.New, id, []byte(s.salt()))
			if err != nil {
				t.Fatal(err)
			}
			if got := mac(s.salt(), id); !bytes.Equal(got[:], secret) {
				t.Fatalf("extract from %d bytes", n)
			}
			want, err := hkdf.Expand(sha256.New, secret, "\x00\x20\x0ftls13 client in\x00", 32)
			if err != nil {
				t.Fatal(err)
			}
			if got := expand((*[32]byte)(secret), "client in"); !bytes.Equal(got[:], want) {
				t.Fatalf("expand of %d bytes", n)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	f := func(version uint32, want Scheme, name string, reserved bool, candidates int) {
		t.Helper()
		if s := SchemeOf(version); s != want || VersionName(version) != name || Reserved(version) != reserved || len(Candidates(version)) != candidates {
			t.Errorf("%#x: scheme %d, name %q, reserved %v, %d candidates", version, s, VersionName(version), Reserved(version), len(Candidates(version)))
		}
	}
	f(1, SchemeV1, "1", false, 1)
	f(0x6b3343cf, SchemeV2, "2", false, 1)
	f(0x709a50c4, SchemeV2Draft, "0x709a50c4", false, 1)
	f(0xff000015, Unknown, "draft-21", false, 4)
	f(0xff000016, SchemeDraft22, "draft-22", false, 1)
	f(0xff000017, SchemeDraft23, "draft-23", false, 1)
	f(0xff00001c, SchemeDraft23, "draft-28", false, 1)
	f(0xff00001d, SchemeDraft29, "draft-29", false, 1)
	f(0xff000020, SchemeDraft29, "draft-32", false, 1)
	f(0xff000021, SchemeV1, "draft-33", false, 1)
	f(0xff000022, SchemeV1, "draft-34", false, 1)
	f(0xff000023, Unknown, "draft-35", false, 4)
	f(0xfaceb001, SchemeDraft22, "0xfaceb001", false, 1)
	f(0xfaceb002, SchemeDraft23, "0xfaceb002", false, 1)
	f(0xfaceb00e, SchemeDraft23, "0xfaceb00e", false, 1)
	f(0x54303530, schemeT050, "0x54303530", false, 1)
	f(0x54303531, schemeT051, "0x54303531", false, 1)
	f(0x0a1a2a3a, Unknown, "0xa1a2a3a", true, 4)
	for i, s := range known {
		if int(s) != i {
			t.Errorf("scheme %d stands at %d", s, i)
		}
	}
}

// opened reads a packet with the keys of a scheme.
func opened(t testing.TB, packet []byte, s Scheme, id []byte) (Packet, []byte, bool) {
	t.Helper()
	var p Packet
	if _, ok := Next(packet, &p); !ok {
		t.Fatalf("%x is no packet", packet[:min(len(packet), 40)])
	}
	keys := s.ClientKeys(id)
	var o Opener
	payload, _, ok := o.Open(&keys, &p, 0)
	return p, payload, ok
}

func TestEveryScheme(t *testing.T) {
	id := []byte("12345678")
	for version, want := range map[uint32]Scheme{
		wire.QUICv1: SchemeV1, wire.QUICv2: SchemeV2, wire.QUICDraft22: SchemeDraft22, wire.QUICDraft23: SchemeDraft23,
		wire.QUICDraft27: SchemeDraft23, wire.QUICDraft29: SchemeDraft29, wire.QUICDraft34: SchemeV1,
	} {
		c := wire.NewQUICClient(version, version, id, []byte("source"))
		c.Token = []byte("token")
		p, payload, ok := opened(t, c.Datagram(wire.QUICPing()), SchemeOf(version), id)
		if !ok || p.Kind != Initial || string(p.Source) != "source" || payload[0] != 1 || SchemeOf(version) != want {
			t.Errorf("%#x: %+v, %v", version, p, ok)
		}
		for _, s := range known[1:] {
			if _, _, ok := opened(t, c.Datagram(), s, id); ok && s != want {
				t.Errorf("%#x is also opened by scheme %d", version, s)
			}
		}
		if p, _, _ := opened(t, c.Opaque(1, 30), want, id); p.Kind != ZeroRTT {
			t.Errorf("%#x: kind %d", version, p.Kind)
		}
		if p, _, _ := opened(t, c.Opaque(2, 30), want, id); p.Kind != Handshake {
			t.Errorf("%#x: kind %d", version, p.Kind)
		}
		if p, _, _ := opened(t, c.Retry([]byte("a token")), want, id); p.Kind != Retry {
			t.Errorf("%#x: kind %d", version, p.Kind)
		}
	}
}

func TestCoalescedPackets(t *testing.T) {
	c := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, []byte("12345678"), nil)
	b := wire.Join(c.Opaque(1, 50), c.Initial(wire.QUICPing()), c.Opaque(2, 40), []byte{0x40, 1, 2, 3})
	var kinds []Kind
	var p Packet
	for rest, ok := Next(b, &p); ok; rest, ok = Next(rest, &p) {
		kinds = append(kinds, p.Kind)
		if len(rest) == 4 && rest[0] != 0x40 {
			t.Errorf("%x is left", rest)
		}
	}
	if diff := cmp.Diff([]Kind{ZeroRTT, Initial, Handshake}, kinds); diff != "" {
		t.Error(diff)
	}
	if _, ok := Next(make([]byte, 100), &p); ok {
		t.Error("padding is a packet")
	}
}

func TestVersionNegotiationPacket(t *testing.T) {
	s := &wire.QUICEnd{Version: 1, Destination: bytes.Repeat([]byte{1}, 30), Source: []byte{2}}
	b := s.VersionNegotiation(1, 0x1a2a3a4a)
	var p Packet
	if rest, ok := Next(b, &p); !ok || p.Kind != VersionNegotiation || len(p.Destination) != 30 || len(rest) > 0 {
		t.Errorf("%+v %v", p, ok)
	}
	if _, ok := Next(b[:len(b)-1], &p); ok {
		t.Error("half a version is a version")
	}
	if _, ok := Next(b[:len(b)-8], &p); ok {
		t.Error("no version is an answer")
	}
}

// TestNotQUIC lists what a packet of another protocol, or one that makes no
// sense, must be told by.
func TestNotQUIC(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 21)
	packet := func(version uint32, id, source []byte) []byte {
		return wire.NewQUICClient(version, wire.QUICv1, id, source).Datagram()
	}
	f := func(what string, b []byte, want bool) {
		t.Helper()
		var p Packet
		if _, ok := Next(b, &p); ok != want {
			t.Errorf("%s: %v", what, ok)
		}
	}
	first := []byte("12345678")
	f("nothing", nil, false)
	f("a short header", append([]byte{0x40}, make([]byte, 50)...), false)
	f("seven bytes", packet(1, first, nil)[:7], false)
	f("the end inside an id", packet(1, first, nil)[:10], false)
	f("the end before the second id", packet(1, first, nil)[:14], false)
	f("the end before the token", packet(1, first, nil)[:15], false)
	f("the end before the length", packet(1, first, nil)[:16], false)
	f("ids of 20 bytes", packet(1, long[:20], long[:20]), true)
	f("a destination of 21 bytes", packet(1, long, nil), false)
	f("a source of 21 bytes", packet(1, first, long), false)
	f("a destination of 21 bytes in a draft", packet(wire.QUICDraft29, long, nil), true)
	f("an empty destination", packet(1, nil, first), true)
	f("an unknown version", packet(0xabcd0000, first, nil), true)
	f("an unknown version with a short destination", packet(0xabcd0000, first[:7], nil), false)
	f("an unknown version with a long destination", packet(0xabcd0000, long, nil), false)
	f("a reserved version with a long destination", packet(0x1a2a3a4a, long, nil), true)
	other := packet(0xabcd0000, first, nil)
	other[0] |= 0x20
	f("another packet of an unknown version", other, false)
	greased := packet(1, first, nil)
	greased[0] &^= 0x40
	f("version 1 with the fixed bit greased (RFC 9287)", greased, true)
	greased = packet(0xabcd0000, first, nil)
	greased[0] &^= 0x40
	f("an unknown version without the fixed bit", greased, false)
	tiny := wire.NewQUICClient(1, 1, first, nil)
	f("a packet too short to be protected", tiny.Opaque(2, 19), false)
	f("a packet just long enough", tiny.Opaque(2, 20), true)
	f("a Retry without a tag", tiny.Retry(nil)[:20], false)
	query := wire.DNSQuery(0xc300, "a.example", 1)
	f("a DNS query whose id looks like a header", query, false)
}

func TestPacketNumbers(t *testing.T) {
	id := []byte("12345678")
	for _, c := range []struct {
		number, expected uint64
		bytes            int
	}{{0, 0, 1}, {1, 0, 1}, {255, 200, 1}, {256, 255, 1}, {300, 260, 1}, {250, 300, 1}, {1 << 20, 1<<20 - 3, 2}, {5, 1 << 16, 4}, {1 << 33, 1<<33 - 9, 4}} {
		e := wire.NewQUICClient(1, 1, id, nil)
		e.Number, e.NumberBytes = c.number, c.bytes
		var p Packet
		var o Opener
		keys := SchemeV1.ClientKeys(id)
		if _, ok := Next(e.Datagram(wire.QUICPing()), &p); !ok {
			t.Fatal("no packet")
		}
		if _, number, ok := o.Open(&keys, &p, c.expected); !ok || number != c.number {
			t.Errorf("%+v: %d, %v", c, number, ok)
		}
	}
	// The example of RFC 9000, appendix A.3.
	if n := fullNumber(0x9b32, 2, 0xa82f30eb); n != 0xa82f9b32 {
		t.Errorf("%#x", n)
	}
}

func TestCutPacket(t *testing.T) {
	id := []byte("12345678")
	hello, err := wire.QUICHello(&tls.Config{ServerName: "cut.example"})
	if err != nil {
		t.Fatal(err)
	}
	b := wire.NewQUICClient(1, 1, id, nil).Datagram(wire.QUICCrypto(0, hello))
	keys := SchemeV1.ClientKeys(id)
	var o Opener
	var p Packet
	if _, ok := Next(b[:400], &p); !ok || !p.Cut {
		t.Fatalf("%+v %v", p, ok)
	}
	if _, _, ok := o.Open(&keys, &p, 0); ok {
		t.Error("a cut packet is proved")
	}
	payload, number, ok := o.Peek(&keys, &p, 0)
	if !ok || number != 0 {
		t.Fatal("not read")
	}
	frames := ReadFrames(payload, true)
	offset, data, ok := frames.Crypto()
	if !ok || offset != 0 || !bytes.HasPrefix(hello, data) || len(data) < 350 {
		t.Errorf("%d bytes at %d, %v", len(data), offset, ok)
	}
	for n := range 60 { // shorter than the sample that the mask comes from
		if _, ok := Next(b[:n], &p); ok {
			if _, _, ok := o.Peek(&keys, &p, 0); ok && n < 16+2+4+16 {
				t.Errorf("%d bytes are read", n)
			}
		}
	}
}

func TestFrames(t *testing.T) {
	type piece struct {
		Offset uint64
		Data   string
	}
	f := func(what string, payload []byte, cut, malformed bool, want ...piece) {
		t.Helper()
		var got []piece
		frames := ReadFrames(payload, cut)
		for {
			offset, data, ok := frames.Crypto()
			if !ok {
				break
			}
			got = append(got, piece{offset, string(data)})
		}
		if diff := cmp.Diff(want, got); diff != "" || frames.Malformed != malformed {
			t.Errorf("%s: malformed %v %s", what, frames.Malformed, diff)
		}
	}
	a, b := wire.QUICCrypto(0, []byte("aa")), wire.QUICCrypto(20000, []byte("b"))
	one, two := piece{0, "aa"}, piece{20000, "b"}
	f("nothing", nil, false, false)
	f("padding", make([]byte, 1000), false, false)
	f("two", wire.Join(b, make([]byte, 5), a), false, false, two, one)
	f("behind all others", wire.Join(wire.QUICPing(), wire.QUICAck(false), wire.QUICAck(true), wire.QUICClose("gone"), a, make([]byte, 3)), false, false, one)
	f("behind an application's close", wire.Join([]byte{0x1d, 1, 2, 'b', 'y'}, a), false, false, one)
	f("behind a frame that does not belong here", wire.Join(a, []byte{8, 1}, b), false, true, one)
	f("too long", a[:len(a)-1], false, true)
	f("too long because it is cut", a[:len(a)-1], true, false, piece{0, "a"})
	f("an ACK of 2^62-1 ranges", wire.Join([]byte{2, 1, 1}, wire.QUICInt(1<<62-1), []byte{0, 0, 0}), false, true)
	f("a close with a reason beyond the end", append(wire.QUICClose("gone")[:6], 'g'), false, true)
	f("a long integer at the end", []byte{6, 0xc0, 0}, false, true)
	f("an empty frame", wire.QUICCrypto(3, nil), false, false, piece{3, ""})
	f("a type in two bytes", wire.Join([]byte{0x40, 0x06}, a[1:]), false, false, one)
}

// TestRejectsWithoutAllocating covers what a flood can make the agent do
// before it knows any key.
func TestRejectsWithoutAllocating(t *testing.T) {
	var p Packet
	random := rand.NewChaCha8([32]byte{2})
	junk := make([]byte, 1200)
	_, _ = random.Read(junk) // never fails
	junk[0] |= 0xc0
	sound := unhex(t, v1Packet)
	id := unhex(t, sampleID)
	var kept Keys
	n := testing.AllocsPerRun(1000, func() {
		Next(junk, &p)
		Next(sound, &p)
		kept = SchemeV1.ClientKeys(id)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if kept == (Keys{}) {
		t.Error("no keys")
	}
}

func BenchmarkReject(b *testing.B) {
	junk := bytes.Repeat([]byte{0xc5}, 1200)
	var p Packet
	b.ReportAllocs()
	for b.Loop() {
		Next(junk, &p)
	}
}

func BenchmarkFirstInitial(b *testing.B) {
	packet := slices.Clone(unhex(b, v1Packet))
	var p Packet
	var o Opener
	b.ReportAllocs()
	for b.Loop() {
		Next(packet, &p)
		keys := SchemeV1.ClientKeys(p.Destination)
		payload, _, ok := o.Open(&keys, &p, 0)
		if !ok {
			b.Fatal("not opened")
		}
		frames := ReadFrames(payload, false)
		frames.Crypto()
	}
}

func BenchmarkKeys(b *testing.B) {
	id := unhex(b, sampleID)
	b.ReportAllocs()
	for b.Loop() {
		SchemeV1.ClientKeys(id)
	}
}
