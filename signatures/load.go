package signatures

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// Load reads every *.yaml below the root of files, in name order, strictly: an
// unknown key, a missing field or a rule that matches too much is an error that
// names file, line and key. All problems are returned together, as
// strictyaml.Errors; the list is nil then. Only a file that cannot be read at
// all is another error.
func Load(files fs.FS) ([]Signature, error) {
	read, problems, err := loadFiles(files, false)
	if err != nil {
		return nil, err
	}
	problems = append(problems, across(read.Signatures, 0)...)
	problems.Sort()
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return read.Signatures, nil
}

// loadFiles reads and checks the files one by one; overlay says that they are an
// organisation's. What is returned beside problems is good for checks across
// files only.
func loadFiles(files fs.FS, overlay bool) (Overlay, strictyaml.Errors, error) {
	var read Overlay
	names, err := yamlFiles(files)
	if err != nil {
		return read, nil, err
	}
	decoded, err := loadAll(files, names, overlay)
	if err != nil {
		return read, nil, err
	}
	var problems strictyaml.Errors
	for _, f := range decoded {
		var found strictyaml.Errors
		switch {
		case errors.As(f.err, &found):
			problems = append(problems, found...)
		case f.err != nil:
			return read, nil, f.err
		}
		read.Signatures = append(read.Signatures, f.list...)
		read.Suppressions = append(read.Suppressions, f.suppressions...)
	}
	return read, problems, nil
}

// decodedFile is what one file came to.
type decodedFile struct {
	list         []Signature
	suppressions []Suppression
	err          error
}

// loadAll reads the files and decodes them on all processors: most of an
// agent's start is spent here.
func loadAll(files fs.FS, names []string, overlay bool) ([]decodedFile, error) {
	contents := make([][]byte, len(names))
	for i, name := range names {
		var err error
		if contents[i], err = fs.ReadFile(files, name); err != nil {
			return nil, fmt.Errorf("reading signatures: %w", err)
		}
	}
	decoded := make([]decodedFile, len(names))
	var next atomic.Int64
	var working sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		working.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(names) {
					return
				}
				decoded[i] = loadFile(names[i], contents[i], overlay)
			}
		})
	}
	working.Wait()
	return decoded, nil
}

func yamlFiles(files fs.FS) ([]string, error) {
	var names []string
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() && strings.HasSuffix(name, ".yaml") {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading signatures: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// loadFile decodes and checks one file. The signatures it returns beside
// problems are good for checks across files only.
func loadFile(name string, data []byte, overlay bool) decodedFile {
	var d Document
	positions, err := strictyaml.Decode(name, data, &d)
	var problems strictyaml.Errors
	if err != nil && !errors.As(err, &problems) {
		return decodedFile{err: err}
	}
	for i := range d.Signatures {
		sig := &d.Signatures[i]
		sig.Provider, sig.File = d.Provider, name
		sig.Line, _ = positions.At(fmt.Sprintf("signatures[%d]", i))
		nameFolders(sig)
	}
	for i := range d.Suppressions {
		d.Suppressions[i].File = name
		d.Suppressions[i].Line, _ = positions.At(index1("suppressions", i))
	}
	out := decodedFile{list: d.Signatures, suppressions: d.Suppressions}
	if len(problems) > 0 {
		// What could not be decoded would only be reported a second time as
		// missing.
		out.err = problems
		return out
	}
	c := checker{positions: positions}
	c.document(&d, overlay)
	out.err = c.problems.Err()
	return out
}

// across checks what only the whole catalogue shows: ids given twice, providers
// described in two ways, references to ids that do not exist, and rules that two
// signatures both claim without saying so. What the first known ones of the list
// have among themselves was checked before, and they may lack what only that
// check needs.
func across(list []Signature, known int) strictyaml.Errors {
	var problems strictyaml.Errors
	at := func(sig *Signature, key, format string, args ...any) {
		problems = append(problems, strictyaml.Problem{File: sig.File, Line: sig.Line, Column: 1, Key: sig.ID + key, Message: fmt.Sprintf(format, args...)})
	}
	place := func(sig *Signature) string {
		if sig.File == "" {
			return origin(sig)
		}
		return fmt.Sprintf("%s:%d", sig.File, sig.Line)
	}
	byID := map[string]*Signature{}
	providers := map[string]*Signature{}
	for i := range list {
		sig := &list[i]
		if first := byID[sig.ID]; first != nil && sig.ID != "" && i >= known {
			at(sig, "", "the id is taken by %s", place(first))
		} else {
			byID[sig.ID] = sig
		}
		if first := providers[sig.Provider.ID]; first != nil && first.Provider != sig.Provider && i >= known {
			at(sig, "", "the provider %s is described otherwise in %s", sig.Provider.ID, origin(first))
		} else {
			providers[sig.Provider.ID] = sig
		}
	}
	claimed := map[string][]*Signature{}
	for i := range list {
		sig := &list[i]
		if sig.ReplacedBy != "" && byID[sig.ReplacedBy] == nil && i >= known {
			at(sig, ".replaced_by", "there is no signature %q", sig.ReplacedBy)
		}
		for _, id := range sig.Tests.Shares {
			if byID[id] == nil && i >= known {
				at(sig, ".tests.shares", "there is no signature %q", id)
			}
		}
		if !sig.IsEnabled() {
			continue
		}
		for _, s := range selectors(sig) {
			if !s.alone {
				continue // many may have it
			}
			for _, other := range claimed[s.text] {
				if i >= known && other != sig && !shares(sig, other) {
					at(sig, "."+s.key, "the rule %q is also one of %s (%s); drop one, or list the other in tests.shares", s.text, other.ID, place(other))
				}
			}
			claimed[s.text] = append(claimed[s.text], sig)
		}
	}
	return problems
}

// shares says whether one of two signatures names the other in tests.shares.
func shares(a, b *Signature) bool {
	return slices.Contains(a.Tests.Shares, b.ID) || slices.Contains(b.Tests.Shares, a.ID)
}
