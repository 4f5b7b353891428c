package inventory

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func importCSV(t *testing.T, base *Document, text string) *Import {
	t.Helper()
	in, err := ImportCSV(base, File{"a.csv", []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestImportCSV(t *testing.T) {
	in := importCSV(t, nil, "\ufeffID, Name ,KIND,Provider,Status,Owner Business,Risk-Tier,signatures,Domains,model_sha256,model_names,publishers,networks,Approved At,valid until,ReviewEvery,DPA,training on data,tags,notes,Cost Center\r\n"+
		"OpenAI API,OpenAI,SaaS,Open AI,Allowed,mailto:ana@example.com,High,OpenAI.api; openai.*,https://API.openai.com:443/v1;*.openai.azure.com,"+
		"SHA256:"+strings.Repeat("AB", 32)+",llama-*;mistral,Acme,10.1.2.3;10.9.9.9/8,02.09.2026,2027/03/31,180 days,yes,No,a;b\\;c,\"line 1\nline 2\",'=4711\r\n\r\n")
	if len(in.Rejected) > 0 || in.Accepted != 1 {
		t.Fatalf("%+v", in)
	}
	no := false
	want := []Entry{{
		ID: "openai-api", Name: "OpenAI", Kind: KindSaaSApp, Provider: "open-ai", Status: StatusApproved, Owner: Owner{Business: "ana@example.com"}, Risk: Risk{Tier: TierHigh},
		Match: []Match{
			{Signature: []string{"openai.api", "openai.*"}},
			{Domain: []string{"api.openai.com", "*.openai.azure.com"}},
			{Model: ModelRule{SHA256: []string{strings.Repeat("ab", 32)}}},
			{Model: ModelRule{Name: "llama-*"}},
			{Model: ModelRule{Name: "mistral"}},
			{Publisher: []string{"Acme"}},
		},
		Scope: Scope{Networks: []string{"10.1.2.3/32", "10.0.0.0/8"}}, Approval: Approval{At: "2026-09-02"}, Valid: Validity{Until: "2027-03-31"}, Review: Review{Every: "180d"},
		Contract: Contract{DPA: PaperSigned, TrainingOnData: &no}, Tags: []string{"a", "b;c"}, Notes: "line 1\nline 2", Extra: map[string]string{"cost_center": "=4711"},
	}}
	if diff := cmp.Diff(want, in.Document.Entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	var coerced []string
	for _, c := range in.Coercions {
		if c.Row != 2 || c.File != "a.csv" {
			t.Errorf("coercion without place: %+v", c)
		}
		coerced = append(coerced, c.Column+": "+c.From+" -> "+c.To)
	}
	wantCoerced := []string{
		"ID: OpenAI API -> openai-api", "KIND: SaaS -> saas_app", "Provider: Open AI -> open-ai", "Status: Allowed -> approved",
		"Owner Business: mailto:ana@example.com -> ana@example.com", "Risk-Tier: High -> high", "signatures: OpenAI.api -> openai.api",
		"Domains: https://API.openai.com:443/v1 -> api.openai.com", "model_sha256: SHA256:" + strings.Repeat("AB", 32) + " -> " + strings.Repeat("ab", 32),
		"networks: 10.1.2.3 -> 10.1.2.3/32", "networks: 10.9.9.9/8 -> 10.0.0.0/8", "Approved At: 02.09.2026 -> 2026-09-02", "valid until: 2027/03/31 -> 2027-03-31",
		"ReviewEvery: 180 days -> 180d", "DPA: yes -> signed", "training on data: No -> false", "Cost Center: '=4711 -> =4711",
	}
	if diff := cmp.Diff(wantCoerced, coerced); diff != "" {
		t.Errorf("coercions (-want +got):\n%s", diff)
	}
}

// TestCoercionOfLongValue was found by fuzzing: the difference lay behind the
// cut, and the report showed the same text twice.
func TestCoercionOfLongValue(t *testing.T) {
	long := strings.Repeat("é", 100)
	in := importCSV(t, nil, "id,name,kind,status,tags,signatures\na1,A,model,approved,,"+long+"END"+long+"\n")
	if len(in.Coercions) != 1 {
		t.Fatalf("coercions %+v", in.Coercions)
	}
	c := in.Coercions[0]
	if !strings.Contains(c.From, "END") || !strings.Contains(c.To, "end") || len(c.From) > clipBytes+8 || !utf8.ValidString(c.From) || !utf8.ValidString(c.To) {
		t.Errorf("coercion from %q to %q", c.From, c.To)
	}
}

func TestImportCSVRejects(t *testing.T) {
	in := importCSV(t, nil, "id,name,kind,status,valid until,domains,training_on_data,owner_business,\n"+
		"a1,A,model,approved,03/04/2026,,,,\n"+ // ambiguous
		"a2,A,gadget,approved,,*.com,perhaps,nobody,\n"+
		"a3,A,model,restricted,,,,,\n"+
		",A,model,approved,,,,,\n"+
		"a4,A,model,approved,,,,,stray\n"+
		"a5,A,model,approved,,,,,,too,many\n"+
		"a6,\"A\"x,model,approved,,,,,\n"+
		"a7,fine,model,approved,,,,,\n"+
		"A7,again,model,approved,,,,,\n"+
		"a8,short,model,proposed\n")
	want := []Rejection{
		{"a.csv", 2, "valid until", "03/04/2026", "is no date: write it as 2006-01-02"},
		{"a.csv", 3, "training_on_data", "perhaps", "is neither true nor false"},
		{"a.csv", 3, "kind", "gadget", "is none of api_service, saas_app, model, runtime, agent, extension, mcp_server, gateway"},
		{"a.csv", 3, "owner_business", "nobody", "is no e-mail address"},
		{"a.csv", 3, "domains", "*.com", "matches too much: a wildcard needs two labels below it, such as *.example.com"},
		{"a.csv", 4, "scope", "", "is missing: restricted needs at least one dimension; use approved for everyone"},
		{"a.csv", 5, "id", "", "must be 2 to 63 lower-case letters, digits and hyphens, the first no hyphen"},
		{"a.csv", 6, "", "stray", "stands in column 9, which has no name"},
		{"a.csv", 7, "", "too", "has 11 cells, the header has 9: put a cell that contains a comma in double quotes"},
		{"a.csv", 8, "", "", `is broken CSV: extraneous or missing " in quoted-field`},
		{"a.csv", 10, "id", "a7", "is the id of row 9 as well"},
	}
	if diff := cmp.Diff(want, in.Rejected); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
	if in.Accepted != 2 || len(in.Document.Entries) != 2 || in.Document.Entries[0].Name != "fine" {
		t.Errorf("accepted %d: %+v", in.Accepted, in.Document.Entries)
	}
}

func TestImportCSVOverBase(t *testing.T) {
	base := parse(t, completeYAML, "schema: inventory/v1\nentries:\n  - {id: other, name: Other, kind: model, status: proposed}\n")
	in := importCSV(t, base, "id,status,valid_until,tags,domains\nopenai-api,prohibited,,,new.example.com\n")
	diff, err := Compare(base, in.Document)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, field := range diff.Changed[0].Fields {
		paths = append(paths, field.Path)
	}
	if d := cmp.Diff([]string{"match", "status", "tags", "valid.until"}, paths); d != "" {
		t.Errorf("changed fields (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"other"}, diff.Unchanged); d != "" || len(diff.Created)+len(diff.Removed) != 0 {
		t.Errorf("diff %+v", diff)
	}
	match := in.Document.Entries[0].Match
	if len(match) != 7 || match[6].Domain[0] != "new.example.com" || match[0].Account[0] != "org-acme" {
		t.Errorf("items of several keys were not kept: %+v", match)
	}
	if base.Entries[0].Status != StatusApproved || base.Entries[0].Tags[0] != "support" {
		t.Error("the import changed the base")
	}
}

func TestImportCSVFile(t *testing.T) {
	f := func(want, text string) {
		t.Helper()
		if _, err := ImportCSV(nil, File{"a.csv", []byte(text)}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a.csv") {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	f("empty", "")
	f("no column id", "name,kind\na,b\n")
	f("not separated by commas", "id;name\na;b\n")
	f("there twice", "id,Owner Business,owner_business\n")
	f("UTF-16", "\xff\xfei\x00d\x00")
	f("not UTF-8", "id,name\na1,\xe4\n")
	f("header cannot be read", "id,\"name\n")
	f("columns are more than the limit", "id"+strings.Repeat(",", MaxCSVColumns)+"\n")
}

func TestCSVFormulaGuard(t *testing.T) {
	d := &Document{Entries: []Entry{{
		ID: "a1", Name: "=HYPERLINK(\"http://x\")", Vendor: "+1", Notes: "@x", Tags: []string{"-1", "=2"}, Kind: KindModel, Status: StatusProposed, Extra: map[string]string{"x": "'=already"},
	}}}
	data, err := d.CSV()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"'=HYPERLINK(""http://x"")"`, ",'+1,", ",'@x,", ",'-1;=2,", ",''=already\n"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the export lacks %s:\n%s", want, data)
		}
	}
	in := importCSV(t, nil, string(data))
	d.Normalize()
	if diff := cmp.Diff(d, in.Document); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestColumns(t *testing.T) {
	const want = "id,name,kind,provider,vendor,status,owner_business,owner_technical,risk_tier,signatures,domains,model_sha256,model_names,publishers,groups,users,hosts,networks,purposes,data_classes,approved_by,approved_at,approval_ref,valid_from,valid_until,review_every,review_last,contract_ref,dpa,dpa_until,training_on_data,residency,alternative,tags,notes"
	if got := strings.Join(Columns(), ","); got != want {
		t.Errorf("columns\n%s\nwant\n%s", got, want)
	}
}

func TestImportDirectoryCSV(t *testing.T) {
	base, err := ParseDirectory([]File{{"d.yaml", []byte(completeDirectory)}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := ImportDirectoryCSV(base, File{"u.csv", []byte("Name,Groups\nleo, sales ; all\nLEO,x\n,y\nana,\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := []Rejection{
		{"u.csv", 3, "name", "LEO", "is the name of row 2 as well"},
		{"u.csv", 4, "name", "", "must be a name without space at its ends"},
	}
	if diff := cmp.Diff(want, in.Rejected); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
	diff, err := CompareDirectories(base, in.Directory)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"user leo"}, diff.Created); d != "" || len(diff.Removed) != 1 || len(diff.Changed) != 1 || len(diff.Unchanged) != 2 {
		t.Errorf("diff %+v", diff)
	}
	hosts, err := ImportDirectoryCSV(in.Directory, File{"h.csv", []byte("name,labels,network,owner\npc-9,managed=true;os=linux,10.0.0.9,leo\npc-8,managed,,\npc-7,,nowhere,\n")})
	if err != nil {
		t.Fatal(err)
	}
	x := hosts.Directory.Index()
	if x.Labels("PC-9")["os"] != "linux" || x.Network("pc-9").String() != "10.0.0.9/32" || x.Labels("pc-8") != nil || x.Host("pc-1") != nil || len(hosts.Rejected) != 2 {
		t.Errorf("hosts %+v", hosts)
	}
	if g := x.Groups("ana"); g == nil || len(g) != 0 {
		t.Errorf("a known user without groups has %v, want an empty list", g)
	}
	if g := x.Groups("nobody"); g != nil {
		t.Errorf("an unknown user has the groups %v", g)
	}
	for _, bad := range []string{"name\nana\n", "name,groups,labels\n", "groups\nx\n", "name,groups,salary\n"} {
		if _, err := ImportDirectoryCSV(nil, File{"x.csv", []byte(bad)}); err == nil {
			t.Errorf("accepted the header of %q", bad)
		}
	}
}

func TestParseDirectoryProblems(t *testing.T) {
	f := func(want, text string) {
		t.Helper()
		if _, err := ParseDirectory([]File{{"d.yaml", []byte(text)}}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f("d.yaml:2:15: users[0].nme: unknown key", "schema: directory/v1\nusers:      [{nme: x}]\n")
	f(`d.yaml:2:30: users[1].name: "ANA" is there twice`, "schema: directory/v1\nusers: [{name: ana}, {name:  ANA}]\n")
	f(`d.yaml:2:28: hosts[0].network: "here" is no CIDR prefix`, "schema: directory/v1\nhosts: [{name: a, network: here}]\n")
	if _, err := ParseDirectory([]File{{"a.yaml", []byte("schema: directory/v1\nusers: [{name: ana}]\n")}, {"b.yaml", []byte("schema: directory/v1\nusers: [{name: Ana}]\n")}}); err == nil || !strings.Contains(err.Error(), "is in a.yaml as well") {
		t.Errorf("one name in two files: %v", err)
	}
}
