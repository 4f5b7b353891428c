package packs

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/pack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func key(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func day(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }

// bench is an agent's place for packs.
type bench struct {
	t      *testing.T
	config Config
}

func newBench(t *testing.T) *bench {
	dir := t.TempDir()
	return &bench{t, Config{
		File: filepath.Join(dir, "signatures.pack"), Dir: filepath.Join(dir, "state", "signatures"), AgentVersion: "0.3.0",
		Keys:     []ed25519.PublicKey{key(1).Public().(ed25519.PublicKey)},
		Embedded: func() ([]signatures.Signature, string, error) { return list("own.embedded"), "embedded0000", nil },
	}}
}

func list(ids ...string) []signatures.Signature {
	var out []signatures.Signature
	for _, id := range ids {
		provider, product, _ := strings.Cut(id, ".")
		host := product + "." + provider + ".test"
		out = append(out, signatures.Signature{
			ID: id, Name: id, Kind: signatures.AssetService, Categories: []string{"api_llm"}, Status: signatures.StatusActive, Confidence: 95,
			Provider: signatures.Provider{ID: provider, Name: provider, Country: "unknown"},
			Sources:  []signatures.Source{{URL: "https://" + host, Checked: "2026-01-02"}},
			Hosts:    []signatures.HostRule{{Value: host, Match: signatures.HostExact, Role: signatures.RoleAPI}},
			Tests:    signatures.Tests{Positive: []signatures.Example{{Host: host}}, Negative: []signatures.Example{{Host: "x." + host}}},
		})
	}
	return out
}

// put lays a pack of that version at the place of the configuration.
func (b *bench) put(version uint64, by ed25519.PrivateKey, ids ...string) {
	b.t.Helper()
	data, err := pack.Build(list(ids...), pack.Options{ID: "gnomon", Version: version, Created: day(1), Expires: day(20)})
	if err != nil {
		b.t.Fatal(err)
	}
	if data, err = pack.Sign(data, by); err != nil {
		b.t.Fatal(err)
	}
	b.write(b.config.File, data)
}

func (b *bench) write(path string, data []byte) {
	b.t.Helper()
	if err := pack.WriteFile(path, data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) choose(d int) *Choice {
	b.t.Helper()
	c, err := Choose(b.config, day(d))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// want holds a choice against its origin, its version and what it says.
func (b *bench) want(c *Choice, origin string, version uint64, says ...string) {
	b.t.Helper()
	text, attention := c.Describe(day(5))
	if c.Origin != origin || c.Manifest.Version != version {
		b.t.Errorf("from %s version %d, want %s version %d: %s", c.Origin, c.Manifest.Version, origin, version, text)
	}
	if attention != (len(says) > 0) {
		b.t.Errorf("attention %v: %s", attention, text)
	}
	for _, s := range says {
		if !strings.Contains(text, s) {
			b.t.Errorf("%q does not say %q", text, s)
		}
	}
}

func (b *bench) keep(c *Choice) {
	b.t.Helper()
	if err := c.Keep(); err != nil {
		b.t.Fatal(err)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	none := b.config
	none.File = ""
	c, err := Choose(none, day(5))
	if err != nil {
		t.Fatal(err)
	}
	b.want(c, FromEmbedded, 0)

	b.want(b.choose(5), FromEmbedded, 0, "there is no file", "signatures_pack")
	b.put(3, key(9), "acme.api")
	b.want(b.choose(5), FromEmbedded, 0, "is refused", "not signed by a pinned key")

	b.put(3, key(1), "acme.api")
	c = b.choose(5)
	b.want(c, FromPack, 3)
	if _, err := os.Stat(b.config.Dir); err == nil {
		t.Error("choosing wrote something")
	}
	b.keep(c)
	b.want(b.choose(5), FromPack, 3)

	// From now on the pack before takes the place of one that is refused.
	b.put(2, key(1), "acme.api")
	b.want(b.choose(5), FromPrevious, 3, "comes after version 3", "allow the rollback")
	b.write(b.config.File, []byte("torn"))
	b.want(b.choose(5), FromPrevious, 3, "the pack is damaged")
	if err := os.Remove(b.config.File); err != nil {
		t.Fatal(err)
	}
	c = b.choose(5)
	b.want(c, FromPrevious, 3, "there is no file")
	b.keep(c)

	b.put(2, key(1), "acme.api")
	b.config.AllowVersion = 2
	c = b.choose(5)
	b.want(c, FromPack, 2)
	b.keep(c)
	b.put(4, key(1), "acme.api", "acme.two")
	c = b.choose(5)
	b.want(c, FromPack, 4)
	b.keep(c)
	b.config.AllowVersion = 0
	b.put(3, key(1), "acme.api")
	b.want(b.choose(5), FromPrevious, 4, "comes after version 4")
}

func TestNothingLeftButTheProgram(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(3, key(1), "acme.api")
	b.keep(b.choose(5))
	b.put(2, key(1), "acme.api")
	b.write(filepath.Join(b.config.Dir, acceptedName), []byte("torn"))
	b.want(b.choose(5), FromEmbedded, 0, "comes after version 3", "accepted before is of no use")
	b.write(filepath.Join(b.config.Dir, stateName), []byte("torn"))
	b.want(b.choose(5), FromEmbedded, 0, "state.json is damaged", "remove it to forget")
	b.config.Embedded = func() ([]signatures.Signature, string, error) { return nil, "", errors.New("broken program") }
	if _, err := Choose(b.config, day(5)); err == nil || !strings.Contains(err.Error(), "broken program") {
		t.Errorf("got %v", err)
	}
}

func TestStalePackIsUsedAndSaidToBe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(3, key(1), "acme.api")
	c := b.choose(25)
	text, attention := c.Describe(day(25))
	if c.Origin != FromPack || !attention || !strings.Contains(text, "24 days old, stale: it expired 5 days ago") {
		t.Errorf("from %s: %s", c.Origin, text)
	}
}

func TestKeepSaysWhatItCannot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(3, key(1), "acme.api")
	c := b.choose(5)
	b.write(filepath.Dir(filepath.Dir(b.config.Dir))+"/state", nil) // a file in the place of the folder
	if err := c.Keep(); err == nil || !strings.Contains(err.Error(), "keeping the accepted pack") {
		t.Errorf("got %v", err)
	}
}

// used records what a watcher puts into effect.
type used struct {
	mu       sync.Mutex
	versions []uint64
	err      error
}

func (u *used) use(c *Choice) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return u.err
	}
	u.versions = append(u.versions, c.Manifest.Version)
	return nil
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(3, key(1), "acme.api")
	first := b.choose(5)
	b.keep(first)
	u := &used{}
	w := NewWatcher(b.config, first, u.use, slog.New(slog.DiscardHandler))
	w.every, w.now = time.Millisecond, func() time.Time { return day(5) }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	until := func(what string, state string, counter string, want uint64) sensor.Report {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for {
			r := w.Coverage()
			if r.Counters[counter] == want && r.State == state && strings.Contains(r.Reason, what) {
				return r
			}
			if time.Now().After(deadline) {
				t.Fatalf("waiting for %s, %s=%d, %q: %+v", state, counter, want, what, r)
			}
			time.Sleep(time.Millisecond)
		}
	}
	until("version 3", sensor.On, "signatures", 1)
	b.put(4, key(1), "acme.api", "acme.two")
	until("version 4", sensor.On, "signatures", 2)
	b.put(2, key(1), "acme.api")
	r := until("comes after version 4", sensor.Degraded, "refused", 1)
	if r.Counters["pack_version"] != 4 || r.Counters["reloads"] != 1 {
		t.Errorf("after a refusal: %+v", r)
	}
	if err := os.Remove(b.config.File); err != nil {
		t.Fatal(err)
	}
	until("there is no file", sensor.Degraded, "refused", 2)
	b.put(4, key(1), "acme.api", "acme.two") // the same again: nothing to do
	until("version 4", sensor.On, "reloads", 1)
	u.mu.Lock()
	u.err = errors.New("the id is taken")
	u.mu.Unlock()
	b.put(5, key(1), "acme.api")
	until("the id is taken", sensor.Degraded, "refused", 3)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(u.versions) != 1 || u.versions[0] != 4 {
		t.Errorf("put into effect: %v, want 4 alone", u.versions)
	}
	b.want(b.choose(5), FromPack, 5)
	state, err := pack.LoadState(filepath.Join(b.config.Dir, stateName))
	if err != nil || state.Highest != 4 {
		t.Errorf("state %+v, %v: a pack that is not used must not be kept", state, err)
	}
}

func TestNoFileNoWatching(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.config.File = ""
	if err := NewWatcher(b.config, b.choose(5), (&used{}).use, slog.New(slog.DiscardHandler)).Run(t.Context()); err != nil {
		t.Error(err)
	}
}
