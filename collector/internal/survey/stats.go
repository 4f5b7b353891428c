package survey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Row is one figure of a catalogue. Counts stand apart by what takes part in
// matching, what is switched off, and what is unverified and so off, too; Value
// is a figure that is no such count.
type Row struct {
	Group, Name              string
	Enabled, Off, Unverified int
	Value                    string
}

// tally counts under a group and name.
type tally struct {
	rows  []Row
	index map[[2]string]int
}

func (t *tally) add(group, name string, sig *signatures.Signature) {
	row := t.row(group, name)
	switch {
	case sig == nil:
	case sig.Unverified:
		row.Unverified++
	case sig.IsEnabled():
		row.Enabled++
	default:
		row.Off++
	}
}

func (t *tally) row(group, name string) *Row {
	key := [2]string{group, name}
	i, known := t.index[key]
	if !known {
		i = len(t.rows)
		t.index[key] = i
		t.rows = append(t.rows, Row{Group: group, Name: name})
	}
	return &t.rows[i]
}

// Stats counts signatures by kind, extensions by what they extend, packages by
// ecosystem, host rules by role and providers by country; and, over the services
// that are enabled, sources and known facts. Rows of one group stand together.
func Stats(list []signatures.Signature) []Row {
	t := &tally{index: map[[2]string]int{}}
	prepare(t)
	providers := map[string]*signatures.Signature{}
	for i := range list {
		sig := &list[i]
		t.add("signatures", "all", sig)
		t.add("signatures", string(sig.Kind), sig)
		countRules(t, sig)
		// A provider counts once, by the best of its signatures.
		if other := providers[sig.Provider.ID]; other == nil || !other.IsEnabled() && sig.IsEnabled() {
			providers[sig.Provider.ID] = sig
		}
	}
	countCountries(t, providers)
	countServices(t, list)
	return t.rows
}

// prepare puts the rows of closed lists in their order, so that what is missing
// shows as zero.
func prepare(t *tally) {
	t.row("signatures", "all")
	for _, kind := range signatures.AssetKinds() {
		t.row("signatures", string(kind))
	}
	for _, name := range []string{extensionIDE, extensionBrowser, extensionOther} {
		t.row("extensions", name)
	}
	for _, store := range signatures.Stores() {
		t.row("extension_ids", store)
	}
	for _, ecosystem := range signatures.Ecosystems() {
		t.row("sdk_packages", ecosystem)
	}
	for _, ecosystem := range signatures.Ecosystems() {
		t.row("packages", ecosystem)
	}
	for _, role := range signatures.HostRoles() {
		t.row("hosts", string(role))
	}
	t.row("model_formats", "formats")
	t.row("model_names", "patterns")
}

func countRules(t *tally, sig *signatures.Signature) {
	if sig.Kind == signatures.AssetExtension {
		for _, name := range extends(sig) {
			t.add("extensions", name, sig)
		}
	}
	for i := range sig.Extensions {
		t.add("extension_ids", sig.Extensions[i].Store, sig)
	}
	for i := range sig.Packages {
		if sig.Kind == signatures.AssetSDK {
			t.add("sdk_packages", sig.Packages[i].Ecosystem, sig)
		}
		t.add("packages", sig.Packages[i].Ecosystem, sig)
	}
	for i := range sig.Hosts {
		t.add("hosts", string(sig.Hosts[i].Role), sig)
	}
	for range sig.Formats {
		t.add("model_formats", "formats", sig)
	}
	for range sig.Models {
		t.add("model_names", "patterns", sig)
	}
}

// What an extension extends.
const (
	extensionIDE     = "ide plugins"
	extensionBrowser = "browser extensions"
	extensionOther   = "other"
)

// extends says what an extension extends, by the stores that it is in, else by
// the places of its files. One product may do both.
func extends(sig *signatures.Signature) []string {
	var ide, browser bool
	for i := range sig.Extensions {
		switch sig.Extensions[i].Store {
		case "chrome", "edge", "firefox":
			browser = true
		default:
			ide = true
		}
	}
	if len(sig.Extensions) == 0 {
		for i := range sig.Files {
			path := sig.Files[i].Path
			switch {
			case strings.Contains(path, "Extensions/") || strings.HasSuffix(path, ".xpi"):
				browser = true
			case strings.Contains(path, "extensions/") || strings.Contains(path, "plugins/"):
				ide = true
			}
		}
	}
	var out []string
	if ide {
		out = append(out, extensionIDE)
	}
	if browser {
		out = append(out, extensionBrowser)
	}
	if out == nil {
		out = []string{extensionOther}
	}
	return out
}

func countCountries(t *tally, providers map[string]*signatures.Signature) {
	byCountry := map[string]int{}
	for _, sig := range providers {
		byCountry[sig.Provider.Country]++
	}
	names := make([]string, 0, len(byCountry))
	for name := range byCountry {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(byCountry[b], byCountry[a]), cmp.Compare(a, b)) })
	t.row("providers", "all")
	for _, sig := range providers {
		t.add("providers", "all", sig)
	}
	known := len(byCountry)
	if byCountry["unknown"] > 0 {
		known--
	}
	t.row("providers", "countries").Value = fmt.Sprint(known)
	for _, name := range names {
		t.row("countries", name)
	}
	for _, sig := range providers {
		t.add("countries", sig.Provider.Country, sig)
	}
}

// countServices adds the figures over the services that are enabled.
func countServices(t *tally, list []signatures.Signature) {
	var sources []int
	known := map[string]int{}
	all := 0
	for i := range list {
		sig := &list[i]
		if sig.Kind != signatures.AssetService || !sig.IsEnabled() {
			continue
		}
		sources = append(sources, len(sig.Sources))
		for _, fact := range sig.Risk.Facts() {
			known[fact.Name]++
			all++
		}
	}
	slices.Sort(sources)
	t.row("service_sources", "median").Value = fmt.Sprint(percentile(sources, 50))
	t.row("service_sources", "5th percentile").Value = fmt.Sprint(percentile(sources, 5))
	names := signatures.FactNames()
	t.row("service_facts", "all").Value = share(all, len(sources)*len(names))
	for _, name := range names {
		row := t.row("service_facts", name)
		row.Enabled, row.Value = known[name], share(known[name], len(sources))
	}
}

// percentile is the value of nearest rank; sorted must be in order.
func percentile(sorted []int, p int) int {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}

func share(part, whole int) string {
	if whole == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(whole))
}
