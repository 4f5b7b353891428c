//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// packFolder makes a folder with one signature, of the host api.NAME.test.
func packFolder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		text := strings.ReplaceAll(`schema: signatures/v1
provider: {id: NAME, name: NAME, country: unknown}
signatures:
  - id: NAME.api
    name: NAME API
    kind: service
    categories: [api_llm]
    status: active
    confidence: 95
    sources: [{url: "https://NAME.test/docs", checked: 2026-01-31}]
    hosts: [{value: api.NAME.test, match: exact, role: api}]
    tests: {positive: [{host: api.NAME.test}], negative: [{host: www.NAME.test}]}
`, "NAME", name)
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// must runs a command that has to succeed.
func must(t *testing.T, arguments ...string) string {
	t.Helper()
	code, stdout, stderr := program(t, arguments...)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", strings.Join(arguments, " "), code, stdout, stderr)
	}
	return stdout
}

func TestPackFromKeyToVerification(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	folder := packFolder(t, "acme", "bcme")
	public := strings.TrimSpace(must(t, "pack", "keygen", "-o", in("key.pem")))
	stranger := strings.TrimSpace(must(t, "pack", "keygen", "-o", in("other.pem")))
	build := func(name, version string, more ...string) {
		must(t, append([]string{"pack", "build", "--from", folder, "--version", version, "-o", in(name), "--created", "2026-01-01"}, more...)...)
	}
	sign := func(name string) { must(t, "pack", "sign", "--key", in("key.pem"), in(name)) }
	build("one.pack", "7", "--min-agent-version", "0.3.0")
	build("same.pack", "7", "--min-agent-version", "0.3.0")
	build("old.pack", "6")
	build("stale.pack", "8", "--expires", "2026-02-01")
	build("unsigned.pack", "9")
	for _, name := range []string{"one.pack", "same.pack", "old.pack", "stale.pack"} {
		sign(name)
	}
	one, err := os.ReadFile(in("one.pack"))
	if err != nil {
		t.Fatal(err)
	}
	if same, err := os.ReadFile(in("same.pack")); err != nil || !bytes.Equal(one, same) {
		t.Errorf("the same input gave other bytes (%v)", err)
	}
	broken := bytes.Clone(one)
	broken[len(broken)/2] ^= 1
	if err := os.WriteFile(in("broken.pack"), broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("key.pub"), []byte(public+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		arguments []string
		code      int
		says      string
	}{
		{"a good one", []string{in("one.pack"), "--key", public, "--state", in("state.json"), "--agent-version", "0.3.0"}, 0, "gnomon version 7, stable"},
		{"the key from a file", []string{in("one.pack"), "--key", in("key.pub")}, 0, "2 signatures"},
		{"of two keys", []string{in("one.pack"), "--key", stranger, "--key", public}, 0, "version 7"},
		{"an old agent", []string{in("one.pack"), "--key", public, "--agent-version", "0.2.9"}, 1, "update the agent first"},
		{"rolled back", []string{in("old.pack"), "--key", public, "--state", in("state.json")}, 1, "comes after version 7"},
		{"rolled back on purpose", []string{in("old.pack"), "--key", public, "--state", in("state.json"), "--allow-version", "6"}, 0, "version 6"},
		{"stale", []string{in("stale.pack"), "--key", public}, 3, "it expired"},
		{"another key", []string{in("one.pack"), "--key", stranger}, 1, "not signed by a pinned key"},
		{"not signed", []string{in("unsigned.pack"), "--key", public}, 1, "bears no signature"},
		{"broken", []string{in("broken.pack"), "--key", public}, 1, "fetch it again"},
		{"no file", []string{in("none.pack"), "--key", public}, 1, "none.pack"},
		{"no key", []string{in("one.pack")}, 2, "--key"},
		{"no key, but a word", []string{in("one.pack"), "--key", "word"}, 2, "no public key"},
	} {
		code, stdout, stderr := program(t, append([]string{"pack", "verify"}, c.arguments...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", c.name, code, c.code, c.says, stdout, stderr)
		}
	}
	if err := os.Chmod(in("key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := program(t, "pack", "sign", "--key", in("key.pem"), in("unsigned.pack")); code != 1 || !strings.Contains(stderr, "read by others") {
		t.Errorf("a key that others can read: exit code %d\n%s", code, stderr)
	}
}

func TestPackDiff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before, after := filepath.Join(dir, "a.pack"), filepath.Join(dir, "b.pack")
	must(t, "pack", "build", "--from", packFolder(t, "acme", "bcme"), "--version", "1", "-o", before)
	folder := packFolder(t, "bcme", "ccme")
	text, err := os.ReadFile(filepath.Join(folder, "bcme.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "bcme.yaml"), bytes.ReplaceAll(text, []byte("confidence: 95"), []byte("confidence: 80")), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "pack", "build", "--from", folder, "--version", "2", "-o", after)
	const want = "removed  acme.api (acme API)\nchanged  bcme.api\n         confidence: 80 (was 95)\nadded    ccme.api (ccme API)\n1 added, 1 removed, 1 changed\n"
	if got := must(t, "pack", "diff", before, after); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var changes []string
	for line := range strings.Lines(must(t, "pack", "diff", before, after, "--output", "jsonl")) {
		var c struct {
			Change, Signature string
			What              []string
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, c.Change+" "+c.Signature+" "+strings.Join(c.What, ";"))
	}
	if got := strings.Join(changes, "|"); got != "removed acme.api acme API|changed bcme.api confidence: 80 (was 95)|added ccme.api ccme API" {
		t.Errorf("as jsonl: %s", got)
	}
}

func TestPackOfTheEmbeddedSignatures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "own.pack")
	must(t, "pack", "build", "--from", "embedded", "--version", "1", "-o", file)
	if got := must(t, "pack", "diff", "embedded", file); got != "0 added, 0 removed, 0 changed\n" {
		t.Errorf("a pack of the program's own signatures differs from them:\n%s", got)
	}
	key := filepath.Join(t.TempDir(), "key.pem")
	public := strings.TrimSpace(must(t, "pack", "keygen", "-o", key))
	must(t, "pack", "sign", "--key", key, file)
	must(t, "pack", "verify", "--key", public, file)
}

func TestPackBuildRefusesWhatFails(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "x.pack")
	wrong := packFolder(t, "acme")
	text, err := os.ReadFile(filepath.Join(wrong, "acme.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(wrong, "acme.yaml"), bytes.ReplaceAll(text, []byte("negative: [{host: www"), []byte("negative: [{host: api")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		arguments []string
		code      int
		says      string
	}{
		{"an example fails", []string{"--from", wrong, "--version", "1"}, 1, "api.acme.test"},
		{"an empty folder", []string{"--from", t.TempDir(), "--version", "1"}, 1, "no signatures"},
		{"no folder", []string{"--from", filepath.Join(wrong, "none"), "--version", "1"}, 1, "--from"},
		{"no version", []string{"--from", wrong}, 2, "--version"},
		{"no time", []string{"--from", wrong, "--version", "1", "--created", "soon"}, 2, "--created"},
		{"expires after nothing", []string{"--from", wrong, "--version", "1", "--expires", "90d"}, 2, "--created"},
		{"expired when made", []string{"--from", wrong, "--version", "1", "--created", "2026-02-01", "--expires", "2026-01-01"}, 2, "not after created"},
		{"a bad channel", []string{"--from", wrong, "--version", "1", "--channel", "A B"}, 2, "--channel"},
	} {
		code, stdout, stderr := program(t, append([]string{"pack", "build", "-o", out}, c.arguments...)...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", c.name, code, c.code, c.says, stdout, stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a pack was written all the same")
	}
}

func TestPackTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	f := func(flag, epoch string, want time.Time) {
		t.Helper()
		got, err := packCreated(flag, epoch, func() time.Time { return now })
		if err != nil || !got.Equal(want) {
			t.Errorf("created %q, SOURCE_DATE_EPOCH %q: got %v, %v, want %v", flag, epoch, got, err, want)
		}
	}
	f("", "", time.Time{})
	f("now", "1", now)
	f("2026-01-31", "1", time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC))
	f("", "86400", time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC))
	if _, err := packCreated("", "x", nil); err == nil {
		t.Error("SOURCE_DATE_EPOCH=x is taken")
	}
	if got, err := packExpires("90d", now); err != nil || !got.Equal(now.AddDate(0, 0, 90)) {
		t.Errorf("expires 90d: %v, %v", got, err)
	}
}
