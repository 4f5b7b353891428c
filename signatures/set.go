package signatures

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Set is a compiled catalogue: immutable, safe for concurrent use.
type Set struct {
	signatures []Signature // in id order
	version    string

	confidences []uint8 // of the signatures, beside each other

	hosts     *hostIndex
	paths     *pathIndex
	pathsOf   [][]pathRule // of each signature
	fields    []fieldRef
	portsOf   map[*Signature][]portRule
	processes *processIndex
	arguments *argumentIndex
	files     *fileIndex
	formats   map[string][]namedRule
	providers map[string][]namedRule // by the name that applications give them
	models    *modelIndex

	suppressions []Suppression
	suppressed   map[*Signature]suppressed
}

// namedRule is a rule for one name: a compiled FormatRule, or a name of a
// provider.
type namedRule struct {
	signature int32
	selector  string
}

// portRule is a compiled PortRule.
type portRule struct {
	port            uint16
	udp             bool
	value, selector string
}

// Compile builds the indexes. Signatures with Enabled false are left out of
// matching, and hide nothing from others, but stay listed. The list is copied;
// what its entries point to must not change any more. Suppressions change
// nothing about matching: Suppressed answers what they say.
//
// An error names the first signature whose id is taken or whose rules cannot be
// indexed. Whether a rule makes sense is for Load to say.
func Compile(list []Signature, suppressions ...Suppression) (*Set, error) {
	version, err := Version(list)
	if err != nil {
		return nil, fmt.Errorf("compiling signatures: %w", err)
	}
	s, err := CompileAs(list, version)
	if err != nil {
		return nil, err
	}
	if err := s.addSuppressions(suppressions); err != nil {
		return nil, err
	}
	return s, nil
}

// CompileAs is Compile for a list of which the [Version] was computed before.
func CompileAs(list []Signature, version string) (*Set, error) {
	s := &Set{
		version:     version,
		signatures:  slices.Clone(list),
		paths:       newPathIndex(),
		confidences: make([]uint8, len(list)),
		pathsOf:     make([][]pathRule, len(list)),
		portsOf:     map[*Signature][]portRule{},
		processes:   newProcessIndex(),
		arguments:   newArgumentIndex(),
		files:       newFileIndex(),
		formats:     map[string][]namedRule{},
		providers:   map[string][]namedRule{},
		models:      newModelIndex(),
	}
	slices.SortStableFunc(s.signatures, func(a, b Signature) int { return cmp.Compare(a.ID, b.ID) })
	for i := range s.signatures {
		sig := &s.signatures[i]
		if i > 0 && s.signatures[i-1].ID == sig.ID {
			return nil, fmt.Errorf("compiling signatures: the id %s is given twice (%s and %s)", sig.ID, origin(&s.signatures[i-1]), origin(sig))
		}
		s.confidences[i] = sig.Confidence
		if !sig.IsEnabled() {
			continue
		}
		if err := s.addRules(int32(i), sig); err != nil {
			return nil, fmt.Errorf("compiling signature %s: %w", sig.ID, err)
		}
	}
	hosts, err := newHostIndex(s.signatures)
	if err != nil {
		return nil, err
	}
	s.hosts = hosts
	return s, nil
}

// addRules indexes all rules of sig but those for hosts.
func (s *Set) addRules(i int32, sig *Signature) error {
	s.pathsOf[i] = make([]pathRule, len(sig.Paths))
	for n := range sig.Paths {
		rule := &sig.Paths[n]
		if strings.Trim(rule.Suffix+rule.Prefix, "/") == "" {
			return fmt.Errorf("path rule %d is empty", n)
		}
		s.pathsOf[i][n] = compilePath(rule)
		if rule.AnyHost {
			s.paths.add(pathRef{i, &s.pathsOf[i][n]})
		}
	}
	for n := range sig.Fields {
		rule := &sig.Fields[n]
		if rule.Value == "" || !oneOf(rule.Field, Fields()) {
			return fmt.Errorf("field rule %d: want a value of one of %s", n, list(Fields()))
		}
		s.fields = append(s.fields, fieldRef{i, rule, describeField(rule)})
	}
	for n := range sig.Processes {
		if rule := &sig.Processes[n]; rule.Name == "" || len(rule.Name) > maxProcessName {
			return fmt.Errorf("process rule %d: the name has %d bytes, want 1 to %d", n, len(rule.Name), maxProcessName)
		}
		s.processes.add(compileProcess(i, &sig.Processes[n]))
	}
	for n := range sig.Arguments {
		if rule := &sig.Arguments[n]; (rule.Contains == "") == (rule.Module == "") {
			return fmt.Errorf("argument rule %d: want either contains or module", n)
		}
		s.arguments.add(compileArgument(i, &sig.Arguments[n]))
	}
	for n := range sig.Files {
		if err := s.files.checked(compileFile(i, &sig.Files[n])); err != nil {
			return err
		}
	}
	if err := s.addInstalled(i, sig); err != nil {
		return err
	}
	for _, r := range sig.Ports {
		number := strconv.Itoa(int(r.Port))
		s.portsOf[sig] = append(s.portsOf[sig], portRule{r.Port, r.Protocol == "udp", number, "port " + number})
	}
	for n := range sig.Formats {
		format := sig.Formats[n].Format
		s.formats[format] = append(s.formats[format], namedRule{i, "format " + format})
	}
	for _, name := range sig.GenAIProviders {
		if name == "" || len(name) > maxProvider || name != strings.ToLower(name) {
			return fmt.Errorf("the provider name %q is not 1 to %d bytes in lower case", name, maxProvider)
		}
		s.providers[name] = append(s.providers[name], namedRule{i, providerSelector(name)})
	}
	return s.models.add(i, sig)
}

// addInstalled indexes the rules for packages and extensions.
func (s *Set) addInstalled(i int32, sig *Signature) error {
	for n := range sig.Packages {
		files, argument, err := compilePackage(i, &sig.Packages[n], sig.Kind)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := s.files.checked(f); err != nil {
				return err
			}
		}
		if argument != nil {
			s.arguments.add(*argument)
		}
	}
	for n := range sig.Extensions {
		files, err := compileExtension(i, &sig.Extensions[n])
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := s.files.checked(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// Signatures lists the catalogue in id order, disabled entries included. The
// caller must not change it.
func (s *Set) Signatures() []Signature { return s.signatures }

// Lookup returns the signature called id.
func (s *Set) Lookup(id string) (*Signature, bool) {
	i, found := slices.BinarySearchFunc(s.signatures, id, func(sig Signature, id string) int { return cmp.Compare(sig.ID, id) })
	if !found {
		return nil, false
	}
	return &s.signatures[i], true
}

// Version identifies what matching depends on: see the function [Version].
func (s *Set) Version() string { return s.version }

// IsEnabled says whether sig takes part in matching.
func (sig *Signature) IsEnabled() bool {
	return !sig.Unverified && (sig.Enabled == nil || *sig.Enabled)
}

// Merge lays overlay over base: an entry with an id of base replaces it (with
// Enabled false, switches it off), others are added. Neither list is changed.
func Merge(base, overlay []Signature) []Signature {
	at := make(map[string]int, len(base))
	merged := slices.Clone(base)
	for i := range merged {
		at[merged[i].ID] = i
	}
	for _, sig := range overlay {
		if i, known := at[sig.ID]; known {
			merged[i] = sig
			continue
		}
		merged = append(merged, sig)
	}
	return merged
}
