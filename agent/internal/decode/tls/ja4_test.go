package tls

import (
	"encoding/binary"
	"strings"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// codeList returns codes, which come in hexadecimal with commas between, as on
// the wire.
func codeList(t *testing.T, text string) []byte {
	t.Helper()
	var out []byte
	for code := range strings.SplitSeq(text, ",") {
		n := 0
		for _, c := range code {
			n = n<<4 | strings.IndexRune("0123456789abcdef", c)
		}
		out = binary.BigEndian.AppendUint16(out, uint16(n))
	}
	return out
}

// printed builds a hello of the given codes; the extensions that JA4 looks
// into have bodies, the others are empty.
func printed(t *testing.T, suites, extensions, signatures, alpn string) []byte {
	t.Helper()
	list := codeList(t, suites)
	var all []byte
	for codes := codeList(t, extensions); len(codes) > 0; codes = codes[2:] {
		code := int(codes[0])<<8 | int(codes[1])
		switch code {
		case extensionServerName:
			all = append(all, serverName("a.example")...)
		case extensionALPN:
			entry := wire.Join([]byte{byte(len(alpn))}, []byte(alpn))
			all = append(all, extension(code, wire.Join(wire.U16(len(entry)), entry))...)
		case extensionSignatures:
			all = append(all, extension(code, wire.Join(wire.U16(2*(1+strings.Count(signatures, ","))), codeList(t, signatures)))...)
		case extensionSupportedVersions:
			all = append(all, extension(code, []byte{6, 0x5a, 0x5a, 3, 4, 3, 3})...)
		default:
			all = append(all, extension(code, nil)...)
		}
	}
	return wire.Join([]byte{3, 3}, make([]byte, 32), []byte{0}, wire.U16(len(list)), list, []byte{1, 0}, wire.U16(len(all)), all)
}

// The lists and the fingerprint of Chrome stand in the public description of
// JA4 (https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md).
const (
	chromeSuites     = "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
	chromeExtensions = "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"
	chromeSignatures = "0403,0804,0401,0503,0805,0501,0806,0601"
	chromeJA4        = "t13d1516h2_8daaf6152771_e5627efa2ab1"
)

func TestJA4(t *testing.T) {
	f := func(what string, body []byte, carrier byte, want string) {
		t.Helper()
		var h ClientHello
		if !Parse(body, carrier == JA4Datagram, true, &h) {
			t.Fatalf("%s: not read", what)
		}
		if got := string(new(JA4).Append(nil, &h, carrier)); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	f("the published example", printed(t, chromeSuites, chromeExtensions, chromeSignatures, "h2"), JA4Stream, chromeJA4)
	f("with GREASE", printed(t, "0a0a,"+chromeSuites, "fafa,"+chromeExtensions+",1a1a", "3a3a,"+chromeSignatures, "h2"), JA4Stream, chromeJA4)
	f("over QUIC", printed(t, chromeSuites, chromeExtensions, chromeSignatures, "h3"), JA4QUIC, "q13d1516h3"+chromeJA4[10:])
	f("ALPN of one letter", printed(t, chromeSuites, chromeExtensions, chromeSignatures, "x"), JA4Stream, "t13d1516xx"+chromeJA4[10:])
	f("ALPN of other bytes", printed(t, chromeSuites, chromeExtensions, chromeSignatures, "\xab-\xcd"), JA4Stream, "t13d1516ad"+chromeJA4[10:])
	f("ALPN with one such byte", printed(t, chromeSuites, chromeExtensions, chromeSignatures, "h\xcd"), JA4Stream, "t13d15166d"+chromeJA4[10:])
	// printf '1301' | sha256sum; printf '0017' | sha256sum
	f("no name, no ALPN, no signatures", printed(t, "1301", "0017", "", ""), JA4Stream, "t12i010100_0f2cb44170f4_1ca028f07214")
	f("no extensions", printed(t, "1301", "0017", "", "")[:2+32+1+4+2], JA4Stream, "t12i010000_0f2cb44170f4_000000000000")
	f("GREASE alone", printed(t, "0a0a", "1a1a", "", ""), JA4Stream, "t12i000000_000000000000_000000000000")
	datagram := printed(t, "1301", "0017", "", "")
	datagram = wire.Join([]byte{0xfe, 0xfd}, datagram[2:35], []byte{0}, datagram[35:])
	f("DTLS 1.2", datagram, JA4Datagram, "dd2i010100_0f2cb44170f4_1ca028f07214")
	many := make([]string, maxCodes+1)
	for i := range many {
		many[i] = "c02b"
	}
	f("too many suites", printed(t, strings.Join(many, ","), "0017", "", ""), JA4Stream, "")
	f("too many extensions", printed(t, "1301", strings.Join(many, ","), "", ""), JA4Stream, "")
	f("too many signatures", printed(t, "1301", "000d", strings.Join(many, ","), ""), JA4Stream, "")
	f("as many as there may be", printed(t, strings.Join(many[1:], ","), "0017", "", ""), JA4Stream, "t12i990100_0f33ad23c52c_1ca028f07214")
}

func TestJA4OfACutHelloIsNone(t *testing.T) {
	body := printed(t, chromeSuites, chromeExtensions, chromeSignatures, "h2")
	for n := range body {
		var h ClientHello
		if Parse(body[:n], false, false, &h) && len(new(JA4).Append(nil, &h, JA4Stream)) > 0 {
			t.Fatalf("cut at %d: a fingerprint", n)
		}
	}
}

func TestJA4AllocatesNothing(t *testing.T) {
	var h ClientHello
	if !Parse(printed(t, chromeSuites, chromeExtensions, chromeSignatures, "h2"), false, true, &h) {
		t.Fatal("not read")
	}
	room, j := make([]byte, 0, 64), new(JA4)
	if n := testing.AllocsPerRun(100, func() { room = j.Append(room[:0], &h, JA4Stream) }); n != 0 || string(room) != chromeJA4 {
		t.Errorf("%v allocations, %s", n, room)
	}
}

func BenchmarkJA4(b *testing.B) {
	var h ClientHello
	if !Parse(wire.HelloBody(flight(b, "api.example.com", true)), false, true, &h) {
		b.Fatal("not read")
	}
	room, j := make([]byte, 0, 64), new(JA4)
	b.ReportAllocs()
	for b.Loop() {
		room = j.Append(room[:0], &h, JA4Stream)
	}
}
