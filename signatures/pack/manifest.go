package pack

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Format is the version of the form that this package writes and the highest it
// reads.
const Format = 1

// Limits of what is read.
const (
	MaxBytes        = 32 << 20 // of a pack
	maxManifest     = 1 << 20
	maxParts        = 8
	maxSignatures   = 8
	maxAttributions = 20_000
)

// Manifest says what a pack is. It is what the signatures sign.
type Manifest struct {
	Format          int         `json:"format"`                      // Format
	Schema          string      `json:"schema"`                      // signatures.Schema
	ID              string      `json:"pack_id"`                     // whose line of packs it is; versions count within it
	Version         uint64      `json:"version"`                     // rises with every pack; 0 for what was never published
	Channel         string      `json:"channel,omitempty"`           // e.g. stable
	MinAgentVersion string      `json:"min_agent_version,omitempty"` // e.g. 0.4.0
	Created         time.Time   `json:"created,omitzero"`            // UTC, whole seconds
	Expires         time.Time   `json:"expires,omitzero"`            // from then on it is stale; it keeps working
	Catalogue       string      `json:"catalogue"`                   // signatures.Version of the list
	Signatures      int         `json:"signatures"`                  // in the list, switched off ones included
	Source          string      `json:"source,omitempty"`            // digest of what it was compiled from; compiled catalogues only
	Parts           []PartEntry `json:"parts"`
	// Licence of the pack itself, and whose facts are in it: hosts of the pages
	// that were read, and repositories as host/owner/name, in order.
	Licence     string   `json:"licence"`
	Attribution []string `json:"attribution"`
}

// PartEntry describes one part of a pack.
type PartEntry struct {
	Name   signatures.Part `json:"name"`
	Size   int             `json:"size"`
	SHA256 string          `json:"sha256"` // 64 hex digits
}

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	versionForm = regexp.MustCompile(`^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+][0-9A-Za-z.+-]{1,64})?$`)
)

// readManifest decodes and checks a manifest. Fields that are not known are
// skipped: what changes the meaning of others raises the format.
func readManifest(data []byte) (Manifest, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Manifest{}, refuse(ErrDamaged, "its manifest is no JSON (%v)", err)
	}
	if head.Format > Format {
		return Manifest{}, refuse(ErrNewerFormat, "it has format %d, this program reads %d", head.Format, Format)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, refuse(ErrDamaged, "its manifest cannot be read (%v)", err)
	}
	return m, m.check()
}

func (m *Manifest) check() error {
	switch {
	case m.Format != Format:
		return refuse(ErrDamaged, "its manifest has the format %d", m.Format)
	case m.Schema != signatures.Schema:
		return refuse(ErrNewerFormat, "its signatures have the schema %q, this program reads %s", m.Schema, signatures.Schema)
	case !nameForm.MatchString(m.ID):
		return refuse(ErrDamaged, "%q is no id of a pack", m.ID)
	case m.Channel != "" && !nameForm.MatchString(m.Channel):
		return refuse(ErrDamaged, "%q is no channel", m.Channel)
	case m.MinAgentVersion != "" && !versionForm.MatchString(m.MinAgentVersion):
		return refuse(ErrDamaged, "%q is no version of an agent", m.MinAgentVersion)
	case len(m.Parts) > maxParts:
		return refuse(ErrDamaged, "it has %d parts, at most %d are read", len(m.Parts), maxParts)
	case len(m.Attribution) > maxAttributions:
		return refuse(ErrDamaged, "it names %d sources, at most %d are read", len(m.Attribution), maxAttributions)
	case m.Signatures < 0:
		return refuse(ErrDamaged, "it has %d signatures", m.Signatures)
	}
	seen := map[signatures.Part]bool{}
	for _, p := range m.Parts {
		switch {
		case !slices.Contains(signatures.Parts(), p.Name):
			return refuse(ErrNewerFormat, "it has a part %q that this program does not know", p.Name)
		case seen[p.Name]:
			return refuse(ErrDamaged, "it has the part %s twice", p.Name)
		case p.Size < 0 || p.Size > MaxBytes || len(p.SHA256) != 64:
			return refuse(ErrDamaged, "the part %s is described wrongly", p.Name)
		}
		seen[p.Name] = true
	}
	for _, name := range signatures.Parts() {
		if !seen[name] {
			return refuse(ErrDamaged, "it lacks the part %s", name)
		}
	}
	return nil
}

// forges are hosts where the first two elements of a path name a project.
func forges() []string {
	return []string{"github.com", "raw.githubusercontent.com", "gitlab.com", "codeberg.org", "huggingface.co", "gitee.com"}
}

// attribution lists whose pages and repositories the facts of list come from.
func attribution(list []signatures.Signature) []string {
	seen := map[string]bool{}
	for i := range list {
		for _, s := range list[i].Sources {
			u, err := url.Parse(s.URL)
			if err != nil || u.Host == "" {
				continue // Load and Check refuse such a source
			}
			name := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
			if slices.Contains(forges(), name) {
				if name == "raw.githubusercontent.com" {
					name = "github.com"
				}
				if p := strings.SplitN(strings.Trim(u.Path, "/"), "/", 3); len(p) > 1 {
					name += "/" + p[0] + "/" + p[1]
				}
			}
			seen[name] = true
		}
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// describe names a pack in one line.
func (m *Manifest) describe() string {
	return fmt.Sprintf("pack %s version %d", m.ID, m.Version)
}
