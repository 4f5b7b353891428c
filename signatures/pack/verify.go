package pack

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/sigtest"
)

// MaxKeys bounds the keys that may be pinned: the current one and the next.
const MaxKeys = 2

// signedContext goes before what is signed, so that a signature is good for
// nothing else.
const signedContext = "gnomon signatures pack\x00"

// Policy is what a pack is held against.
type Policy struct {
	Keys         []ed25519.PublicKey // pinned: the current and the next
	AgentVersion string              // of this program; one without three numbers is a development build, which is held to no minimum
	State        State               // what was accepted before
	// AllowVersion is the version of a pack that the operator takes although a
	// higher one, or one of another line, was accepted before; 0 for none.
	AllowVersion uint64
}

// Verify says whether p may be used: every part is what the manifest says, a
// pinned key has signed it, the program is new enough, and nothing newer was
// accepted before. Errors wrap one of the reasons of this package. That it has
// expired is no reason: see Manifest.Stale.
func (p *Pack) Verify(policy Policy) error {
	if err := p.Authentic(policy.Keys); err != nil {
		return err
	}
	m := &p.Manifest
	if olderThan(policy.AgentVersion, m.MinAgentVersion) {
		return refuse(ErrAgentTooOld, "%s needs an agent of version %s, this one is %s", m.describe(), m.MinAgentVersion, policy.AgentVersion)
	}
	return p.inOrder(policy.State, policy.AllowVersion)
}

// Authentic says whether a key of keys has signed p, all parts included. The
// signatures of every key of keys have to fit; those of others do not count.
func (p *Pack) Authentic(keys []ed25519.PublicKey) error {
	message := signedMessage(p.data[:p.signed])
	good := 0
	for _, key := range keys {
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("verifying a pack: a key has %d bytes, want %d", len(key), ed25519.PublicKeySize)
		}
		for _, s := range p.signatures {
			if s.key != IDOf(key) {
				continue
			}
			if !ed25519.Verify(key, message, s.bytes[:]) {
				return refuse(ErrForged, "%s bears a wrong signature of the key %s", p.Manifest.describe(), s.key)
			}
			good++
		}
	}
	if good == 0 {
		return refuse(ErrUnsigned, "%s %s", p.Manifest.describe(), p.signers())
	}
	for _, part := range p.Manifest.Parts {
		if err := p.intact(part.Name); err != nil {
			return err
		}
	}
	return nil
}

func signedMessage(head []byte) []byte { return append([]byte(signedContext), head...) }

// signers says whose signatures p bears.
func (p *Pack) signers() string {
	if len(p.signatures) == 0 {
		return "bears no signature"
	}
	text := "is signed by"
	for _, s := range p.signatures {
		text += " " + s.key.String()
	}
	return text
}

// Signers lists the ids of the keys that p says it is signed by.
func (p *Pack) Signers() []KeyID {
	ids := make([]KeyID, len(p.signatures))
	for i, s := range p.signatures {
		ids[i] = s.key
	}
	return ids
}

// inOrder says whether nothing newer, or else, was accepted before.
func (p *Pack) inOrder(before State, allowed uint64) error {
	m := &p.Manifest
	switch {
	case m.Version == 0:
		return refuse(ErrDamaged, "%s was not built for publishing", m.describe())
	case before.Highest == 0 || allowed == m.Version:
		return nil
	case m.ID != before.ID:
		return refuse(ErrOtherLine, "%s follows packs of %s", m.describe(), before.ID)
	case m.Version < before.Highest:
		return refuse(ErrRolledBack, "%s comes after version %d", m.describe(), before.Highest)
	case m.Version == before.Highest && p.Digest() != before.Digest:
		return refuse(ErrRolledBack, "%s is not the version %d that was accepted before", m.describe(), m.Version)
	}
	return nil
}

// Digest identifies the pack, signatures aside: the SHA-256 of what they sign.
func (p *Pack) Digest() string {
	sum := sha256.Sum256(p.data[:p.signed])
	return hex.EncodeToString(sum[:])
}

// Stale says whether the pack has expired at now, and for how long.
func (m *Manifest) Stale(now time.Time) (since time.Duration, stale bool) {
	if m.Expires.IsZero() || now.Before(m.Expires) {
		return 0, false
	}
	return now.Sub(m.Expires), true
}

// olderThan compares the first three numbers of two versions. What has none is
// older than nothing.
func olderThan(have, want string) bool {
	a, b := versionForm.FindStringSubmatch(have), versionForm.FindStringSubmatch(want)
	if a == nil || b == nil {
		return false
	}
	for i := 1; i <= 3; i++ {
		// At most nine digits: these cannot fail.
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}

// Accepted is a pack that may be used.
type Accepted struct {
	Pack  *Pack
	Rules []signatures.Signature // without facts and examples
	State State                  // to be kept for the next time
}

// Accept opens, verifies and tests data at the time now. Check and the pack's own
// examples are run unless State says that this program has run them on this pack.
func Accept(data []byte, policy Policy, now time.Time) (*Accepted, error) {
	p, err := Open(data)
	if err != nil {
		return nil, err
	}
	if err := p.Verify(policy); err != nil {
		return nil, err
	}
	shape, err := signatures.ShapeDigest()
	if err != nil {
		return nil, err
	}
	tested := p.Digest() + " " + shape[:12] + " " + policy.AgentVersion
	if tested != policy.State.Tested {
		if err := p.SelfTest(); err != nil {
			return nil, err
		}
	}
	list, err := p.Rules()
	if err != nil {
		return nil, err
	}
	state := policy.State
	if state.ID != p.Manifest.ID || state.Highest < p.Manifest.Version {
		state.ID, state.Highest, state.Digest, state.Accepted = p.Manifest.ID, p.Manifest.Version, p.Digest(), now.UTC().Truncate(time.Second)
	}
	state.Tested = tested
	return &Accepted{p, list, state}, nil
}

// SelfTest checks the signatures of p as signatures.Load does and runs their own
// examples. Errors are ErrInvalidRules, ErrSelfTest, ErrNewerFormat or ErrDamaged.
func (p *Pack) SelfTest() error {
	list, err := p.All()
	if err != nil {
		return err
	}
	if err := signatures.Check(list); err != nil {
		return refuse(ErrInvalidRules, "%s: %v", p.Manifest.describe(), firstLine(err))
	}
	if problems := sigtest.Examples(list); len(problems) > 0 {
		return refuse(ErrSelfTest, "%s: %d examples fail, the first: %v", p.Manifest.describe(), len(problems), problems[0])
	}
	version, err := signatures.Version(list)
	if err != nil {
		return err
	}
	if version != p.Manifest.Catalogue {
		return refuse(ErrSelfTest, "%s says that its rules are %s, they are %s", p.Manifest.describe(), p.Manifest.Catalogue, version)
	}
	return nil
}

// firstLine is the first of many problems.
func firstLine(err error) error {
	for text := range linesOf(err) {
		return errors.New(text)
	}
	return err
}
