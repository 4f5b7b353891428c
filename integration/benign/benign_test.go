package benign

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// graph writes names as a graph in the encoding that dafsa.go describes, as a
// tree: nothing is shared but a label with the offset that leads to it. All
// offsets are written in three bytes where wide is set.
func graph(names []string, wide bool) []byte {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	return node(names, wide)
}

// node writes the offsets of the first characters of rest, then what they lead
// to.
func node(rest []string, wide bool) []byte {
	var children [][]byte
	for len(rest) > 0 {
		if rest[0] == "" {
			children = append(children, []byte{valueBits | 1})
			rest = rest[1:]
			continue
		}
		n := 0
		var below []string
		for n < len(rest) && rest[n][0] == rest[0][0] {
			below = append(below, rest[n][1:])
			n++
		}
		label := []byte{rest[0][0]}
		if slices.Equal(below, []string{""}) {
			label = append(label, valueBits|1) // a last character without its bit: the value follows
		} else {
			label[0] |= endBit
			label = append(label, node(below, wide)...)
		}
		children = append(children, label)
		rest = rest[n:]
	}
	// The width of an offset depends on the others: take the widest that any
	// needs for all.
	for _, size := range []int{1, 2, 3} {
		if wide && size < 3 {
			continue
		}
		if out, fits := offsetsOf(children, size); fits {
			return out
		}
	}
	panic("the graph is too large for a test")
}

func offsetsOf(children [][]byte, size int) (out []byte, fits bool) {
	step := size * len(children) // from the node to the first child
	for i, child := range children {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(step))
		mark := map[int]byte{1: 0, 2: 0x40, 3: 0x60}[size]
		if step >= map[int]int{1: 0x40, 2: 0x2000, 3: 0x200000}[size] {
			return nil, false
		}
		word := b[4-size:]
		word[0] |= mark
		if i == len(children)-1 {
			word[0] |= endBit
		}
		out = append(out, word...)
		step = len(child)
	}
	for _, child := range children {
		out = append(out, child...)
	}
	return out, true
}

// many makes names that begin with every letter and digit, and holds the
// landmarks.
func many() []string {
	names := landmarks()
	for _, c := range "abcdefghijklmnopqrstuvwxyz0123456789" {
		names = append(names, string(c)+"-site.example", string(c)+".example.net", "www."+string(c)+".test")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestGraph(t *testing.T) {
	for _, wide := range []bool{false, true} {
		library := slices.Concat(bytes.Repeat([]byte("\x7fELF\x81\x00 text\xff\xe0"), 5000), graph(many(), wide), bytes.Repeat([]byte{0x81}, 100))
		at, err := Find(library, landmarks()...)
		if err != nil {
			t.Fatal(err)
		}
		names, err := Names(library, at)
		if diff := cmp.Diff(many(), names); diff != "" || err != nil {
			t.Errorf("wide %v: %v (-want +got):\n%s", wide, err, diff)
		}
		for name, want := range map[string]bool{"github.com": true, "github.co": false, "github.comm": false, "": false, "z.example.net": true, "unknown.test": false} {
			if got := Contains(library, at, name); got != want {
				t.Errorf("Contains(%q) = %v", name, got)
			}
		}
	}
	if _, err := Find(graph(many(), false), "absent.example"); !errors.Is(err, ErrNoGraph) {
		t.Errorf("a name that is not there: %v", err)
	}
}

func TestGraph_anyNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-e0-2.\-]{1,12}`), 1, 60, rapid.ID).Draw(t, "names")
		slices.Sort(names)
		data := graph(names, rapid.Bool().Draw(t, "wide"))
		got, err := Names(data, 0)
		if err != nil || !slices.Equal(got, names) {
			t.Fatalf("%v: %q became %q", err, names, got)
		}
		for _, name := range names {
			if !Contains(data, 0, name) {
				t.Fatalf("%q is not found", name)
			}
		}
	})
}

func TestNames_broken(t *testing.T) {
	loop := []byte{0x02, 0x81, 'a' | endBit, 0x00, 0x00}
	for name, data := range map[string][]byte{
		"empty":           {},
		"leads_outside":   {0x85},
		"no_host_name":    {0x81, '!' | endBit},
		"empty_name":      {0x81, valueBits},
		"label_unended":   {0x81, 'a'},
		"zero_step":       loop,
		"cut_wide_offset": {0xe0, 0x00},
	} {
		if names, err := Names(data, 0); !errors.Is(err, errBroken) {
			t.Errorf("%s: %q, %v", name, names, err)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add(graph([]string{"a.example", "b.example", "ab.example"}, false))
	f.Add(graph(many()[:20], true))
	f.Add([]byte{0x81, 'a' | endBit, 0x81, 'b', 0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1024 {
			return
		}
		at, err := Find(data, "github.com")
		if err == nil && !Contains(data, at, "github.com") {
			t.Fatal("Find returned a graph without the name")
		}
		names, err := Names(data, 0)
		if err != nil {
			return
		}
		for i, name := range names {
			if i > 0 && names[i-1] >= name {
				t.Fatalf("%q does not follow %q", name, names[i-1])
			}
			if name == "" || len(name) > maxName {
				t.Fatalf("the name %q", name)
			}
		}
	})
}

func TestFirefox(t *testing.T) {
	folder := t.TempDir()
	if _, err := Firefox(folder); !errors.Is(err, ErrNoFirefox) {
		t.Errorf("without a library: %v", err)
	}
	for name, data := range map[string][]byte{"libxul.so": graph(many(), false), "application.ini": []byte("[App]\nVendor=Mozilla\nVersion=1.2.3\n")} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source, err := Firefox(filepath.Join(folder, "absent"), folder)
	if err != nil || source.Version != "1.2.3" || len(source.Names) != len(many()) {
		t.Errorf("%v: version %q, %d names", err, source.Version, len(source.Names))
	}
	if err := os.WriteFile(filepath.Join(folder, "libxul.so"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Firefox(folder); !errors.Is(err, ErrNoGraph) {
		t.Errorf("a library without a list: %v", err)
	}
}

func TestMerge(t *testing.T) {
	names, counts := Merge([]Source{
		{Name: "first", Names: []string{"WWW.Example.org.", "b.example", "b.example", "127.0.0.1", "localhost", "a b"}},
		{Name: "second", Names: []string{"b.example", "c.example"}},
	})
	if diff := cmp.Diff([]string{"www.example.org", "b.example", "c.example"}, names); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, c := range counts {
		got = append(got, fmt.Sprintf("%s read %d refused %d new %d", c.Name, c.Read, c.Refused, c.New))
	}
	if diff := cmp.Diff([]string{"first read 6 refused 3 new 2", "second read 2 refused 0 new 1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadNames(t *testing.T) {
	names, err := ReadNames(strings.NewReader("# ranked\n1,google.com\r\n\n0.0.0.0 ads.example # ad\nplain.example\n"))
	if diff := cmp.Diff([]string{"google.com", "ads.example", "plain.example"}, names); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := ReadNames(strings.NewReader(strings.Repeat("a", 1<<17))); err == nil {
		t.Error("a line of 128 KiB was read")
	}
}

func TestReadRequests(t *testing.T) {
	name := filepath.Join(t.TempDir(), "requests.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("requests.json")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w, `{"url":"https://cdn.example/x?u=http%3A","frameUrl":"http://www.example:8080/"}`)
	fmt.Fprintln(w, `{"url":"https://cdn.example/y"}`)
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := ReadRequests(name)
	if diff := cmp.Diff([]string{"cdn.example", "www.example"}, names); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := ReadRequests(name + ".absent"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestExceptions(t *testing.T) {
	list, err := Exceptions()
	if err != nil || len(list) == 0 {
		t.Fatalf("%d exceptions, %v", len(list), err)
	}
	for text, message := range map[string]string{
		"a.example acme":                                          "exceptions.txt:1: want a name, a provider and a reason",
		"# none\nA.example acme a service":                        `exceptions.txt:2: "A.example" is no host name in normal form`,
		"a.example acme a service\na.example acme the same thing": "exceptions.txt:2: a.example is given twice",
	} {
		if _, err := parseExceptions(text); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestJudge(t *testing.T) {
	exceptions := []Exception{{"acme.example", "acme", "its AI"}, {"old.example", "old", "was AI"}}
	v := Judge([]Hit{
		{"acme.example", "acme.site", ""},
		{"api.acme.example", "acme.api", ""},
		{"api.acme.example", "other.api", ""},       // another provider
		{"shop.acme.example", "acme.site", ""},      // no prefix of the list
		{"acme.example.evil.test", "acme.site", ""}, // a look-alike
	}, exceptions)
	if len(v.Excused) != 2 || len(v.Unexcused) != 3 || len(v.Unused) != 1 || v.Unused[0].Name != "old.example" {
		t.Errorf("%+v", v)
	}
	if left := Left([]string{"acme.example", "www.acme.example", "x.example", "x.ai", "my-gpt.example", "aids.example", "mail.example"}, exceptions); left != 3 {
		t.Errorf("%d names are left", left)
	}
}

func TestParseHits(t *testing.T) {
	hits, err := parseHits([]byte(`{"input":"llama-3.example","as":"model","asset":{"signature":"meta.llama-3"}}` + "\n" + `{"input":"a.example","as":"tls","asset":{"signature":"acme.api"},"evidence":[{"selector":"host exact a.example"}]}` + "\n"))
	if diff := cmp.Diff([]Hit{{"a.example", "acme.api", "host exact a.example"}}, hits); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := parseHits([]byte("{")); err == nil {
		t.Error("half a line was read")
	}
}
