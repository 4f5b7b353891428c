package tls

import (
	"bytes"
	"crypto/tls"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// flight returns the first flight of a real client; quantum adds a
// post-quantum key share, with which a hello no longer fits one segment.
func flight(t testing.TB, name string, quantum bool) []byte {
	t.Helper()
	config := &tls.Config{ServerName: name, NextProtos: []string{"h2", "http/1.1"}}
	config.CurvePreferences = []tls.CurveID{tls.X25519}
	if quantum {
		config.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768, tls.X25519}
	}
	b, err := wire.ClientHello(config)
	if err != nil {
		t.Fatal(err)
	}
	if quantum != (len(b) > 1200) {
		t.Fatalf("the hello has %d bytes", len(b))
	}
	return b
}

func protocols(h *ClientHello) []string {
	var list []string
	for p := range h.ALPN() {
		list = append(list, string(p))
	}
	return list
}

// hello builds a ClientHello body from extensions, each with its header.
func hello(extensions ...[]byte) []byte {
	all := wire.Join(extensions...)
	return wire.Join([]byte{3, 3}, make([]byte, 32), []byte{0}, wire.U16(2), []byte{0x13, 1}, []byte{1, 0}, wire.U16(len(all)), all)
}

func extension(kind int, data []byte) []byte {
	return wire.Join(wire.U16(kind), wire.U16(len(data)), data)
}

func serverName(name string) []byte {
	entry := wire.Join([]byte{0}, wire.U16(len(name)), []byte(name))
	return extension(extensionServerName, wire.Join(wire.U16(len(entry)), entry))
}

func TestParseRealHello(t *testing.T) {
	for _, quantum := range []bool{false, true} {
		var h ClientHello
		if !Parse(wire.HelloBody(flight(t, "api.example.com", quantum)), false, true, &h) {
			t.Fatal("not read")
		}
		if string(h.ServerName) != "api.example.com" || h.Version != 0x304 || h.ECH.Present || h.ESNI || h.Partial {
			t.Errorf("%+v", h)
		}
		if diff := cmp.Diff([]string{"h2", "http/1.1"}, protocols(&h)); diff != "" || !h.HasALPN() {
			t.Error(diff)
		}
	}
}

func TestParseKindsOfHello(t *testing.T) {
	f := func(name string, body []byte, ok bool, want ClientHello) {
		t.Helper()
		var h ClientHello
		if got := Parse(body, false, true, &h); got != ok {
			t.Errorf("%s: %v, want %v", name, got, ok)
			return
		}
		h.alpn, h.print = nil, fingerprint{}
		if diff := cmp.Diff(want, h, cmp.AllowUnexported(ClientHello{}, fingerprint{})); ok && diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	versions := extension(extensionSupportedVersions, []byte{6, 0x8a, 0x8a, 3, 4, 3, 3}) // the first is GREASE
	two := wire.Join([]byte{0}, wire.U16(1), []byte("a"), []byte{0}, wire.U16(1), []byte("b"))
	other := wire.Join([]byte{7}, wire.U16(1), []byte("x"), []byte{0}, wire.U16(1), []byte("b"))
	f("none", nil, false, ClientHello{})
	f("no extensions", hello()[:2+32+1+4+2], true, ClientHello{Version: 0x303})
	f("empty extensions", hello(), true, ClientHello{Version: 0x303})
	f("versions", hello(versions), true, ClientHello{Version: 0x304})
	f("ECH", hello(serverName("cloudflare-ech.com"), extension(extensionECH, make([]byte, 100))), true,
		ClientHello{Version: 0x303, ECH: ECH{Present: true}, ServerName: []byte("cloudflare-ech.com")})
	f("ESNI", hello(extension(extensionESNI, make([]byte, 100))), true, ClientHello{Version: 0x303, ESNI: true})
	f("two names", hello(extension(0, wire.Join(wire.U16(len(two)), two))), true, ClientHello{Version: 0x303, ServerName: []byte("a")})
	f("name of another kind first", hello(extension(0, wire.Join(wire.U16(len(other)), other))), true, ClientHello{Version: 0x303, ServerName: []byte("b")})
	f("empty name", hello(serverName("")), true, ClientHello{Version: 0x303})
	f("list shorter than its name", hello(extension(0, []byte{0, 5, 0, 0, 9, 'a', 'b'})), true, ClientHello{Version: 0x303})
	f("ALPN that claims too much", hello(extension(extensionALPN, []byte{0, 9, 200, 'h'})), true, ClientHello{Version: 0x303})
	broken := hello(serverName("good.example"), extension(99, make([]byte, 9)))
	f("last extension beyond the end", broken[:len(broken)-4], true, ClientHello{Version: 0x303, ServerName: []byte("good.example"), Partial: true})
	f("version 2", append([]byte{0, 2}, hello()[2:]...), false, ClientHello{})
	f("long session id", append(append(hello()[:34:34], 33), make([]byte, 300)...), false, ClientHello{})
	f("odd cipher suites", append(append(hello()[:34:34], 0, 0, 3), make([]byte, 300)...), false, ClientHello{})
	f("no cipher suites", append(append(hello()[:34:34], 0, 0, 0), make([]byte, 300)...), false, ClientHello{})
}

// A hello cut anywhere is still a hello, and shows its name once the name is
// there; it never shows another one.
func TestParseCutHello(t *testing.T) {
	body := wire.HelloBody(flight(t, "api.example.com", true))
	at := bytes.Index(body, []byte("api.example.com")) + len("api.example.com")
	for n := 34; n < len(body); n++ {
		var h ClientHello
		if !Parse(body[:n], false, false, &h) || !h.Partial {
			t.Fatalf("cut at %d: not read", n)
		}
		want := ""
		if n >= at {
			want = "api.example.com"
		}
		if string(h.ServerName) != want {
			t.Errorf("cut at %d: %q, want %q", n, h.ServerName, want)
		}
	}
}

// However a hello is spread over records, it is read whole, and never before
// Need says so.
func TestNextOverRecords(t *testing.T) {
	one := flight(t, "api.example.com", true)
	scratch := make([]byte, MaxHello)
	for _, size := range []int{len(one), 1000, 100, 40, 1} {
		stream := wire.Records(one, size)
		tail := []byte{0x14, 3, 3, 0, 1, 1}
		need := 0
		for n := range stream {
			r := Next(stream[:n], scratch, false)
			if r.Status != NeedMore || r.Need <= n || r.Need > len(stream) || r.Need < need {
				t.Fatalf("records of %d, first %d bytes: %+v", size, n, r)
			}
			need = r.Need
		}
		r := Next(append(bytes.Clone(stream), tail...), scratch, false)
		if r.Status != Hello || r.Consumed != len(stream) || !bytes.Equal(r.Body, wire.HelloBody(one)) {
			t.Errorf("records of %d: %v, %d of %d bytes", size, r.Status, r.Consumed, len(stream))
		}
	}
	long := wire.Records(wire.Join([]byte{22, 3, 1, 0, 0, 1, 0, 0x80, 0}, make([]byte, 0x8000)), 1)
	if r := Next(long, scratch, false); r.Status != Oversized {
		t.Errorf("more than MaxRecords: %v", r.Status)
	}
}

func TestNextOfOtherThings(t *testing.T) {
	scratch := make([]byte, MaxHello)
	f := func(name string, b []byte, want Status, consumed int) {
		t.Helper()
		r := Next(b, scratch, false)
		if r.Status != want || r.Consumed != consumed {
			t.Errorf("%s: %+v", name, r)
		}
	}
	f("empty", nil, NeedMore, 0)
	f("application data, longer than what is there", []byte{23, 3, 3, 1, 0, 9}, Other, 5+256)
	f("alert", []byte{21, 3, 3, 0, 2, 2, 40}, Other, 7)
	f("server hello", []byte{22, 3, 3, 0, 50, 2, 0, 0, 46}, Other, 55)
	f("content type 30", []byte{30, 3, 3, 0, 2, 2, 40}, NotTLS, 0)
	f("version 9", []byte{22, 9, 3, 0, 2, 2, 40}, NotTLS, 0)
	f("record too long", []byte{22, 3, 3, 0xff, 0, 1}, NotTLS, 0)
	f("record of nothing", []byte{22, 3, 3, 0, 0, 1}, NotTLS, 0)
	f("hello too long", []byte{22, 3, 3, 0x40, 0, 1, 9, 0, 0}, Oversized, 5+0x4000)
	if r := Next([]byte{22, 3}, scratch, true); r.Status != NotTLS {
		t.Errorf("two last bytes: %+v", r)
	}
}

func TestNextOfTheLastBytes(t *testing.T) {
	one := flight(t, "api.example.com", true)
	scratch := make([]byte, MaxHello)
	for _, stream := range [][]byte{one, wire.Records(one, 300)} {
		r := Next(stream[:len(stream)-10], scratch, true)
		if r.Status != Hello || !r.Partial {
			t.Errorf("%+v", r)
		}
	}
	// A record of something else in the middle ends the hello.
	records := wire.Records(one, 1000)
	records[5+1000] = 23
	if r := Next(records, scratch, false); r.Status != Hello || !r.Partial || r.Consumed != 1005 {
		t.Errorf("%v %v, %d consumed", r.Status, r.Partial, r.Consumed)
	}
}

func TestStartsLikeHello(t *testing.T) {
	one := flight(t, "a.example", false)
	for n := 1; n <= len(one); n++ {
		if !StartsLikeHello(one[:n]) {
			t.Errorf("not after %d bytes", n)
		}
	}
	for _, b := range []string{"", "G", "\x16\x04", "\x16\x03\x09", "\x16\x03\x01\x00\x00", "\x16\x03\x01\x00\x40\x02"} {
		if StartsLikeHello([]byte(b)) {
			t.Errorf("%q starts like a hello", b)
		}
	}
}

func TestDatagramHello(t *testing.T) {
	body := wire.HelloBody(flight(t, "dtls.example.com", false))
	whole := wire.DatagramHello(body, 1<<14)
	var f Fragment
	rest, ok := NextFragment(whole[0], &f)
	if !ok || !f.Whole() || len(rest) != 0 || !StartsLikeDatagram(whole[0]) {
		t.Fatalf("%v, %+v", ok, f)
	}
	var h ClientHello
	if !Parse(f.Data, true, true, &h) || string(h.ServerName) != "dtls.example.com" {
		t.Fatalf("%+v", h)
	}
	parts := wire.DatagramHello(body, 50)
	rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	var a Assembly
	for b := bytes.Join(parts, nil); len(b) > 0; { // all of them in one datagram
		if b, ok = NextFragment(b, &f); !ok || f.Whole() || !a.Add(f.Offset, f.Data) {
			t.Fatalf("%v, %+v", ok, f)
		}
	}
	if got := a.Prefix(); len(got) != f.Length || !Parse(got, true, true, &h) || string(h.ServerName) != "dtls.example.com" {
		t.Errorf("%d of %d bytes", len(got), f.Length)
	}
	for name, bad := range map[string][]byte{
		"epoch 1":         append(append(bytes.Clone(whole[0][:3]), 0, 1), whole[0][5:]...),
		"another version": append([]byte{22, 3, 3}, whole[0][3:]...),
		"cut":             whole[0][:20],
	} {
		if _, ok := NextFragment(bad, &f); ok {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestAssemblyInAnyOrder(t *testing.T) {
	message := []byte(strings.Repeat("a message of some length; ", 60))
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 7))
		var pieces [][2]int
		for at := 0; at < len(message); {
			n := min(1+random.IntN(200), len(message)-at)
			pieces = append(pieces, [2]int{max(at-random.IntN(20), 0), at + n}) // overlaps what is before
			at += n
		}
		random.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		var a Assembly
		for _, p := range pieces {
			if !a.Add(p[0], message[p[0]:p[1]]) {
				t.Fatalf("seed %d: refused", seed)
			}
		}
		if !bytes.Equal(a.Prefix(), message) {
			t.Fatalf("seed %d: %d of %d bytes", seed, len(a.Prefix()), len(message))
		}
		a.Reset()
		if a.Prefix() != nil || a.Held() != 0 {
			t.Fatal("something stays after Reset")
		}
	}
}

func TestAssemblyLimits(t *testing.T) {
	var a Assembly
	if a.Add(MaxHello, []byte{1}) || a.Add(-1, []byte{1}) {
		t.Error("a piece beyond the limit is taken")
	}
	taken := 0
	for i := range 2 * MaxPieces {
		if a.Add(1+10*i, []byte{byte(i)}) {
			taken++
		}
	}
	if taken != MaxPieces || a.Prefix() != nil {
		t.Errorf("%d stretches are kept", taken)
	}
	if !a.Add(0, make([]byte, 400)) || len(a.Prefix()) != 400 {
		t.Errorf("a piece that joins them is refused")
	}
}

func TestReadingAHelloAllocatesNothing(t *testing.T) {
	one, scratch := flight(t, "api.example.com", true), make([]byte, MaxHello)
	spread := wire.Records(one, 500)
	var h ClientHello
	count := 0
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range [][]byte{one, spread} {
			if r := Next(b, scratch, false); r.Status == Hello && Parse(r.Body, false, true, &h) {
				for p := range h.ALPN() {
					count += len(p)
				}
			}
		}
	}); n != 0 || count == 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHello(b *testing.B) {
	one, scratch := flight(b, "api.example.com", true), make([]byte, MaxHello)
	var h ClientHello
	b.ReportAllocs()
	for b.Loop() {
		if r := Next(one, scratch, false); !Parse(r.Body, false, true, &h) {
			b.Fatal("not read")
		}
	}
}
