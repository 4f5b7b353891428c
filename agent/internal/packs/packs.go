// Package packs chooses the signatures that the agent matches by: those of the
// pack that the configuration names, else those of the pack that was accepted
// before, else those that the program carries. Why it is not the first is told
// with every heartbeat. While the agent runs, the file is looked at again and
// again, and a new pack takes effect without a restart.
//
// What was accepted is kept in a folder of its own in the state directory: a
// copy of the pack, and the highest version, below which no pack is taken
// (state.json; see signatures/pack for what is refused and why).
//
// It may import signatures, signatures/pack and agent/internal/sensor. It fetches
// nothing: how the file gets there is for others. It does not compile signatures
// and does not know the folder that is laid over them: that is main's.
package packs

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/pack"
)

// Names of what is kept, in Config.Dir.
const (
	stateName    = "state.json"
	acceptedName = "accepted.pack"
)

// Config says where a pack is and whose packs are taken.
type Config struct {
	File         string              // "" for none: the embedded signatures are used
	Keys         []ed25519.PublicKey // pinned: the current and the next
	AllowVersion uint64              // a version that the operator takes although a higher one was accepted; 0 for none
	Dir          string              // where what was accepted is kept; made when it is needed
	AgentVersion string
	// Embedded returns the signatures that the program carries and their version.
	Embedded func() ([]signatures.Signature, string, error)
}

// The origins of a Choice.
const (
	FromPack     = "pack"     // the file that the configuration names
	FromPrevious = "previous" // the pack that was accepted before
	FromEmbedded = "embedded" // the program
)

// Choice is what is matched by, and why.
type Choice struct {
	Origin   string
	List     []signatures.Signature // rules; see Forget
	Count    int                    // of List
	Version  string                 // signatures.Version of List
	Manifest pack.Manifest          // of a pack
	Digest   string                 // pack.Digest of a pack, "" for the embedded ones
	// Trouble says why it is not the pack of the configuration; "" where it is,
	// or none is configured.
	Trouble string

	dir   string
	state pack.State
	data  []byte
	seen  stamp // of the file, before it was read
}

// Forget lets go of the signatures, once they are compiled, and of the bytes of the
// pack, once they are kept.
func (c *Choice) Forget() { c.List, c.data = nil, nil }

// Choose decides. It writes nothing; see Choice.Keep. An error means that even
// the embedded signatures cannot be read.
func Choose(c Config, now time.Time) (*Choice, error) {
	// Looked at first: what changes while it is read is new to a Watcher.
	seen := stampOf(c.File)
	choice, err := c.choose(now)
	if err != nil {
		return nil, err
	}
	choice.seen = seen
	return choice, nil
}

func (c *Config) choose(now time.Time) (*Choice, error) {
	if c.File == "" {
		return c.embedded("")
	}
	state, err := pack.LoadState(filepath.Join(c.Dir, stateName))
	if err != nil {
		// What was accepted is not known, so an old pack could pass for a new one.
		return c.embedded(fmt.Sprintf("%s is not read: %v", c.File, err))
	}
	choice, err := c.open(c.File, FromPack, state, now)
	if err == nil {
		return choice, nil
	}
	trouble := fmt.Sprintf("%s is refused: %v", c.File, err)
	if errors.Is(err, fs.ErrNotExist) {
		trouble = fmt.Sprintf("there is no file %s: put a pack there, or remove signatures_pack", c.File)
	}
	choice, err = c.open(filepath.Join(c.Dir, acceptedName), FromPrevious, state, now)
	switch {
	case err == nil:
		choice.Trouble = trouble
		return choice, nil
	case errors.Is(err, fs.ErrNotExist):
		return c.embedded(trouble)
	default:
		return c.embedded(fmt.Sprintf("%s; and the pack accepted before is of no use: %v", trouble, err))
	}
}

// Fallback returns the embedded signatures in the place of c, because of trouble.
func (c *Choice) Fallback(config Config, trouble string) (*Choice, error) {
	next, err := config.embedded(trouble)
	if err != nil {
		return nil, err
	}
	next.seen = c.seen
	return next, nil
}

func (c *Config) embedded(trouble string) (*Choice, error) {
	list, version, err := c.Embedded()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded catalogue: %w", err)
	}
	return &Choice{Origin: FromEmbedded, List: list, Count: len(list), Version: version, Trouble: trouble}, nil
}

func (c *Config) open(path, origin string, state pack.State, now time.Time) (*Choice, error) {
	data, err := pack.ReadFile(path)
	if err != nil {
		return nil, err
	}
	accepted, err := pack.Accept(data, pack.Policy{Keys: c.Keys, AgentVersion: c.AgentVersion, State: state, AllowVersion: c.AllowVersion}, now)
	if err != nil {
		return nil, err
	}
	m := accepted.Pack.Manifest
	return &Choice{
		Origin: origin, List: accepted.Rules, Count: len(accepted.Rules), Version: m.Catalogue, Manifest: m, Digest: accepted.Pack.Digest(),
		dir: c.Dir, state: accepted.State, data: data,
	}, nil
}

// Keep stores the pack and its version for the next start. Without it an older
// pack would be taken again.
func (c *Choice) Keep() error {
	if c.Origin == FromEmbedded || c.dir == "" {
		return nil
	}
	if err := c.keep(); err != nil {
		return fmt.Errorf("keeping the accepted pack in %s: %w", c.dir, err)
	}
	return nil
}

func (c *Choice) keep() error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	// The version first: a copy without it could be rolled back.
	path := filepath.Join(c.dir, stateName)
	if before, err := pack.LoadState(path); err != nil || before != c.state {
		if err := c.state.Save(path); err != nil {
			return err
		}
	}
	if c.Origin != FromPack {
		return nil
	}
	path = filepath.Join(c.dir, acceptedName)
	if before, err := pack.ReadFile(path); err == nil && string(before) == string(c.data) {
		return nil
	}
	return pack.WriteFile(path, c.data, 0o600)
}

// Describe names the choice in one line; now tells its age. attention says that
// something should be done about it.
func (c *Choice) Describe(now time.Time) (text string, attention bool) {
	if c.Origin == FromEmbedded {
		text = "the signatures of the program itself"
	} else {
		text = fmt.Sprintf("pack %s version %d", c.Manifest.ID, c.Manifest.Version)
		if !c.Manifest.Created.IsZero() {
			text += fmt.Sprintf(", %d days old", max(0, int(now.Sub(c.Manifest.Created).Hours()/24)))
		}
		if since, stale := c.Manifest.Stale(now); stale {
			text += fmt.Sprintf(", stale: it expired %d days ago, fetch a newer one", int(since.Hours()/24))
			attention = true
		}
	}
	if c.Trouble != "" {
		text += "; " + c.Trouble
		attention = true
	}
	return text, attention
}
