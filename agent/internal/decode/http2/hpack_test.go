package http2

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"
	"pgregory.net/rapid"
)

// summary is what a block says, in words.
type summary struct {
	Method, Path, Authority string
	Hosts                   []string
	Fields, Unknown         int
	Response                bool
	Status                  Status
}

func decode(d *Decoder, block []byte) summary {
	var r Request
	status := d.Decode(block, &r)
	s := summary{
		Method: string(r.Method), Path: string(r.Path), Authority: string(r.Authority),
		Fields: r.Fields, Unknown: r.Unknown, Response: r.Response, Status: status,
	}
	for _, h := range r.Hosts() {
		s.Hosts = append(s.Hosts, string(h))
	}
	return s
}

func compare(t *testing.T, what string, got, want summary) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", what, diff)
	}
}

// encoder is the one of x/net, whose blocks are read back.
type encoder struct {
	*hpack.Encoder
	out bytes.Buffer
}

func newEncoder() *encoder {
	e := &encoder{}
	e.Encoder = hpack.NewEncoder(&e.out)
	return e
}

func (e *encoder) block(t testing.TB, fields ...string) []byte {
	t.Helper()
	for i := 0; i < len(fields); i += 2 {
		if err := e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			t.Fatal(err)
		}
	}
	b := bytes.Clone(e.out.Bytes())
	e.out.Reset()
	return b
}

// The examples of RFC 7541, appendix C.3 and C.4: three requests on one
// connection, without and with Huffman coding.
func TestExamplesOfTheRFC(t *testing.T) {
	plain := []string{
		"828684410f7777772e6578616d706c652e636f6d",
		"828684be58086e6f2d6361636865",
		"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
	}
	coded := []string{
		"828684418cf1e3c2e5f23a6ba0ab90f4ff",
		"828684be5886a8eb10649cbf",
		"828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
	}
	for name, blocks := range map[string][]string{"plain": plain, "coded": coded} {
		d := NewDecoder()
		for i, text := range blocks {
			var block []byte
			if _, err := fmt.Sscanf(text, "%x", &block); err != nil {
				t.Fatal(err)
			}
			want := summary{Method: "GET", Path: "/", Authority: "www.example.com", Fields: 4 + min(i, 1)}
			if i == 2 {
				want.Path = "/index.html"
			}
			compare(t, fmt.Sprint(name, i), decode(d, block), want)
		}
		if d.table.cost != 164 || d.table.count() != 3 {
			t.Errorf("%s: the table holds %d entries of %d bytes, the RFC says 3 of 164", name, d.table.count(), d.table.cost)
		}
	}
}

func TestBlocksOfXNet(t *testing.T) {
	e, d := newEncoder(), NewDecoder()
	for i := range 200 {
		path := fmt.Sprintf("/v1/items/%d?key=secret%d", i, i)
		block := e.block(t, ":method", "POST", ":scheme", "http", ":path", path, ":authority", "a.example", "host", "b.example",
			"cookie", strings.Repeat("c", i*7), "x-number", fmt.Sprint(i))
		want := summary{Method: "POST", Path: fmt.Sprintf("/v1/items/%d", i), Authority: "a.example", Hosts: []string{"b.example"}, Fields: 7}
		compare(t, path, decode(d, block), want)
	}
	if d.Held() > 3*DefaultTable {
		t.Errorf("%d bytes are held for a table of %d", d.Held(), DefaultTable)
	}
}

// A client says itself how large a table it uses; sizes go down and up.
func TestTableSizeUpdates(t *testing.T) {
	e, d := newEncoder(), NewDecoder()
	e.SetMaxDynamicTableSizeLimit(1 << 20)
	for i, size := range []uint32{4096, 0, 100, 65536, 4096, 1 << 20, 50} {
		e.SetMaxDynamicTableSize(size)
		for n := range 50 {
			host := fmt.Sprintf("host-%d-%d.example", i, n%7)
			got := decode(d, e.block(t, ":method", "GET", ":path", "/", ":authority", host, "x-filler", strings.Repeat("x", 100)))
			if got.Unknown == 0 {
				compare(t, host, got, summary{Method: "GET", Path: "/", Authority: host, Fields: 4})
			}
			if size <= MaxTable && got.Unknown != 0 {
				t.Fatalf("table of %d: %+v", size, got)
			}
		}
		if got := d.table.most; got != min(int(size), MaxTable) {
			t.Errorf("limit %d after %d", got, size)
		}
	}
}

// A table larger than is kept is followed: what is not kept is unknown.
func TestEntriesBehindTheLargestTableAreUnknown(t *testing.T) {
	e, d := newEncoder(), NewDecoder()
	e.SetMaxDynamicTableSizeLimit(1 << 24)
	e.SetMaxDynamicTableSize(1 << 24)
	decode(d, e.block(t, ":authority", "first.example"))
	for i := range 200 {
		decode(d, e.block(t, "x-filler", fmt.Sprint(i, strings.Repeat("x", 1000))))
	}
	got := decode(d, e.block(t, ":method", "GET", ":path", "/", ":authority", "first.example"))
	compare(t, "an old entry", got, summary{Method: "GET", Path: "/", Fields: 3, Unknown: 1})
	if d.Held() > 3*MaxTable {
		t.Errorf("%d bytes are held", d.Held())
	}
}

func TestMiddleOfAConnection(t *testing.T) {
	e := newEncoder()
	fields := []string{":method", "GET", ":path", "/old", ":authority", "old.example"}
	e.block(t, fields...)
	d := NewDecoder()
	d.Lose()
	compare(t, "entries of before", decode(d, e.block(t, fields...)), summary{Method: "GET", Fields: 3, Unknown: 2})
	fields[3], fields[5] = "/new", "new.example"
	e.block(t, "x-before", "not seen") // shifts nothing that is known
	d.Lose()
	want := summary{Method: "GET", Path: "/new", Authority: "new.example", Fields: 3}
	compare(t, "new entries", decode(d, e.block(t, fields...)), want)
	compare(t, "new entries again", decode(d, e.block(t, fields...)), want)
	// An emptied table is known again: what is not in it is an error.
	d.Lose()
	if got := decode(d, []byte{0x20, 0xbe}); got.Status != Malformed {
		t.Errorf("an index into an emptied table: %+v", got)
	}
	// The name of a literal may stand in an unknown entry.
	d.Lose()
	compare(t, "unknown name", decode(d, []byte{0x7e, 1, 'x', 0xbe}), summary{Fields: 2, Unknown: 2})
}

func TestNothingSecretIsKept(t *testing.T) {
	e, d := newEncoder(), NewDecoder()
	var r Request
	for range 2 {
		block := e.block(t, ":method", "POST", ":path", "/mcp", ":authority", "a.example", "authorization", "Bearer sk-secret", "cookie", "id=secret",
			"mcp-session-id", "secret", "mcp-method", "secret", "x-api-key", "secret", "content-type", "application/json")
		if d.Decode(block, &r) != Whole || r.Fields != 9 {
			t.Fatalf("%+v", r)
		}
		if bytes.Contains(d.table.values, []byte("secret")) || bytes.Contains(r.text, []byte("secret")) {
			t.Errorf("kept: %q and %q", d.table.values, r.text)
		}
	}
}

func TestUnsoundBlocks(t *testing.T) {
	f := func(what string, want Status, block ...byte) {
		t.Helper()
		if got := decode(NewDecoder(), block); got.Status != want {
			t.Errorf("%s: %+v", what, got)
		}
	}
	f("index 0", Malformed, 0x80)
	f("index beyond the table", Malformed, 0xbe)
	f("index cut", Truncated, 0xff)
	f("index too large", Malformed, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
	f("index with empty bytes", Malformed, 0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0)
	f("name beyond the table", Malformed, 0x7f, 0, 0)
	f("no name", Truncated, 0x40)
	f("name cut", Truncated, 0x40, 5, 'a')
	f("no value", Truncated, 0x40, 1, 'a')
	f("value cut", Truncated, 0x41, 5, 'a')
	f("padding of a byte", Malformed, 0x41, 0x82, 0x1f, 0xff) // "a", then padding
	f("padding of zeros", Malformed, 0x41, 0x81, 0x18)
	f("end of string", Malformed, 0x41, 0x84, 0xff, 0xff, 0xff, 0xff)
	f("name with unsound coding", Malformed, 0x40, 0x81, 0x00, 0x00)
	f("never to be indexed", Whole, 0x11, 1, 'a')
	f("empty", Whole)
}

func TestLongValuesAreCutAndCounted(t *testing.T) {
	e, d := newEncoder(), NewDecoder()
	var r Request
	long := "/" + strings.Repeat("a", 3*maxValue)
	if d.Decode(e.block(t, ":path", long, ":authority", "a.example"), &r) != Whole || len(r.Path) != maxValue || r.Dropped != 1 || string(r.Authority) != "a.example" {
		t.Errorf("path of %d bytes, %d dropped, %q", len(r.Path), r.Dropped, r.Authority)
	}
	// A block that refers to one long value again and again costs no more than is kept.
	e.SetMaxDynamicTableSizeLimit(MaxTable)
	e.SetMaxDynamicTableSize(MaxTable)
	block := e.block(t, "user-agent", strings.Repeat("a", 4000))
	block = append(block, bytes.Repeat([]byte{0xbe}, MaxBlock-len(block))...)
	if d.Decode(block, &r) != Whole || len(r.text) > maxText || r.Dropped < MaxBlock/2 {
		t.Errorf("%d bytes of text, %d dropped", len(r.text), r.Dropped)
	}
}

// Whatever is encoded is read: whole blocks of any fields, at any table size.
func TestAgreesWithXNet(t *testing.T) {
	names := []string{":method", ":path", ":authority", "host", "cookie", "accept", "x-a", "user-agent", strings.Repeat("n", 40)}
	rapid.Check(t, func(t *rapid.T) {
		e, d := newEncoder(), NewDecoder()
		e.SetMaxDynamicTableSizeLimit(MaxTable)
		for range rapid.IntRange(1, 20).Draw(t, "blocks") {
			if rapid.IntRange(0, 4).Draw(t, "resize") == 0 {
				e.SetMaxDynamicTableSize(rapid.Uint32Range(0, 8192).Draw(t, "size"))
			}
			want := summary{}
			for range rapid.IntRange(0, 12).Draw(t, "fields") {
				f := hpack.HeaderField{
					Name: rapid.SampledFrom(names).Draw(t, "name"), Value: "/" + rapid.StringMatching(`[ -~]{0,60}|[\x00-\xff]{0,5}`).Draw(t, "value"),
					Sensitive: rapid.Bool().Draw(t, "sensitive"),
				}
				if strings.ContainsAny(f.Value, "?#@") {
					continue
				}
				if err := e.WriteField(f); err != nil {
					t.Fatal(err)
				}
				want.Fields++
				switch f.Name {
				case ":method":
					want.Method = f.Value
				case ":path":
					want.Path = f.Value
				case ":authority":
					want.Authority = f.Value
				case "host":
					if len(want.Hosts) < 4 {
						want.Hosts = append(want.Hosts, f.Value)
					}
				}
			}
			got := decode(d, e.out.Bytes())
			e.out.Reset()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
		}
	})
}

func TestHuffmanTable(t *testing.T) {
	for c := range 256 {
		text := string([]byte{byte(c)})
		coded := hpack.AppendHuffmanString(nil, text)
		got, n, ok := huffman(nil, coded, 10)
		if string(got) != text || n != 1 || !ok {
			t.Errorf("%q is read as %q, %d, %v", text, got, n, ok)
		}
	}
}

// FuzzHPACK holds the decoder against that of x/net, block after block: what
// that one reads is read alike, and what is kept is bounded.
func FuzzHPACK(f *testing.F) {
	e := newEncoder()
	for range 2 {
		f.Add(e.block(f, ":method", "GET", ":scheme", "http", ":path", "/v1/models", ":authority", "a.example"),
			e.block(f, ":method", "GET", ":scheme", "http", ":path", "/v1/models", ":authority", "a.example", "x-new", "\x00\xff"), false)
	}
	f.Add([]byte{0x3f, 0xe1, 0x1f, 0x40, 1, 'a', 1, 'b'}, []byte{0xbe, 0x20, 0xbe}, false)
	f.Add([]byte{0x82}, []byte{0xbe, 0x7e, 0x81, 0x1f}, true)
	f.Fuzz(func(t *testing.T, one, two []byte, midway bool) {
		var fields []hpack.HeaderField
		theirs := hpack.NewDecoder(DefaultTable, func(h hpack.HeaderField) { fields = append(fields, h) })
		d := NewDecoder()
		if midway {
			d.Lose()
		}
		for _, block := range [][]byte{one, two} {
			block = block[:min(len(block), MaxBlock)]
			var r Request
			status := d.Decode(block, &r)
			checkBounds(t, d, &r, len(block))
			fields = nil
			_, err := theirs.Write(block)
			if err == nil {
				err = theirs.Close()
			}
			if err != nil || midway {
				return
			}
			if status != Whole || r.Fields != len(fields) || r.Unknown != 0 {
				t.Fatalf("%x: %v, %d fields, %d unknown; want %v", block, status, r.Fields, r.Unknown, fields)
			}
			for name, got := range map[string][]byte{":method": r.Method, ":path": r.Target} {
				want := ""
				for _, h := range fields {
					if strings.EqualFold(h.Name, name) {
						want = h.Value
					}
				}
				if want = want[:min(len(want), maxValue)]; string(got) != want && r.Dropped == 0 {
					t.Fatalf("%x: %s is %q, want %q", block, name, got, want)
				}
			}
		}
	})
}

func checkBounds(t *testing.T, d *Decoder, r *Request, block int) {
	t.Helper()
	tab := &d.table
	if tab.cost > tab.most || tab.most > MaxTable || len(r.text) > maxText || tab.count() > tab.most/entryCost {
		t.Fatalf("cost %d of %d, %d bytes of text, %d entries", tab.cost, tab.most, len(r.text), tab.count())
	}
	sum := 0
	for _, e := range tab.entries[tab.gone:] {
		sum += int(e.cost)
		if int(e.at-tab.base)+int(e.length) > len(tab.values) {
			t.Fatalf("%+v of %d bytes from %d", e, len(tab.values), tab.base)
		}
	}
	if sum != tab.cost || r.Fields > block {
		t.Fatalf("cost %d, entries say %d; %d fields in %d bytes", tab.cost, sum, r.Fields, block)
	}
}

func TestDecodingAllocatesNothingInTheLongRun(t *testing.T) {
	e, d := newEncoder(), NewDecoder()
	var blocks [][]byte
	for i := range 100 {
		blocks = append(blocks, e.block(t, ":method", "POST", ":scheme", "http", ":authority", "a.example", ":path", fmt.Sprintf("/v1/chat/%d", i),
			"user-agent", "grpc-go/1.0", "cookie", fmt.Sprint(i)))
	}
	var r Request
	for _, b := range slices.Repeat(blocks, 3) { // the encoder is no longer in step, the sizes are
		d.Decode(b, &r)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range blocks {
			if d.Decode(b, &r) != Whole {
				t.Fatal("not read")
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	e := newEncoder()
	fields := []string{":method", "POST", ":scheme", "http", ":authority", "llm.internal.example:8000", ":path", "/v1/chat/completions",
		"user-agent", "OpenAI/Python 1.30.1", "content-type", "application/json", "authorization", "Bearer 0123456789abcdef", "content-length", "512"}
	first, again := e.block(b, fields...), e.block(b, fields...)
	run := func(name string, block []byte, prepare bool) {
		b.Run(name, func(b *testing.B) {
			d := NewDecoder()
			var r Request
			if prepare {
				d.Decode(first, &r)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(block)))
			for b.Loop() {
				if d.Decode(block, &r) != Whole {
					b.Fatal("not read")
				}
			}
		})
	}
	run("literals", first, false)
	run("indexed", again, true)
}
