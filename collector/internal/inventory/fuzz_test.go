package inventory

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
	"github.com/google/go-cmp/cmp"
)

// FuzzParse holds that whatever parses is sound: it passes Check, and survives
// YAML, canonical JSON and CSV over itself without a difference.
func FuzzParse(f *testing.F) {
	f.Add([]byte(completeYAML))
	f.Add([]byte("schema: inventory/v1\nentries: []\n"))
	f.Add([]byte("schema: inventory/v1\nentries:\n  - {id: a1, name: A, kind: model, status: restricted, scope: {users: [\"CORP\\\\ana;x\"]}}\n"))
	f.Add([]byte("schema: inventory/v1\nentries:\n  - {id: a1, name: \"=cmd\", kind: model, status: proposed, notes: \"'=x\\r\\n\", extra: {\"a b\": \"-1\"}}\n"))
	f.Add([]byte("schema: inventory/v1\nentries:\n  - &a {id: a1, name: A, kind: model, status: proposed}\n  - *a\n"))
	f.Add([]byte("schema: inventory/v2\nentrys: 3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, notices, err := Parse([]File{{"f.yaml", data}})
		if err != nil {
			var problems strictyaml.Errors
			if d != nil || !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("an error without problems: %v", err)
			}
			return
		}
		for _, notice := range notices {
			if notice.File != "f.yaml" || notice.Line < 1 || notice.Code == "" {
				t.Fatalf("a notice without place: %+v", notice)
			}
		}
		if err := d.Check().Err(); err != nil {
			t.Fatalf("parsed, and then refused: %v", err)
		}
		canonical, sum, err := d.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, "JSON", sum, func() (*Document, error) { return FromJSON(canonical) })
		text, err := d.YAML()
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, "YAML", sum, func() (*Document, error) {
			again, _, err := Parse([]File{{"again.yaml", text}})
			return again, err
		})
		table, err := d.CSV()
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, "CSV", sum, func() (*Document, error) {
			in, err := ImportCSV(d, File{"again.csv", table})
			if err == nil && (len(in.Rejected) > 0 || in.Accepted != len(d.Entries)) {
				t.Fatalf("%d of %d rows accepted, rejected %+v of\n%s", in.Accepted, len(d.Entries), in.Rejected, table)
			}
			if err != nil {
				return nil, err
			}
			return in.Document, nil
		})
	})
}

func checkSame(t *testing.T, what, want string, read func() (*Document, error)) {
	t.Helper()
	d, err := read()
	if err != nil {
		t.Fatalf("reading %s back: %v", what, err)
	}
	if data, sum, err := d.Canonical(); err != nil || sum != want {
		t.Fatalf("%s gave another document: %v\n%s", what, err, data)
	}
}

// FuzzImportCSV holds that an import accounts for every row, accepts only what
// passes Check, and reads its own export without a change or a coercion but for
// the guard.
func FuzzImportCSV(f *testing.F) {
	f.Add([]byte("id,name,kind,status,signatures,cost center\nopenai-api,OpenAI API,api_service,approved,openai.api;openai.*,4711\n"))
	f.Add([]byte("\ufeffID, Name ,Kind,STATUS,Owner Business,Training On Data,valid until\r\nOpenAI API,x,SaaS,Allowed,mailto:a@example.com,yes,31.12.2026\r\n"))
	f.Add([]byte("id,name,kind,status,domains,networks,users,groups\na1,\"a \"\"b\",model,restricted,https://API.example.com:443/v1;*.example.org,10.1.2.3;10.9.9.9/8,CORP\\ana;x\\;y,\n"))
	f.Add([]byte("id,name\n\"broken\nrow,x\na1,=1+1\na1,'=1+1,too,many\n"))
	f.Add([]byte("id;name\n1;2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := ImportCSV(nil, File{"f.csv", data})
		if err != nil {
			if !strings.Contains(err.Error(), "f.csv") {
				t.Fatalf("an error without the file: %v", err)
			}
			return
		}
		if in.Accepted != len(in.Document.Entries) {
			t.Fatalf("%d rows accepted, %d entries", in.Accepted, len(in.Document.Entries))
		}
		if err := in.Document.Check().Err(); err != nil {
			t.Fatalf("accepted, and then refused: %v", err)
		}
		for _, r := range in.Rejected {
			if r.Row < 1 || r.Reason == "" || r.File != "f.csv" {
				t.Fatalf("a rejection without place or reason: %+v", r)
			}
		}
		for _, c := range in.Coercions {
			if c.Row < 2 || c.Reason == "" || c.From == c.To {
				t.Fatalf("an empty coercion: %+v", c)
			}
		}
		table, err := in.Document.CSV()
		if err != nil {
			t.Fatal(err)
		}
		_, sum, err := in.Document.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ImportCSV(nil, File{"again.csv", table})
		if err != nil || len(again.Rejected) > 0 {
			t.Fatalf("reading the export: %v, %+v\n%s", err, again, table)
		}
		for _, c := range again.Coercions {
			if c.Reason != "the guard against formulas removed" {
				t.Fatalf("reading the export coerced %+v", c)
			}
		}
		checkSame(t, "CSV", sum, func() (*Document, error) { return again.Document, nil })
	})
}

// FuzzMatch compares globs and domains with slow and obvious forms, and the
// list and guard codecs with their inverses.
func FuzzMatch(f *testing.F) {
	f.Add("openai.*", "openai.api")
	f.Add("*a*b*c*", "xxaxxbxxcxx")
	f.Add("*.example.com", "a.b.example.com")
	f.Add("*.example.com", "example.com")
	f.Add("CORP\\;x\\", "'=1;")
	f.Add(">=1.7, <2", "1.7.0-beta+5")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 40 || len(name) > 80 {
			return
		}
		if got, want := MatchGlob(pattern, name), slowGlob(pattern, name); got != want {
			t.Fatalf("glob %q on %q: %v, want %v", pattern, name, got, want)
		}
		if checkDomain(pattern) == nil && checkHost(name) == nil {
			want := pattern == name
			labels, parts := strings.Split(name, "."), strings.Split(pattern, ".")
			if parts[0] == "*" {
				want = len(labels) >= len(parts) && slices.Equal(labels[len(labels)-len(parts)+1:], parts[1:])
			}
			if got := MatchDomain(pattern, name); got != want {
				t.Fatalf("domain %q on %q: %v, want %v", pattern, name, got, want)
			}
		}
		if guarded := guardCell(pattern); unguardCell(guarded) != pattern {
			t.Fatalf("guarding %q gave %q and back %q", pattern, guarded, unguardCell(guarded))
		} else if guarded != "" && strings.IndexByte(formulaStarts, guarded[0]) >= 0 {
			t.Fatalf("the cell %q is still a formula", guarded)
		}
		var values []string
		for _, value := range []string{pattern, name} {
			if value = strings.TrimSpace(value); value != "" {
				values = append(values, value)
			}
		}
		if diff := cmp.Diff(values, splitList(joinList(values))); diff != "" {
			t.Fatalf("list codec (-want +got):\n%s", diff)
		}
		if order, back := compareVersions(pattern, name), compareVersions(name, pattern); order != -back {
			t.Fatalf("versions %q and %q compare %d and %d", pattern, name, order, back)
		}
		if c, err := ParseConstraint(pattern); err == nil && strings.TrimSpace(pattern) != "" && c.Allows("") {
			t.Fatalf("the rule %q allows an unknown version", pattern)
		}
	})
}

// slowGlob matches by the positions a prefix of the pattern can reach.
func slowGlob(pattern, name string) bool {
	reach := map[int]bool{0: true}
	for _, c := range []byte(pattern) {
		next := map[int]bool{}
		for at := range reach {
			if c == '*' {
				for ; at <= len(name); at++ {
					next[at] = true
				}
			} else if at < len(name) && name[at] == c {
				next[at+1] = true
			}
		}
		reach = next
	}
	return reach[len(name)]
}

// FuzzDirectory holds that a directory that parses survives YAML, JSON and its
// two CSV files.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte(completeDirectory))
	f.Add([]byte("schema: directory/v1\nhosts: [{name: pc, labels: {a: \"b;c\", \"x\": \"\"}, network: 10.0.0.1}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDirectory([]File{{"d.yaml", data}})
		if err != nil {
			return
		}
		canonical, sum, err := d.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		again, err := DirectoryFromJSON(canonical)
		if err != nil {
			t.Fatal(err)
		}
		text, err := again.YAML()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseDirectory([]File{{"again.yaml", text}})
		if err != nil {
			t.Fatalf("reading the export: %v\n%s", err, text)
		}
		if after, got, err := parsed.Canonical(); err != nil || got != sum {
			t.Fatalf("%v\n%s\n%s", err, canonical, after)
		}
		users, err := d.UsersCSV()
		if err != nil || bytes.Count(users, []byte("\n")) < len(d.Users) {
			t.Fatalf("users as CSV: %v\n%s", err, users)
		}
		if _, err := ImportDirectoryCSV(d, File{"users.csv", users}); err != nil {
			t.Fatal(err)
		}
		hosts, err := d.HostsCSV()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ImportDirectoryCSV(d, File{"hosts.csv", hosts}); err != nil {
			t.Fatal(err)
		}
	})
}
