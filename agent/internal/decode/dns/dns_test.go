package dns

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// questions lists the names that a message asks for.
func questions(msg []byte) (names []string, failed bool) {
	var r Reader
	if !r.Open(msg) {
		return nil, true
	}
	var name Name
	var q Question
	for r.Question(&name, &q) {
		names = append(names, name.String())
	}
	return names, r.Failed()
}

// asking returns a query whose name is given as it is on the wire.
func asking(name []byte) []byte {
	return wire.Join([]byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, name, []byte{0, 1, 0, 1})
}

func TestNames(t *testing.T) {
	f := func(what string, name []byte, want string) {
		t.Helper()
		names, failed := questions(asking(name))
		if want == "" {
			if !failed || len(names) > 0 {
				t.Errorf("%s: read as %q", what, names)
			}
			return
		}
		if failed || len(names) != 1 || names[0] != want {
			t.Errorf("%s: %q, want %q", what, names, want)
		}
	}
	label := strings.Repeat("a", 63)
	f("usual", wire.DNSName("api.Example.COM"), "api.Example.COM")
	f("root", []byte{0}, ".")
	f("control characters", []byte("\x05a\x00\x1a\r\x7f\x00"), `a\000\032\r\177`)
	f("dot and backslash in a label", []byte("\x05a.b\\c\x03com\x00"), `a\056b\c.com`)
	f("no UTF-8", []byte("\x03a\xffb\x00"), "a\uFFFDb")
	f("UTF-8", []byte("\x03\xc3\xbcb\x00"), "üb")
	f("blank", []byte("\x03a b\x00"), "a b")
	f("longest", wire.DNSName(label+"."+label+"."+label+"."+label[:61]), label+"."+label+"."+label+"."+label[:61])
	f("too long", wire.DNSName(label+"."+label+"."+label+"."+label[:62]), "")
	f("label beyond the end", []byte("\x3fa"), "")
	f("reserved label type", []byte("\x41a\x00"), "")
	f("pointer to itself", []byte{0xc0, 12}, "")
	f("pointer forwards", []byte{0xc0, 14, 1, 'a', 0}, "")
	f("pointer into the header", []byte{0xc0, 4}, "")
}

func TestCompressionLoopsEnd(t *testing.T) {
	// A label, then a pointer back to it: it would grow for ever.
	names, failed := questions(asking([]byte("\x01a\xc0\x0c")))
	if !failed || names != nil {
		t.Errorf("%q", names)
	}
	// A long chain of pointers that do lead backwards.
	chain := []byte{0}
	for at := headerSize; len(chain) < 400; at += 2 {
		to := max(at-1, headerSize)
		chain = append(chain, 0xc0|byte(to>>8), byte(to))
	}
	msg := wire.Join([]byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, chain)
	var name Name
	if next := name.read(msg, len(msg)-2); next >= 0 {
		t.Error("a chain of more than maxPointers is followed")
	}
}

func TestQuestionsAreAllReadAndBounded(t *testing.T) {
	body := wire.Join(wire.DNSName("one.example"), []byte{0, 1, 0, 1}, []byte{0xc0, 12, 0, 28, 0, 1})
	names, failed := questions(wire.Join([]byte{0, 7, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0}, body))
	if diff := cmp.Diff([]string{"one.example", "one.example"}, names); diff != "" || failed {
		t.Error(diff)
	}
	if names, failed := questions(wire.Join([]byte{0, 7, 1, 0, 0, 3, 0, 0, 0, 0, 0, 0}, body)); len(names) != 2 || !failed {
		t.Errorf("a third question that is not there: %q", names)
	}
	many := wire.Join([]byte{0, 7, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0})
	for range 256 {
		many = append(many, 1, 'a', 0, 0, 1, 0, 1)
	}
	if names, _ := questions(many); len(names) != maxQuestions {
		t.Errorf("%d questions", len(names))
	}
	if _, failed := questions(make([]byte, headerSize-1)); !failed {
		t.Error("a short header is read")
	}
}

func TestAnswers(t *testing.T) {
	target := wire.DNSName("edge.cdn.example")
	hints := wire.Join(wire.U16(1), []byte{0},
		wire.U16(paramALPN), wire.U16(3), []byte("\x02h2"),
		wire.U16(paramIPv4Hint), wire.U16(8), []byte{192, 0, 2, 9, 192, 0, 2, 10},
		wire.U16(paramECH), wire.U16(2), []byte{1, 2},
		wire.U16(paramIPv6Hint), wire.U16(16), make([]byte, 16),
		wire.U16(paramDoHPath), wire.U16(6), []byte("/q{?d}"))
	msg := wire.DNSAnswer(1, "api.example.com", TypeA,
		wire.DNSRecord([]byte{0xc0, 12}, TypeCNAME, 60, target),
		wire.DNSRecord(target, TypeA, 61, []byte{192, 0, 2, 1}),
		wire.DNSRecord(target, TypeAAAA, 62, netip.MustParseAddr("2001:db8::1").AsSlice()),
		wire.DNSRecord([]byte{0xc0, 12}, TypeHTTPS, 63, hints),
		wire.DNSRecord(target, TypeA, 64, []byte{1, 2, 3}))
	var r Reader
	var name, alias Name
	var q Question
	if !r.Open(msg) || !r.Header.Response || !r.Question(&name, &q) || r.Question(&name, &q) {
		t.Fatal("not read")
	}
	var got []string
	var rec Record
	for r.Answer(&name, &rec) {
		text := name.String() + " " + TypeName(rec.Type)
		if address, ok := rec.Address(); ok {
			text += " " + address.String()
		}
		if r.Alias(&rec, &alias) {
			text += " " + alias.String()
		}
		var s Service
		if r.Service(&rec, &s) {
			text += " " + s.Target.String()
			if string(s.ECH) != "\x01\x02" || !s.DoH || s.Priority != 1 || len(s.IPv4) != 8 || len(s.IPv6) != 16 {
				t.Errorf("service %+v", s)
			}
		}
		got = append(got, text)
	}
	want := []string{
		"api.example.com CNAME edge.cdn.example", "edge.cdn.example A 192.0.2.1", "edge.cdn.example AAAA 2001:db8::1",
		"api.example.com HTTPS .", "edge.cdn.example A",
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Failed() {
		t.Error(diff)
	}
	for n := range msg {
		if !r.Open(msg[:n]) {
			continue
		}
		for r.Question(&name, &q) {
		}
		count := 0
		for r.Answer(&name, &rec) {
			count++
		}
		if count > 5 || !r.Failed() {
			t.Errorf("cut at %d: %d records", n, count)
		}
	}
}

func TestServiceOfUnsoundRecords(t *testing.T) {
	for name, data := range map[string][]byte{
		"short":                  {0, 1},
		"target beyond the data": {0, 1, 9, 'a'},
		"parameter too long":     {0, 1, 0, 0, 1, 0, 9, 1},
		"bytes left":             {0, 1, 0, 0, 1},
	} {
		msg := wire.DNSAnswer(1, "a.example", TypeHTTPS, wire.DNSRecord([]byte{0xc0, 12}, TypeHTTPS, 1, data))
		var r Reader
		var n Name
		var q Question
		var rec Record
		var s Service
		if !r.Open(msg) || !r.Question(&n, &q) || !r.Answer(&n, &rec) || r.Service(&rec, &s) {
			t.Errorf("%s: read", name)
		}
	}
}

func TestFrame(t *testing.T) {
	msg := wire.DNSQuery(1, "a.example", 1)
	stream := wire.DNSStream(msg)
	for n := range stream {
		if got, need := Frame(stream[:n]); got != nil || need <= n {
			t.Errorf("%d bytes: needs %d", n, need)
		}
	}
	if got, need := Frame(append(stream, 9, 9)); string(got) != string(msg) || need != len(stream) {
		t.Errorf("needs %d", need)
	}
}

func TestLooksLikeMessage(t *testing.T) {
	query := wire.DNSQuery(1, "api.example.com", 1)
	answer := wire.DNSAnswer(1, "api.example.com", 1, wire.DNSRecord([]byte{0xc0, 12}, 1, 1, []byte{1, 2, 3, 4}))
	withEDNS := append(append([]byte{}, query...), 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0)
	withEDNS[11] = 1
	change := func(at int, to byte) []byte {
		b := append([]byte{}, query...)
		b[at] = to
		return b
	}
	f := func(name string, msg []byte, want bool) {
		t.Helper()
		if got := LooksLikeMessage(msg); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	f("query", query, true)
	f("answer", answer, true)
	f("query with EDNS", withEDNS, true)
	f("bytes behind", append(append([]byte{}, query...), 0), false)
	f("opcode", change(2, 0x29), false)
	f("reserved bit", change(3, 0x40), false)
	f("two questions", change(5, 2), false)
	f("a query with an answer", change(7, 1), false)
	f("a name of other characters", change(14, '!'), false)
	f("class", change(len(query)-1, 7), false)
	f("root", asking([]byte{0}), false)
	f("cut", query[:len(query)-3], false)
	f("nothing", nil, false)
}

func TestReadingAllocatesNothing(t *testing.T) {
	target := wire.DNSName("edge.cdn.example")
	msg := wire.DNSAnswer(1, "api.example.com", TypeA,
		wire.DNSRecord([]byte{0xc0, 12}, TypeCNAME, 60, target), wire.DNSRecord(target, TypeA, 61, []byte{192, 0, 2, 1}))
	var r Reader
	var name, alias Name
	var q Question
	var rec Record
	count := 0
	if n := testing.AllocsPerRun(100, func() {
		r.Open(msg)
		for r.Question(&name, &q) {
			count += len(name.Bytes())
		}
		for r.Answer(&name, &rec) {
			r.Alias(&rec, &alias)
			count++
		}
	}); n != 0 || count == 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkQuery(b *testing.B) {
	msg := wire.DNSQuery(1, "api.example.com", TypeA)
	var r Reader
	var name Name
	var q Question
	b.ReportAllocs()
	for b.Loop() {
		if !r.Open(msg) || !r.Question(&name, &q) {
			b.Fatal("not read")
		}
	}
}
