package reconcile

import (
	"fmt"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// field names one key of a match item.
type field uint8

// The fields, the most telling first: an item is indexed under its first.
const (
	fieldSHA256 field = iota
	fieldExtension
	fieldSoftware
	fieldSignature
	fieldModelName
	fieldDomain
	fieldFamily
	fieldPublisher // of software or model
	fieldSoftwarePublisher
	fieldModelPublisher
	fieldProvider
	fieldFormat
	fieldLicense
	fieldStore
	fieldAccount // only qualifies: never an item's first
	fieldCount
)

// item is a compiled match item: parts, in field order, that must all hold.
type item struct {
	entry   int32 // index of its entry in Rules.entries
	parts   []part
	version inventory.Constraint // of the software
}

// part is one key of an item.
type part struct {
	field      field
	exactLevel uint8
	globLevel  uint8
	values     textSet // for fieldDomain the globs are wildcard domains
}

// newItem compiles m. usable is false where nothing in m can match by itself.
func newItem(entry int32, m *inventory.Match) (it item, usable bool, err error) {
	constraint, err := inventory.ParseConstraint(m.Software.Version)
	if err != nil {
		return item{}, false, fmt.Errorf("software.version %q %w", m.Software.Version, err)
	}
	softwareLevel, extensionLevel := uint8(LevelGlob), uint8(LevelGlob)
	if m.Software.Publisher != "" {
		softwareLevel = LevelProduct
	}
	if m.Extension.Store != "" {
		extensionLevel = LevelProduct
	}
	it = item{entry: entry, version: constraint}
	for _, p := range []part{
		{fieldSHA256, LevelSHA256, LevelSHA256, newTextSet(m.Model.SHA256)},
		{fieldExtension, extensionLevel, LevelGlob, newTextSet(one(m.Extension.ID))},
		{fieldSoftware, softwareLevel, LevelGlob, newTextSet(one(m.Software.Name))},
		{fieldSignature, LevelSignature, LevelGlob, newTextSet(m.Signature)},
		{fieldModelName, LevelModelName, LevelGlob, newTextSet(one(m.Model.Name))},
		{fieldDomain, LevelHost, LevelWildcard, newTextSet(m.Domain)},
		{fieldFamily, LevelFamily, LevelFamily, newTextSet(one(m.Model.Family))},
		{fieldPublisher, LevelPublisher, LevelPublisher, newTextSet(m.Publisher)},
		{fieldSoftwarePublisher, LevelPublisher, LevelPublisher, newTextSet(one(m.Software.Publisher))},
		{fieldModelPublisher, LevelPublisher, LevelPublisher, newTextSet(one(m.Model.Publisher))},
		{fieldProvider, LevelProvider, LevelProvider, newTextSet(m.Provider)},
		{fieldFormat, LevelAttributes, LevelAttributes, newTextSet(one(m.Model.Format))},
		{fieldLicense, LevelAttributes, LevelAttributes, newTextSet(one(m.Model.License))},
		{fieldStore, LevelAttributes, LevelAttributes, newTextSet(one(m.Extension.Store))},
		{fieldAccount, LevelAccount, LevelAccount, newTextSet(m.Account)},
	} {
		if !p.values.empty() {
			it.parts = append(it.parts, p)
		}
	}
	return it, len(it.parts) > 0 && it.parts[0].field != fieldAccount, nil
}

func one(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// level returns the specificity of it for s, 0 where it does not match. Every
// part must hold; what s does not tell does not hold.
func (it *item) level(s *subject) int32 {
	level := uint8(0)
	for i := range it.parts {
		p := &it.parts[i]
		held := p.level(s)
		if held == 0 {
			return 0
		}
		level = max(level, held)
	}
	if !it.version.Allows(s.Software.Version) {
		return 0
	}
	return int32(level)
}

// level returns the specificity of p for s, 0 where it does not hold.
func (p *part) level(s *subject) uint8 {
	value := s.values[p.field]
	if p.field == fieldPublisher {
		return max(p.find(s.values[fieldSoftwarePublisher]), p.find(s.values[fieldModelPublisher]))
	}
	return p.find(value)
}

func (p *part) find(value string) uint8 {
	if value == "" {
		return 0
	}
	if p.values.hasExact(value) {
		return p.exactLevel
	}
	for _, glob := range p.values.globs {
		if p.field == fieldDomain {
			if inventory.MatchDomain(glob, value) {
				return p.globLevel
			}
		} else if inventory.MatchGlob(glob, value) {
			return p.globLevel
		}
	}
	return 0
}

// anchor returns the part to index it under: the first telling one whose values
// are all exact, else the first.
func (it *item) anchor() *part {
	for i := range it.parts {
		if p := &it.parts[i]; p.field <= fieldDomain && len(p.values.globs) == 0 {
			return p
		}
	}
	return &it.parts[0]
}
