package reconcile

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"pgregory.net/rapid"
)

// The universe of the generators is small, so that entries and usages overlap:
// two providers with two signatures each, and for each key the same few values.

var judgedAt = time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC)

const (
	shaA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	shaB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// between draws a whole number with about the same chance for each: rapid's own
// ranges and samples prefer small numbers, its coins are fair.
func between(t *rapid.T, label string, from, to int) int {
	number := 0
	for bits := 4; 1<<bits < 8*(to-from+1); bits++ {
		number <<= 1
		if coin.Draw(t, label) {
			number |= 1
		}
	}
	for range 4 {
		number <<= 1
		if coin.Draw(t, label) {
			number |= 1
		}
	}
	return from + number%(to-from+1)
}

var coin = rapid.Bool()

// percent draws true in about p of a hundred draws.
func percent(t *rapid.T, p int, label string) bool { return between(t, label, 0, 99) < p }

func pick[T any](t *rapid.T, label string, values ...T) T {
	return values[between(t, label, 0, len(values)-1)]
}

// some draws one value or two, which may be the same.
func some(t *rapid.T, label string, values ...string) []string {
	list := []string{pick(t, label, values...)}
	if coin.Draw(t, label) {
		list = append(list, pick(t, label, values...))
	}
	return list
}

func drawMatch(t *rapid.T) inventory.Match {
	var m inventory.Match
	switch between(t, "rule", 0, 13) {
	case 0, 1:
		m.Signature = some(t, "signatures", "acme.api", "acme.app", "acme.*", "*.api", "globex.*")
	case 2:
		m.Signature = some(t, "signatures", "acme.api", "acme.*")
		m.Account = some(t, "accounts", "org-a", "org-b", "org-*")
	case 3, 4:
		m.Domain = some(t, "domains", "api.acme.example", "*.acme.example", "api.globex.example", "*.api.acme.example")
	case 5:
		m.Model.SHA256 = some(t, "sha256", shaA, shaB)
	case 6:
		m.Model.Name = pick(t, "model", "llama-3-8b", "llama-*", "*-8b")
	case 7:
		m.Model.Family = pick(t, "family", "llama", "mistral")
	case 8:
		m.Software = inventory.SoftwareRule{Publisher: pick(t, "publisher", "Acme Inc", ""), Name: pick(t, "software", "Chat", "Ch*"), Version: pick(t, "version", "", "", ">=1.7", "<2")}
	case 9:
		m.Extension = inventory.ExtensionRule{Store: pick(t, "store", "vscode", "chrome", ""), ID: pick(t, "extension", "acme.copilot", "acme.*", "")}
	case 10:
		m.Publisher = some(t, "publishers", "acme inc", "globex")
	case 11:
		m.Provider = some(t, "providers", "acme", "globex")
	case 12:
		m.Model.Format = pick(t, "format", "gguf", "")
		m.Model.License = pick(t, "license", "mit", "")
		m.Model.Publisher = pick(t, "model publisher", "acme inc", "")
	case 13: // several keys at once
		m.Provider = some(t, "providers", "acme", "globex")
		m.Signature = some(t, "signatures", "acme.api", "*cme*")
		m.Domain = some(t, "domains", "api.acme.example", "*.acme.example")
	}
	return m
}

func drawScope(t *rapid.T) inventory.Scope {
	var s inventory.Scope
	for range between(t, "dimensions", 1, 2) {
		switch between(t, "dimension", 0, 9) {
		case 0:
			s.Groups = some(t, "groups", "engineering", "sales", "eng*")
		case 1:
			s.Users = some(t, "users", "ana", "leo")
		case 2:
			s.Hosts = some(t, "hosts", "lab-1", "lab-*", "pc-2")
		case 3:
			s.HostLabels = map[string]string{pick(t, "label", "managed", "ring"): "true"}
		case 4:
			s.Networks = some(t, "networks", "10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/16")
		case 5:
			s.Channels = []inventory.Channel{pick(t, "channel", inventory.Channels()...)}
		case 6:
			s.Regions = some(t, "regions", "eu", "us")
		case 7:
			s.Accounts = some(t, "scope accounts", "org-a", "org-*")
		case 8:
			s.Purposes = []string{"support"}
		case 9:
			s.DataClasses = some(t, "data classes", "public", "internal")
		}
	}
	return s
}

// drawLapse makes about half of the grants not live, each reason alike.
func drawLapse(t *rapid.T, e *inventory.Entry) {
	switch between(t, "lapse", 0, 11) {
	case 6:
		e.Valid = inventory.Validity{From: "2025-01-01", Until: pick[inventory.Date](t, "until", "2026-10-15", "2026-03-01")}
	case 7:
		e.Valid.From = pick[inventory.Date](t, "from", "2026-10-16", "2027-01-01")
	case 8:
		e.Review = inventory.Review{Every: pick[inventory.Duration](t, "every", "30d", "", "10w"), Last: "2026-01-10"}
	case 9:
		e.Contract.DPA = pick(t, "dpa", inventory.PaperPending, inventory.PaperRequired, inventory.PaperExpired)
	case 10:
		e.Contract = inventory.Contract{DPA: inventory.PaperSigned, DPAUntil: pick[inventory.Date](t, "dpa until", "2026-10-15", "2026-01-01")}
	case 11: // live, with every field set
		e.Valid = inventory.Validity{From: "2026-01-01", Until: "2026-10-16"}
		e.Review = inventory.Review{Every: "0d", Last: "2020-01-01"}
		e.Contract = inventory.Contract{Agreement: inventory.PaperSigned, DPA: inventory.PaperNotRequired, DPAUntil: "2026-10-16"}
	}
}

func drawEntry(t *rapid.T, id string) inventory.Entry {
	e := inventory.Entry{ID: id, Name: id, Kind: inventory.KindModel}
	e.Status = pick(t, "status",
		inventory.StatusApproved, inventory.StatusApproved, inventory.StatusApproved, inventory.StatusRestricted, inventory.StatusRestricted,
		inventory.StatusRestricted, inventory.StatusProhibited, inventory.StatusRetired, inventory.StatusProposed, inventory.StatusProposed)
	for range between(t, "items", 1, 2) {
		e.Match = append(e.Match, drawMatch(t))
	}
	if percent(t, 20, "excludes") {
		e.NotMatch = append(e.NotMatch, drawMatch(t))
	}
	if e.Status == inventory.StatusRestricted || percent(t, 40, "scoped") {
		e.Scope = drawScope(t)
	}
	drawLapse(t, &e)
	return e
}

func drawInventory(t *rapid.T) *inventory.Document {
	d := &inventory.Document{Schema: inventory.Schema, Defaults: inventory.Defaults{
		ReviewEvery:    "180d",
		ScopeOnUnknown: pick(t, "on unknown", inventory.UnknownFlag, inventory.UnknownFlag, inventory.UnknownDeny, inventory.UnknownAllow),
	}}
	for i := range between(t, "entries", 0, 20) {
		d.Entries = append(d.Entries, drawEntry(t, fmt.Sprintf("entry-%d", i)))
	}
	return d
}

func drawUsage(t *rapid.T) *Usage {
	u := &Usage{
		Confidence: pick[uint8](t, "confidence", 50, 90, 100, 60, 70, 80, 95, 99, 51, 50, 50, 98, 97, 75, 49),
		At:         judgedAt,
		Host:       pick(t, "host", "lab-1", "pc-2", "LAB-7", ""),
		User:       pick(t, "user", "ana", "leo", "Eve", ""),
		Channel:    pick(t, "channel", "endpoint", "server", "gateway", ""),
		Region:     pick(t, "region", "eu", "us", ""),
		Account:    pick(t, "account", "org-a", "org-b", "private", "", ""),
	}
	u.Groups = pick(t, "groups", nil, []string{}, []string{"engineering"}, []string{"Sales", "all"})
	u.HostLabels = pick(t, "labels", nil, map[string]string{}, map[string]string{"managed": "true"}, map[string]string{"managed": "false", "ring": "true"})
	u.Addresses = pick(t, "addresses", nil, []netip.Addr{netip.MustParseAddr("10.1.2.3")}, []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("172.16.0.1")})
	u.DataClasses = pick(t, "data", nil, nil, []string{"public"}, []string{"public", "secret"})
	switch between(t, "what", 0, 10) {
	case 0: // nothing known
		u.Software.Version = "1.0"
	case 1, 2, 3, 4:
		u.SignatureID = pick(t, "signature", "acme.api", "acme.app", "Globex.api")
		u.Provider = pick(t, "provider", "acme", "globex", "")
		u.Domain = pick(t, "domain", "api.acme.example", "v1.api.acme.example", "acme.example", "xacme.example", "")
		if percent(t, 50, "with model") {
			u.Model = Model{Name: "llama-3-8b", Family: "llama", SHA256: pick(t, "sha256", shaA, ""), Publisher: "acme inc"}
		}
	case 5, 6:
		u.Domain = pick(t, "domain", "api.acme.example", "v1.api.acme.example", "api.globex.example")
	case 7, 8:
		u.Model = Model{
			Name: pick(t, "model", "llama-3-8b", "Llama-2", "mistral-8b", ""), Family: pick(t, "family", "llama", "mistral"),
			SHA256: pick(t, "sha256", shaA, shaB, ""), Publisher: pick(t, "model publisher", "Acme Inc", "globex", ""),
			Format: pick(t, "format", "gguf", "safetensors"), License: pick(t, "license", "mit", ""),
		}
	case 9:
		u.Software = Software{Publisher: pick(t, "publisher", "Acme Inc", "globex", ""), Name: pick(t, "software", "Chat", "chart"), Version: pick(t, "version", "1.6", "1.10.1", "2.0", "")}
	case 10:
		u.Extension = Extension{Store: pick(t, "store", "vscode", "chrome"), ID: pick(t, "extension", "acme.copilot", "acme.other", "evil.x")}
		u.Provider = "acme"
	}
	return u
}
