package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// part and tree stand for what main puts together.
type part struct {
	Size int           `yaml:"size"`
	Wait time.Duration `yaml:"wait"`
	Sub  struct {
		Depth int `yaml:"depth"`
	} `yaml:"sub"`
}

func (p part) Validate() error {
	var all []error
	if p.Size < 1 {
		all = append(all, fmt.Errorf("size: %d is below 1", p.Size))
	}
	if p.Sub.Depth < 0 {
		all = append(all, fmt.Errorf("sub.depth is %d: set it to 0 or more", p.Sub.Depth))
	}
	return errors.Join(all...)
}

type tree struct {
	Base `yaml:",inline"`
	Part part `yaml:"part"`
}

func defaults() *tree { return &tree{Base: DefaultBase(), Part: part{Size: 5, Wait: time.Minute}} }

func (t *tree) sections() []Section {
	return []Section{{"", t.Base.Validate}, {"part", t.Part.Validate}}
}

func load(t *testing.T, text string) (*tree, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	into := defaults()
	err := Load(path, into, into.sections)
	return into, err
}

func TestLoad_setsWhatIsGivenAndKeepsTheRest(t *testing.T) {
	got, err := load(t, "channel: server\npart:\n  wait: 90s\n")
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Channel, want.Part.Wait = "server", 90*time.Second
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoad_namesFileLineAndKey(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := load(t, text)
		var problems strictyaml.Errors
		if !errors.As(err, &problems) {
			t.Errorf("%q: %v", text, err)
			return
		}
		if len(problems) != len(want) {
			t.Errorf("%q: %v", text, err)
			return
		}
		for i, problem := range problems {
			if got := fmt.Sprintf("%s:%d: %s: %s", filepath.Base(problem.File), problem.Line, problem.Key, problem.Message); !strings.HasPrefix(got, want[i]) {
				t.Errorf("got %q, want %q", got, want[i])
			}
		}
	}
	f("chanel: server\n", "agent.yaml:1: chanel: unknown key")
	f("part:\n  size: many\n", "agent.yaml:2: part.size: ")
	f("part:\n  size: 0\n", "agent.yaml:2: part.size: 0 is below 1")
	f("channel: bus\nlog_level: loud\nstate_dir: here\n",
		`agent.yaml:1: channel: "bus" is not`, `agent.yaml:2: log_level: "loud" is not`, `agent.yaml:3: state_dir: "here" is not`)
	f("part:\n  wait: 1s\n  sub:\n    depth: -1\n", "agent.yaml:4: part.sub.depth: sub.depth is -1: set it to 0 or more")
	f("part:\n  sub: {depth: -1}\n  size: -2\n", "agent.yaml:2: part.sub.depth", "agent.yaml:3: part.size")
	f("host_name: "+strings.Repeat("x", 300)+"\n", "agent.yaml:1: host_name: 300 bytes")
}

func TestLoad_refusesFiles(t *testing.T) {
	if err := Load(filepath.Join(t.TempDir(), "absent"), defaults(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	if _, err := load(t, strings.Repeat("#", maxFile+1)); err == nil || !strings.Contains(err.Error(), "is over") {
		t.Errorf("a large file: %v", err)
	}
}

func TestPrint_isReadBack(t *testing.T) {
	want := defaults()
	want.HostName, want.Part.Wait = "named", 36*time.Hour
	var out bytes.Buffer
	if err := Print(&out, want); err != nil {
		t.Fatal(err)
	}
	got, err := load(t, out.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDefaultBase_isValidHere(t *testing.T) {
	if err := DefaultBase().Validate(); err != nil {
		t.Error(err)
	}
	for _, system := range []string{"linux", "darwin", "windows"} {
		if defaultStateDir(system) == "" {
			t.Errorf("no state directory on %s", system)
		}
	}
}

func TestPackKeys(t *testing.T) {
	const key = "t4iKl9l83jyqcKuwK6SLLqA7NLSifJG7rzuXQX0u+vA="
	f := func(says string, edit func(*Base)) {
		t.Helper()
		b := DefaultBase()
		edit(&b)
		err := b.Validate()
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	file := filepath.Join(DefaultBase().StateDir, "signatures.pack")
	f("", func(b *Base) { b.SignaturesPack, b.SignaturesKeys = file, []string{key, key} })
	f("signatures_pack: missing", func(b *Base) { b.SignaturesKeys = []string{key} })
	f("signatures_pack: missing", func(b *Base) { b.SignaturesAllowVersion = 3 })
	f("signatures_pack: \"x.pack\" is not an absolute path", func(b *Base) { b.SignaturesPack, b.SignaturesKeys = "x.pack", []string{key} })
	f("signatures_keys: 0 keys", func(b *Base) { b.SignaturesPack = file })
	f("signatures_keys: 3 keys", func(b *Base) { b.SignaturesPack, b.SignaturesKeys = file, []string{key, key, key} })
	f("signatures_keys: number 2", func(b *Base) { b.SignaturesPack, b.SignaturesKeys = file, []string{key, key[:40]} })
}
