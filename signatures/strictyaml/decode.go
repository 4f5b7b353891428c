package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of one document. A document beyond them is refused with a problem
// that names the limit.
const (
	MaxBytes    = 16 << 20  // size of the input
	MaxDepth    = 64        // nesting of lists and mappings
	MaxNodes    = 2_000_000 // scalars, lists and mappings, aliases counted as often as they are used
	MaxAliased  = 100_000   // of them, those reached by way of an alias
	MaxProblems = 200       // problems listed; the last one says how many more there are
)

// Decode reads the one YAML document in data into the value that into points
// to. file is used in messages alone.
//
// The error is of type Errors where the document is at fault; into then holds
// what could be decoded and is good for further checks only. Any other error is
// a fault of the caller (into is no pointer, or a field has a type that cannot
// be decoded into). Positions is never nil. An empty document leaves into as it
// was.
func Decode(file string, data []byte, into any) (*Positions, error) {
	positions := &Positions{file: file}
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return positions, fmt.Errorf("decoding %s: the target is a %T, not a pointer to a value", file, into)
	}
	if len(data) > MaxBytes {
		return positions, Errors{{File: file, Message: fmt.Sprintf("%d bytes are more than the limit of %d", len(data), MaxBytes)}}
	}
	root, problem := parse(file, data)
	if problem != nil {
		return positions, Errors{*problem}
	}
	if root == nil {
		return positions, nil
	}
	positions.root = root
	d := decoder{file: file, maxNodes: MaxNodes, fields: map[reflect.Type]*fieldSet{}, open: map[*yaml.Node]bool{}}
	d.value(root, target.Elem(), "", 0)
	if d.fault != nil {
		return positions, fmt.Errorf("decoding %s: %w", file, d.fault)
	}
	d.problems.Sort()
	if d.unlisted > 0 {
		d.problems = append(d.problems, Problem{File: file, Message: fmt.Sprintf("%d more problems are not listed; mend these first", d.unlisted)})
	}
	return positions, d.problems.Err()
}

// parse returns the root of the only document in data, nil for an empty one.
func parse(file string, data []byte) (root *yaml.Node, problem *Problem) {
	defer func() {
		// The parser is foreign code: a panic in it is a fault of the
		// document for whoever wrote that document.
		if r := recover(); r != nil {
			root, problem = nil, &Problem{File: file, Message: fmt.Sprintf("the YAML parser failed (%v); simplify the document", r)}
		}
	}()
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := reader.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntaxProblem(file, err)
	}
	if err := reader.Decode(&second); err == nil {
		return nil, &Problem{File: file, Line: max(second.Line, 1), Column: max(second.Column, 1), Message: "a second document starts here; a file holds one"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxProblem(file, err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, nil
	}
	return document.Content[0], nil
}

// syntaxProblem takes the line out of an error of the YAML parser, which
// carries it in its text alone, counted from 0 where the grammar is broken and
// from 1 where a character is.
func syntaxProblem(file string, err error) *Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	p := &Problem{File: file, Line: 1, Column: 1, Message: text}
	if m := regexp.MustCompile(`^line (\d+): (.*)$`).FindStringSubmatch(text); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil && line > 0 {
			p.Line, p.Message = line, m[2]
			if regexp.MustCompile(`^did not find expected (<|node|key|'-'|',')|^found (incompatible|undefined|duplicate)`).MatchString(m[2]) {
				p.Line++
			}
		}
	}
	p.Message = "not valid YAML: " + p.Message
	return p
}
