package reconcile

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// scope is a compiled scope.
type scope struct {
	restricts Dimensions // those that are present
	labels    map[string]string
	networks  []netip.Prefix

	groups, users, hosts, channels, regions, accounts, dataClasses textSet
}

func newScope(s *inventory.Scope) (scope, error) {
	c := scope{
		groups: newTextSet(s.Groups), users: newTextSet(s.Users), hosts: newTextSet(s.Hosts), channels: newTextSet(s.Channels),
		regions: newTextSet(s.Regions), accounts: newTextSet(s.Accounts), dataClasses: newTextSet(s.DataClasses),
	}
	for _, text := range s.Networks {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return scope{}, fmt.Errorf("scope.networks: %q is no CIDR prefix such as 10.0.0.0/8", text)
		}
		c.networks = append(c.networks, prefix.Masked())
	}
	if len(s.HostLabels) > 0 {
		c.labels = maps.Clone(s.HostLabels)
	}
	for dimension, present := range map[Dimensions]bool{
		DimensionGroup: !c.groups.empty(), DimensionUser: !c.users.empty(), DimensionHost: !c.hosts.empty(),
		DimensionHostLabel: len(c.labels) > 0, DimensionNetwork: len(c.networks) > 0, DimensionChannel: !c.channels.empty(),
		DimensionRegion: !c.regions.empty(), DimensionAccount: !c.accounts.empty(), DimensionPurpose: len(s.Purposes) > 0,
		DimensionDataClass: !c.dataClasses.empty(),
	} {
		if present {
			c.restricts |= dimension
		}
	}
	return c, nil
}

// fit is one dimension held against a usage.
type fit uint8

const (
	fitMatch fit = iota
	fitMismatch
	fitUnknown
)

// judge returns the dimensions of c that do not match s and those of which s
// tells nothing.
func (c *scope) judge(s *subject) (mismatch, unknown Dimensions) {
	if c.restricts == 0 {
		return 0, 0
	}
	record := func(dimension Dimensions, f fit) {
		switch f {
		case fitMismatch:
			mismatch |= dimension
		case fitUnknown:
			unknown |= dimension
		}
	}
	for rest := c.restricts; rest != 0; rest &= rest - 1 {
		dimension := rest & -rest
		record(dimension, c.fit(dimension, s))
	}
	return mismatch, unknown
}

func (c *scope) fit(dimension Dimensions, s *subject) fit {
	switch dimension {
	case DimensionGroup:
		return anyOf(&c.groups, s.Groups)
	case DimensionUser:
		return single(&c.users, s.user)
	case DimensionHost:
		return single(&c.hosts, s.host)
	case DimensionHostLabel:
		return c.labelFit(s)
	case DimensionNetwork:
		return c.networkFit(s)
	case DimensionChannel:
		return single(&c.channels, s.channel)
	case DimensionRegion:
		return single(&c.regions, s.region)
	case DimensionAccount:
		return single(&c.accounts, s.values[fieldAccount])
	case DimensionDataClass:
		return allOf(&c.dataClasses, s.DataClasses)
	default: // purpose is not visible in metadata
		return fitUnknown
	}
}

func single(set *textSet, value string) fit {
	switch {
	case value == "":
		return fitUnknown
	case set.has(value):
		return fitMatch
	}
	return fitMismatch
}

// anyOf matches where one of values is in set; nil values are unknown.
func anyOf(set *textSet, values []string) fit {
	if values == nil {
		return fitUnknown
	}
	for _, value := range values {
		if set.has(strings.ToLower(value)) {
			return fitMatch
		}
	}
	return fitMismatch
}

// allOf matches where all of values are in set; no values are unknown.
func allOf(set *textSet, values []string) fit {
	if len(values) == 0 {
		return fitUnknown
	}
	for _, value := range values {
		if !set.has(strings.ToLower(value)) {
			return fitMismatch
		}
	}
	return fitMatch
}

func (c *scope) labelFit(s *subject) fit {
	if s.HostLabels == nil {
		return fitUnknown
	}
	for key, want := range c.labels {
		if got, found := s.HostLabels[key]; !found || !strings.EqualFold(got, want) {
			return fitMismatch
		}
	}
	return fitMatch
}

// networkFit wants every address inside. Where none was seen the network of the
// directory counts: inside a prefix of the scope it matches, apart from all of
// them it does not, and in between nobody can tell.
func (c *scope) networkFit(s *subject) fit {
	for _, address := range s.Addresses {
		if !c.contains(address.Unmap().WithZone("")) {
			return fitMismatch
		}
	}
	if len(s.Addresses) > 0 {
		return fitMatch
	}
	if !s.Network.IsValid() {
		return fitUnknown
	}
	f := fitMismatch
	for _, prefix := range c.networks {
		if prefix.Bits() <= s.Network.Bits() && prefix.Contains(s.Network.Addr()) {
			return fitMatch
		}
		if prefix.Overlaps(s.Network) {
			f = fitUnknown
		}
	}
	return f
}

func (c *scope) contains(address netip.Addr) bool {
	for _, prefix := range c.networks {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
