package main

import (
	"fmt"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/files"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

// loadCatalogue compiles the embedded signatures, with those of an
// organisation's folder over them where one is named.
func loadCatalogue(overlay string) (*signatures.Set, error) {
	list, version, err := catalogue.Rules()
	if err != nil {
		return nil, err
	}
	return compileOver(list, version, overlay)
}

// compileOver compiles a list of that version, with the signatures of a folder
// beside it where one is named.
func compileOver(list []signatures.Signature, version, overlay string) (*signatures.Set, error) {
	if overlay == "" {
		return signatures.CompileAs(list, version)
	}
	// A folder that is missing would otherwise read as an empty one.
	if _, err := os.Stat(overlay); err != nil {
		return nil, fmt.Errorf("reading signatures_dir: %w", err)
	}
	own, err := signatures.LoadOverlay(os.DirFS(overlay), list)
	if err != nil {
		return nil, fmt.Errorf("reading signatures_dir %s: %w", overlay, err)
	}
	return signatures.Compile(signatures.Merge(list, own.Signatures), own.Suppressions...)
}

// warnOfExpired tells of suppressions that have no effect any more.
func warnOfExpired(set *signatures.Set, now time.Time, log *slog.Logger) {
	for _, s := range set.Suppressions() {
		if !now.Before(s.Ends()) {
			log.Warn("a suppression has ended and has no effect: remove it, or give it a later day", "signature", s.Signature, "until", s.Until,
				"reason", s.Reason, "file", s.File, "line", s.Line)
		}
	}
}

// lookFor tells the file sensor what to report by its place: the last elements
// of the catalogue's file rules, and those of packages and extensions together
// with the folder that they lie in, for their own names are words of every day.
// unnamed counts the rules whose last element names nothing, so that no file is
// found by them.
func lookFor(set *signatures.Set, into *files.Config) (unnamed int) {
	into.KnownNames, into.KnownPatterns = nil, nil
	seen := map[string]bool{}
	list := set.Signatures()
	for i := range list {
		s := &list[i]
		if !s.IsEnabled() {
			continue
		}
		for _, rule := range s.Files {
			name := path.Base(strings.ReplaceAll(rule.Path, `\`, "/"))
			switch {
			case strings.Trim(name, "*#") == "" || name == "~" || name == "." || name == "/":
				unnamed++
			case seen[name]:
			case strings.ContainsAny(name, "*#"):
				into.KnownPatterns = append(into.KnownPatterns, name)
			default:
				into.KnownNames = append(into.KnownNames, name)
			}
			seen[name] = true
		}
		for _, place := range s.Places() {
			name := path.Join(path.Base(path.Dir(place)), path.Base(place))
			if !seen[name] {
				into.KnownPatterns = append(into.KnownPatterns, name)
			}
			seen[name] = true
		}
	}
	slices.Sort(into.KnownNames)
	slices.Sort(into.KnownPatterns)
	return unnamed
}
