package pack

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gnomon-ai/gnomon/signatures"
)

func day(d int) time.Time { return time.Date(2026, 1, d, 12, 0, 0, 0, time.UTC) }

// service is a signature that Load would take.
func service(id, host string) signatures.Signature {
	provider, _, _ := strings.Cut(id, ".")
	return signatures.Signature{
		ID: id, Name: "The " + id, Kind: signatures.AssetService, Categories: []string{"api_llm"}, Status: signatures.StatusActive, Confidence: 95,
		Provider: signatures.Provider{ID: provider, Name: provider, Country: "unknown"}, Notes: "a note",
		Sources: []signatures.Source{{URL: "https://www." + host + "/docs", Checked: "2026-01-02"}, {URL: "https://github.com/acme/list/blob/main/a.txt", Checked: "2026-01-02"}},
		Hosts:   []signatures.HostRule{{Value: host, Match: signatures.HostExact, Role: signatures.RoleAPI}},
		Tests:   signatures.Tests{Positive: []signatures.Example{{Host: host}}, Negative: []signatures.Example{{Host: "x." + host}}},
	}
}

func catalogue() []signatures.Signature {
	return []signatures.Signature{service("bcme.api", "api.bcme.test"), service("acme.api", "api.acme.test")}
}

func options(version uint64) Options {
	return Options{ID: "gnomon", Version: version, Channel: "stable", MinAgentVersion: "0.3.0", Created: day(1), Expires: day(20)}
}

// key makes a key from one byte.
func key(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func build(t testing.TB, list []signatures.Signature, o Options, keys ...ed25519.PrivateKey) []byte {
	t.Helper()
	data, err := Build(list, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if data, err = Sign(data, k); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func policy(state State, keys ...ed25519.PrivateKey) Policy {
	p := Policy{AgentVersion: "0.3.0", State: state}
	for _, k := range keys {
		p.Keys = append(p.Keys, public(k))
	}
	return p
}

func TestAccept(t *testing.T) {
	t.Parallel()
	data := build(t, catalogue(), options(7), key(1))
	a, err := Accept(data, policy(State{}, key(1), key(2)), day(2))
	if err != nil {
		t.Fatal(err)
	}
	want := State{ID: "gnomon", Highest: 7, Digest: a.Pack.Digest(), Accepted: day(2), Tested: a.State.Tested}
	if a.State.Tested == "" {
		t.Error("the state does not say that the pack was tested")
	}
	if diff := cmp.Diff(want, a.State); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	all, err := a.Pack.All()
	if err != nil {
		t.Fatal(err)
	}
	list := catalogue()
	slices.Reverse(list) // in id order
	if diff := cmp.Diff(list, all, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the whole list (-want +got):\n%s", diff)
	}
	if len(a.Rules) != 2 || a.Rules[0].ID != "acme.api" || len(a.Rules[0].Sources) > 0 || len(a.Rules[0].Tests.Positive) > 0 {
		t.Errorf("rules: %+v", a.Rules)
	}
	if diff := cmp.Diff([]string{"api.acme.test", "api.bcme.test", "github.com/acme/list"}, a.Pack.Manifest.Attribution); diff != "" {
		t.Errorf("attribution (-want +got):\n%s", diff)
	}
	set, err := signatures.CompileAs(a.Rules, a.Pack.Manifest.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := signatures.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	if set.Version() != whole.Version() {
		t.Errorf("the pack says it is %s, the list is %s", set.Version(), whole.Version())
	}
	again, err := Accept(data, policy(a.State, key(1)), day(9))
	if err != nil {
		t.Fatal(err)
	}
	if again.State != a.State {
		t.Errorf("accepted again, the state is %+v", again.State)
	}
}

// TestRefusals gives every reason, and holds that it is told in one sentence that
// says what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	good := build(t, catalogue(), options(7), key(1))
	opened, err := Open(good)
	if err != nil {
		t.Fatal(err)
	}
	before := State{ID: "gnomon", Highest: 7, Digest: opened.Digest()}
	altered := func(edit func(*Options)) []byte {
		o := options(7)
		edit(&o)
		return build(t, catalogue(), o, key(1))
	}
	failing := catalogue()
	failing[0].Tests.Negative = []signatures.Example{{Host: "api.bcme.test"}}
	invalid := catalogue()
	invalid[0].Confidence = 0
	unknownKind := catalogue()
	unknownKind[0].Kind = "starship"
	cases := map[string]struct {
		data   []byte
		policy Policy
		reason error
		says   string
	}{
		"empty":                  {nil, policy(State{}, key(1)), ErrDamaged, "fetch it again"},
		"no pack":                {[]byte(strings.Repeat("x", 100)), policy(State{}, key(1)), ErrDamaged, "does not begin as a pack"},
		"something behind it":    {append(slices.Clone(good), 0), policy(State{}, key(1)), ErrDamaged, "something follows"},
		"not signed":             {build(t, catalogue(), options(7)), policy(State{}, key(1)), ErrUnsigned, "bears no signature"},
		"signed by a stranger":   {build(t, catalogue(), options(7), key(9)), policy(State{}, key(1), key(2)), ErrUnsigned, IDOf(public(key(9))).String()},
		"no key is pinned":       {good, policy(State{}), ErrUnsigned, "pin the new key"},
		"another form":           {append([]byte("GNOMON PACK v2\r\n"), good[16:]...), policy(State{}, key(1)), ErrNewerFormat, "update the agent"},
		"a newer manifest":       {edited(t, good, `"format":1`, `"format":2`), policy(State{}, key(1)), ErrNewerFormat, "format 2"},
		"a newer schema":         {edited(t, good, "signatures/v1", "signatures/v2"), policy(State{}, key(1)), ErrNewerFormat, "signatures/v2"},
		"a part that is unknown": {edited(t, good, `"name":"facts"`, `"name":"stars"`), policy(State{}, key(1)), ErrNewerFormat, "stars"},
		"an old agent":           {altered(func(o *Options) { o.MinAgentVersion = "0.3.1" }), policy(State{}, key(1)), ErrAgentTooOld, "update the agent first"},
		"an older version":       {altered(func(o *Options) { o.Version = 6 }), policy(before, key(1)), ErrRolledBack, "allow the rollback"},
		"the same, but other":    {altered(func(o *Options) { o.Channel = "beta" }), policy(before, key(1)), ErrRolledBack, "is not the version 7"},
		"another line":           {altered(func(o *Options) { o.ID = "other"; o.Version = 8 }), policy(before, key(1)), ErrOtherLine, "gnomon"},
		"never published":        {altered(func(o *Options) { o.Version = 0 }), policy(State{}, key(1)), ErrDamaged, "publishing"},
		"fails its examples":     {build(t, failing, options(7), key(1)), policy(State{}, key(1)), ErrSelfTest, "tell the publisher"},
		"invalid":                {build(t, invalid, options(7), key(1)), policy(State{}, key(1)), ErrInvalidRules, "bcme.api.confidence"},
		"a kind nobody knows":    {build(t, unknownKind, options(7), key(1)), policy(State{}, key(1)), ErrInvalidRules, "starship"},
		"one id twice":           {build(t, append(catalogue(), catalogue()[0]), options(7), key(1)), policy(State{}, key(1)), ErrInvalidRules, "taken"},
	}
	for name, c := range cases {
		_, err := Accept(c.data, c.policy, day(2))
		if !errors.Is(err, c.reason) {
			t.Errorf("%s: got %v, want %v", name, err, c.reason)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not say %q in one line", name, err, c.says)
		}
	}
}

// edited changes the manifest of a pack; its signatures then fit no more.
func edited(t *testing.T, data []byte, old, replacement string) []byte {
	t.Helper()
	if !bytes.Contains(data, []byte(old)) || len(old) != len(replacement) {
		t.Fatalf("%q cannot become %q", old, replacement)
	}
	return bytes.Replace(data, []byte(old), []byte(replacement), 1)
}

func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	good := build(t, catalogue()[:1], options(7), key(1), key(2))
	p := policy(State{}, key(1), key(2))
	for at := range good {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			data := slices.Clone(good)
			data[at] ^= flip
			if _, err := Accept(data, p, day(2)); err == nil {
				// The id of a key may become that of a stranger: one pinned key is enough.
				if opened, _ := Open(data); len(opened.Signers()) == 2 && !slices.Equal(opened.Signers(), []KeyID{IDOf(public(key(1))), IDOf(public(key(2)))}) && at > opened.end {
					continue
				}
				t.Fatalf("byte %d of %d flipped by %#x: accepted", at, len(good), flip)
			}
		}
	}
	one := build(t, catalogue()[:1], options(7), key(1))
	for at := range one {
		data := slices.Clone(one)
		data[at] ^= 0x01
		if _, err := Accept(data, p, day(2)); err == nil {
			t.Fatalf("byte %d of %d flipped: accepted", at, len(one))
		}
	}
	for n := range one {
		if _, err := Open(one[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut off at %d: got %v, want ErrDamaged", n, err)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	byOld, byBoth, byNew := build(t, catalogue(), options(1), key(1)), build(t, catalogue(), options(2), key(1), key(2)), build(t, catalogue(), options(3), key(2))
	accept := func(data []byte, keys ...ed25519.PrivateKey) error {
		_, err := Accept(data, policy(State{}, keys...), day(2))
		return err
	}
	for name, err := range map[string]error{
		"old pack, both pinned": accept(byOld, key(1), key(2)), "new pack, both pinned": accept(byNew, key(1), key(2)),
		"both signed, old pinned": accept(byBoth, key(1)), "both signed, new pinned": accept(byBoth, key(2)), "both signed, both pinned": accept(byBoth, key(1), key(2)),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := accept(byNew, key(1)); !errors.Is(err, ErrUnsigned) {
		t.Errorf("new pack, old pinned: got %v, want ErrUnsigned", err)
	}
	forged := slices.Clone(byBoth)
	forged[len(forged)-1] ^= 1
	if err := accept(forged, key(1), key(2)); !errors.Is(err, ErrForged) {
		t.Errorf("one of two signatures is wrong: got %v, want ErrForged", err)
	}
}

func TestRollbackIsForTheOperator(t *testing.T) {
	t.Parallel()
	newer, err := Accept(build(t, catalogue(), options(9), key(1)), policy(State{}, key(1)), day(2))
	if err != nil {
		t.Fatal(err)
	}
	older := build(t, catalogue()[:1], options(8), key(1))
	p := policy(newer.State, key(1))
	p.AllowVersion = 7
	if _, err := Accept(older, p, day(3)); !errors.Is(err, ErrRolledBack) {
		t.Errorf("another version is allowed: got %v, want ErrRolledBack", err)
	}
	p.AllowVersion = 8
	a, err := Accept(older, p, day(3))
	if err != nil {
		t.Fatal(err)
	}
	if a.State.Highest != 9 || a.State.Digest != newer.State.Digest {
		t.Errorf("the rollback forgot the highest version: %+v", a.State)
	}
	other := options(2)
	other.ID = "ours"
	p.AllowVersion = 2
	if a, err = Accept(build(t, catalogue(), other, key(1)), p, day(3)); err != nil || a.State.ID != "ours" || a.State.Highest != 2 {
		t.Errorf("another line that is allowed: %+v, %v", a, err)
	}
}

func TestExpiredPacksWork(t *testing.T) {
	t.Parallel()
	data := build(t, catalogue(), options(7), key(1))
	a, err := Accept(data, policy(State{}, key(1)), day(25))
	if err != nil {
		t.Fatal(err)
	}
	if since, stale := a.Pack.Manifest.Stale(day(25)); !stale || since != 5*24*time.Hour {
		t.Errorf("stale: %v since %v", stale, since)
	}
	if _, stale := a.Pack.Manifest.Stale(day(19)); stale {
		t.Error("stale before it expired")
	}
	if _, stale := (&Manifest{}).Stale(day(19)); stale {
		t.Error("stale without a date")
	}
}

func TestSameInputSameBytes(t *testing.T) {
	t.Parallel()
	list := catalogue()
	one := build(t, list, options(7), key(1), key(2))
	slices.Reverse(list)
	two := build(t, list, options(7), key(2), key(1), key(2))
	if !bytes.Equal(one, two) {
		t.Error("order of signatures or of signing changes the bytes")
	}
}

func TestAgentVersions(t *testing.T) {
	t.Parallel()
	f := func(have, want string, older bool) {
		t.Helper()
		if got := olderThan(have, want); got != older {
			t.Errorf("%s older than %s: %v, want %v", have, want, got, older)
		}
	}
	f("0.3.0", "0.3.0", false)
	f("0.2.9", "0.3.0", true)
	f("v0.10.0", "0.9.9", false)
	f("1.0.0", "0.99.99", false)
	f("v0.3.0-12-gabcdef0-dirty", "0.3.1", true)
	f("abcdef0", "0.3.0", false) // development builds are held to nothing
	f("unknown", "0.3.0", false)
	f("0.3.0", "", false)
}

func TestBuildRefusesNonsense(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*Options){
		"id":                func(o *Options) { o.ID = "No Slug" },
		"channel":           func(o *Options) { o.Channel = "a/b" },
		"min-agent-version": func(o *Options) { o.MinAgentVersion = "soon" },
		"expires":           func(o *Options) { o.Expires = day(1) },
	} {
		o := options(1)
		edit(&o)
		if _, err := Build(catalogue(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestStateIsKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	if s, err := LoadState(path); err != nil || s != (State{}) {
		t.Errorf("none yet: %+v, %v", s, err)
	}
	want := State{ID: "gnomon", Highest: 7, Digest: strings.Repeat("a", 64), Accepted: day(2), Tested: "x"}
	for range 2 { // the second replaces the first
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := LoadState(path)
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
	for _, text := range []string{"", "{", `{"highest_version": 7}`, `{"pack_id": "gnomon"}`, strings.Repeat(" ", maxState+1)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadState(path); err == nil {
			t.Errorf("%.20q is taken for a state", text)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.pem")
	made, err := NewKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewKey(path); err == nil {
		t.Error("a key was written over another")
	}
	private, err := ReadPrivateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseKey(FormatKey(made) + "\n")
	if err != nil || !parsed.Equal(private.Public()) {
		t.Errorf("the public key read again: %v, %v", parsed, err)
	}
	for _, text := range []string{"", "x", FormatKey(made)[:20], FormatKey(made) + "AA"} {
		if _, err := ParseKey(text); err == nil {
			t.Errorf("%q is taken for a key", text)
		}
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPrivateKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("a key that others can read: got %v", err)
		}
	}
	if err := os.WriteFile(path, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(path, 0o600)
	if _, err := ReadPrivateKey(path); err == nil {
		t.Error("a text is taken for a private key")
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	before := []signatures.Signature{service("acme.api", "api.acme.test"), service("acme.old", "old.acme.test"), service("acme.same", "same.acme.test")}
	after := []signatures.Signature{service("acme.api", "api.acme.test"), service("acme.new", "new.acme.test"), service("acme.same", "same.acme.test")}
	after[2].File, after[2].Line = "elsewhere.yaml", 9
	off := false
	after[0].Enabled = &off
	after[0].Confidence = 80
	after[0].Hosts = []signatures.HostRule{{Value: "llm.acme.test", Match: signatures.HostExact, Role: signatures.RoleAPI, Shared: true}}
	got, err := Diff(before, after)
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{"acme.api", Changed, []string{
			"confidence: 80 (was 95)", "enabled: false (was not given)",
			"hosts: - match exact, role api, value api.acme.test", "hosts: + match exact, role api, shared true, value llm.acme.test",
		}},
		{"acme.new", Added, []string{"The acme.new"}},
		{"acme.old", Removed, []string{"The acme.old"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzOpen holds that what opens says of itself what is in it, and that it is
// never accepted unless it is one of the seeds.
func FuzzOpen(f *testing.F) {
	good := build(f, catalogue(), options(7), key(1))
	f.Add(good)
	f.Add(build(f, nil, Options{ID: "empty"}))
	f.Add(good[:len(good)/2])
	huge := slices.Clone(good)
	binary.BigEndian.PutUint32(huge[len(magic):], 1<<31)
	f.Add(huge)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Open(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewerFormat) {
				t.Fatalf("an error without its reason: %v", err)
			}
			return
		}
		if p.end > len(data) || p.signed > p.end {
			t.Fatalf("the parts end at %d of %d", p.end, len(data))
		}
		list, err := p.All()
		if err == nil && len(list) != p.Manifest.Signatures {
			t.Fatalf("%d signatures, the manifest says %d", len(list), p.Manifest.Signatures)
		}
		if err := p.Verify(policy(State{}, key(1))); err == nil && !bytes.Equal(data[:p.end], good[:p.end]) {
			t.Fatal("accepted what nobody signed")
		}
	})
}

func BenchmarkOpenAndVerify(b *testing.B) {
	data := build(b, catalogue(), options(7), key(1))
	b.ReportAllocs()
	for b.Loop() {
		p, err := Open(data)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Verify(policy(State{}, key(1))); err != nil {
			b.Fatal(err)
		}
	}
}
