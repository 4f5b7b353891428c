package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// result is what one command line gave.
type result struct {
	code     int
	out, err string
}

func command(t *testing.T, stdin []byte, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	code := execute(context.Background(), args, streams{bytes.NewReader(stdin), &out, &err})
	return result{code, out.String(), err.String()}
}

// lines decodes JSON lines; anything else on standard output is a failure.
func (r result) lines(t *testing.T) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(r.out) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q is no JSON object: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}

// gguf builds a small sound GGUF file: magic, version 3, no tensors, one key
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
func gguf() []byte {
	text := func(b []byte, s string) []byte {
		return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
	}
	b := []byte("GGUF")
	b = binary.LittleEndian.AppendUint32(b, 3)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, 1)
	b = text(b, "general.architecture")
	b = binary.LittleEndian.AppendUint32(b, 8)
	return text(b, "llama")
}

// modelFolder holds one model and one file that is none.
func modelFolder(t *testing.T) (dir, model string) {
	t.Helper()
	dir = t.TempDir()
	model = filepath.Join(dir, "models", "tiny.gguf")
	if err := os.MkdirAll(filepath.Dir(model), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{model: gguf(), filepath.Join(dir, "notes.txt"): []byte("no model in here, just words")} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, model
}

// capture builds a pcap file of DNS queries for names
// (https://www.ietf.org/archive/id/draft-gharris-opsawg-pcap-01.html, RFC 1035).
func capture(names ...string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, 65535)
	b = binary.LittleEndian.AppendUint32(b, 101) // LINKTYPE_RAW
	for i, name := range names {
		packet := dnsQuery(name)
		b = binary.LittleEndian.AppendUint32(b, uint32(1_700_000_000+i))
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = append(b, packet...)
	}
	return b
}

// dnsQuery builds an IPv4 packet with a UDP datagram that asks for name.
func dnsQuery(name string) []byte {
	question := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		question = append(append(question, byte(len(label))), label...)
	}
	question = append(question, 0, 0, 1, 0, 1)
	udp := []byte{0xc3, 0x50, 0, 53}
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(question)))
	udp = append(append(udp, 0, 0), question...)
	ip := []byte{0x45, 0}
	ip = binary.BigEndian.AppendUint16(ip, uint16(20+len(udp)))
	ip = append(ip, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 5, 10, 0, 0, 1)
	return append(ip, udp...)
}

func TestCommands_haveHelpWithAnExample(t *testing.T) {
	var names []string
	for _, c := range newRoot(streams{}).Commands() {
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s has no example or no summary", c.Name())
		}
		if c.Name() != "version" && !strings.Contains(c.Long, "Exit codes: ") {
			t.Errorf("%s does not document its exit codes", c.Name())
		}
		r := command(t, nil, c.Name(), "--help")
		if r.code != exitOK || !strings.Contains(r.out, "Examples:\n") {
			t.Errorf("%s --help: exit %d\n%s", c.Name(), r.code, r.out)
		}
		names = append(names, c.Name())
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"doctor", "match", "replay", "run", "scan", "version"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCommands_refuseWhatTheyDoNotKnow(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		r := command(t, nil, args...)
		if r.code != exitError || !strings.Contains(r.err, want) || r.out != "" {
			t.Errorf("%q: exit %d, %q, %q; want 1 and %q", args, r.code, r.out, r.err, want)
		}
	}
	f("unknown command", "dance")
	f("unknown flag: --colour", "scan", "--colour")
	f(`--output: "xml" is not one of table, jsonl`, "scan", "--output", "xml")
	f(`--output: "xml"`, "replay", "--output", "xml", "x")
	f(`--emit: "packets" is not one of findings, observations`, "replay", "--emit", "packets", "x")
	f("requires at least 1 arg", "replay")
	f("requires at least 1 arg", "match")
	f(`required flag(s) "config" not set`, "run")
	f("reading configuration: open", "run", "--config", filepath.Join(t.TempDir(), "absent"))
	f("opening capture: open", "replay", filepath.Join(t.TempDir(), "absent"))
	f("reading signatures_dir", "match", "--signatures-dir", filepath.Join(t.TempDir(), "absent"), "x")
}

func TestVersion(t *testing.T) {
	r := command(t, nil, "version", "--output", "jsonl")
	lines := r.lines(t)
	if r.code != exitOK || len(lines) != 1 {
		t.Fatalf("exit %d, %q", r.code, r.out)
	}
	for _, key := range []string{"version", "commit", "go", "platform", "catalogue", "signatures"} {
		if lines[0][key] == nil || lines[0][key] == "" {
			t.Errorf("%s is missing in %v", key, lines[0])
		}
	}
	if r := command(t, nil, "version"); r.code != exitOK || !strings.Contains(r.out, "catalogue") {
		t.Errorf("exit %d, %q", r.code, r.out)
	}
}

func TestScan_modelFiles(t *testing.T) {
	dir, model := modelFolder(t)
	r := command(t, nil, "scan", "--output", "jsonl", dir)
	if r.code != exitOK {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	lines := r.lines(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines, want the model alone: %s", len(lines), r.out)
	}
	for key, want := range map[string]any{"kind": "model_file", "path": model, "format": "gguf"} {
		if lines[0][key] != want {
			t.Errorf("%s is %v, want %v", key, lines[0][key], want)
		}
	}
	if c, ok := lines[0]["confidence"].(float64); !ok || c < 50 {
		t.Errorf("confidence %v", lines[0]["confidence"])
	}
	if facts, ok := lines[0]["facts"].(map[string]any); !ok || facts["architecture"] != "llama" {
		t.Errorf("facts %v", lines[0]["facts"])
	}
	table := command(t, nil, "scan", dir)
	if table.code != exitOK || !strings.Contains(table.out, "tiny.gguf") || !strings.HasPrefix(table.out, "KIND") {
		t.Errorf("exit %d\n%s", table.code, table.out)
	}
}

func TestScan_saysWhatItCouldNotSee(t *testing.T) {
	dir, _ := modelFolder(t)
	absent := filepath.Join(dir, "absent")
	r := command(t, nil, "scan", "--output", "jsonl", dir, absent)
	if r.code != exitIncomplete || !strings.Contains(r.err, absent) || len(r.lines(t)) != 1 {
		t.Errorf("exit %d, %q, %q; want 3, the missing path, and the model", r.code, r.err, r.out)
	}
}

func TestScan_ofTheHostSeesThisProgram(t *testing.T) {
	// How long it takes is the host's matter: there may be millions of files.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code := execute(ctx, []string{"scan", "--output", "jsonl"}, streams{nil, &out, &errs})
	if code != exitOK && code != exitIncomplete {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

func TestReplay_observations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dns.pcap")
	if err := os.WriteFile(path, capture("www.example.org", "api.openai.com", "www.example.org"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := command(t, nil, "replay", "--emit", "observations", "--output", "jsonl", path)
	if r.code != exitOK {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	var got []string
	for _, l := range r.lines(t) {
		got = append(got, strings.Join([]string{l["kind"].(string), l["name"].(string), l["first_seen"].(string), l["client"].(string), l["file"].(string)}, " "))
		if l["name"] == "www.example.org" && l["count"] != float64(2) {
			t.Errorf("count %v, want 2", l["count"])
		}
	}
	want := []string{"dns www.example.org 2023-11-14T22:13:20Z 10.0.0.5 " + path, "dns api.openai.com 2023-11-14T22:13:21Z 10.0.0.5 " + path}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := command(t, nil, "replay", "--emit", "observations", path, path); r.code != exitOK || strings.Count(r.out, "api.openai.com") != 2 {
		t.Errorf("two files: exit %d\n%s", r.code, r.out)
	}
}

func TestReplay_findingsFromStandardInput(t *testing.T) {
	r := command(t, capture("www.example.org", "api.openai.com", "api.openai.com"), "replay", "--output", "jsonl", "-")
	lines := r.lines(t)
	if r.code != exitOK || len(lines) != 1 {
		t.Fatalf("exit %d, %s, %s", r.code, r.out, r.err)
	}
	asset, _ := lines[0]["asset"].(map[string]any)
	if lines[0]["count"] != float64(2) || asset["signature"] != "openai.api" || lines[0]["file"] != "-" || lines[0]["client"] != "10.0.0.5" {
		t.Errorf("line %v", lines[0])
	}
	table := command(t, capture("api.openai.com"), "replay", "-")
	if table.code != exitOK || !strings.Contains(table.out, "dns.name=api.openai.com") {
		t.Errorf("exit %d\n%s", table.code, table.out)
	}
}

func TestReplay_damagedCapturesAreIncompleteNotErrors(t *testing.T) {
	whole := capture("api.openai.com", "www.example.org")
	for _, in := range [][]byte{whole[:len(whole)-7], []byte("this is no capture"), {}} {
		r := command(t, in, "replay", "--emit", "observations", "--output", "jsonl", "-")
		if r.code != exitIncomplete || !strings.Contains(r.err, "incomplete: ") {
			t.Errorf("%d bytes: exit %d, %q", len(in), r.code, r.err)
		}
		r.lines(t)
	}
	if r := command(t, whole[:len(whole)-7], "replay", "--emit", "observations", "--output", "jsonl", "-"); !strings.Contains(r.out, "api.openai.com") {
		t.Errorf("what could be read is missing: %q", r.out)
	}
}

func TestReplay_readErrorsAreErrors(t *testing.T) {
	if r := command(t, nil, "replay", t.TempDir()); r.code != exitError {
		t.Errorf("a folder as capture: exit %d, %q", r.code, r.err)
	}
}

func TestMatch(t *testing.T) {
	r := command(t, nil, "match", "--output", "jsonl", "api.openai.com", "nothing.example")
	lines := r.lines(t)
	if r.code != exitOK || len(lines) != 1 {
		t.Fatalf("exit %d, %s", r.code, r.out)
	}
	asset, _ := lines[0]["asset"].(map[string]any)
	evidence, _ := lines[0]["evidence"].([]any)
	if lines[0]["input"] != "api.openai.com" || asset["signature"] != "openai.api" || len(evidence) == 0 {
		t.Errorf("line %v", lines[0])
	}
	if r := command(t, nil, "match", "nothing.example"); r.code != exitIncomplete || r.out != "" {
		t.Errorf("no match: exit %d, %q", r.code, r.out)
	}
	if r := command(t, nil, "match", "gguf", "ollama"); r.code != exitOK || !strings.Contains(r.out, "file.format=gguf") || !strings.Contains(r.out, "process.name=ollama") {
		t.Errorf("exit %d\n%s", r.code, r.out)
	}
	if r := command(t, nil, "match", "  "); r.code != exitError {
		t.Errorf("an empty name: exit %d", r.code)
	}
}

func TestMatch_lists(t *testing.T) {
	list := "# names\napi.openai.com\n\n  www.example.org\r\nhttp://%zz\nchatgpt.com\n"
	const summary = "4 inputs: 2 match, 1 do not, 1 unreadable\n"
	file := filepath.Join(t.TempDir(), "names")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-"}, {"--file", "-"}, {"--file", file}} {
		r := command(t, []byte(list), append([]string{"match", "--output", "jsonl"}, args...)...)
		var inputs []any
		for _, line := range r.lines(t) {
			inputs = append(inputs, line["input"])
		}
		if diff := cmp.Diff([]any{"api.openai.com", "chatgpt.com"}, inputs); diff != "" || r.code != exitOK {
			t.Errorf("match %v: exit %d (-want +got):\n%s", args, r.code, diff)
		}
		if !strings.HasSuffix(r.err, summary) || !strings.Contains(r.err, ":5: ") {
			t.Errorf("match %v: standard error %q", args, r.err)
		}
	}
	f := func(code int, message, list string, args ...string) {
		t.Helper()
		if r := command(t, []byte(list), append([]string{"match"}, args...)...); r.code != code || !strings.Contains(r.err, message) {
			t.Errorf("match %v: exit %d, %q; want %d with %q", args, r.code, r.err, code, message)
		}
	}
	f(exitIncomplete, "1 inputs: 0 match, 1 do not, 0 unreadable\nincomplete: nothing in the catalogue matches any line of standard input", "www.example.org\n", "-")
	f(exitError, "standard input holds nothing that can be matched", "", "-")
	f(exitError, "standard input holds nothing that can be matched", "http://%zz\n", "-")
	f(exitError, "reading standard input: line 2 has over", "x\n"+strings.Repeat("a", maxInputBytes+1), "-")
	f(exitError, "opening the list", "", "--file", file+".absent")
	f(exitError, "unknown command", "", "--file", file, "api.openai.com")

	// A table of any length comes out in parts, whole.
	r := command(t, []byte(strings.Repeat("api.openai.com\n", 2*tableRows+1)), "match", "-")
	if got := strings.Count(r.out, "\napi.openai.com "); got != 2*tableRows+1 || r.code != exitOK {
		t.Errorf("exit %d, %d rows", r.code, got)
	}
}

func TestMatch_overlay(t *testing.T) {
	dir := t.TempDir()
	document := `schema: signatures/v1
provider: {id: acme-test, name: Acme, country: unknown}
signatures:
  - id: acme-test.api
    name: Acme API
    kind: service
    categories: [api_llm]
    status: active
    confidence: 90
    sources: [{url: "https://docs.acme-test.example", checked: "2026-11-01"}]
    hosts: [{value: api.acme-test.example, match: exact, role: api}]
    tests:
      positive: [{host: api.acme-test.example}]
      negative: [{host: www.acme-test.example}]
`
	if err := os.WriteFile(filepath.Join(dir, "acme.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := command(t, nil, "match", "--signatures-dir", dir, "api.acme-test.example"); r.code != exitOK || !strings.Contains(r.out, "acme-test.api") {
		t.Errorf("exit %d, %q, %q", r.code, r.out, r.err)
	}
	if err := os.WriteFile(filepath.Join(dir, "acme.yaml"), []byte(strings.Replace(document, "hosts:", "host:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := command(t, nil, "match", "--signatures-dir", dir, "api.acme-test.example"); r.code != exitError || !strings.Contains(r.err, "acme.yaml:11") {
		t.Errorf("exit %d, %q; want the line of the unknown key", r.code, r.err)
	}
}

func TestInterrupt_endsCommands(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir, _ := modelFolder(t)
	var out, errs bytes.Buffer
	if code := execute(ctx, []string{"scan", dir}, streams{nil, &out, &errs}); code != exitError || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit %d, %q", code, errs.String())
	}
}

func TestDropControl(t *testing.T) {
	if got := strings.Map(dropControl, "a\x1b[31mb\u009bc\n"); strings.ContainsAny(got, "\x1b\n\u009b") {
		t.Errorf("%q", got)
	}
}

func TestNewRoot_hasNoHiddenFlags(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden {
			t.Errorf("%s is hidden", c.Name())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(streams{}))
}
