package strictyaml

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Positions finds the place of a key in the document that was decoded, so that
// checks of meaning can name file, line and key as decoding does. It keeps the
// parsed document in memory; drop it once the checks are done. A nil Positions
// and one of a document that did not parse answer 0, 0.
type Positions struct {
	file string
	root *yaml.Node
}

// File returns the name given to Decode.
func (p *Positions) File() string {
	if p == nil {
		return ""
	}
	return p.file
}

// Has says whether the document gives key, even without a value.
func (p *Positions) Has(key string) bool {
	if p == nil || p.root == nil {
		return false
	}
	_, _, complete := p.find(key)
	return complete
}

// At returns the line and column of key, a path as in Problem.Key: of its value
// where that is a single value or an item of a list, else of the key itself.
// For a path the document does not hold it is the nearest part that it does
// hold; 0, 0 where there is no document.
func (p *Positions) At(key string) (line, column int) {
	if p == nil || p.root == nil {
		return 0, 0
	}
	line, column, _ = p.find(key)
	return line, column
}

// Errorf makes a Problem at key. A key that is missing from the document is
// named all the same, at the place of its nearest parent.
func (p *Positions) Errorf(key, format string, args ...any) Problem {
	line, column := p.At(key)
	return Problem{File: p.File(), Line: line, Column: column, Key: key, Message: fmt.Sprintf(format, args...)}
}

func (p *Positions) find(key string) (line, column int, complete bool) {
	node := p.root
	line, column = max(node.Line, 1), max(node.Column, 1)
	for key != "" {
		part, rest, isIndex := splitPath(key)
		for range MaxDepth { // an alias may lead to an alias
			if node.Kind != yaml.AliasNode {
				break
			}
			node = node.Alias
		}
		if isIndex && node.Kind == yaml.SequenceNode {
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(node.Content) {
				return line, column, false
			}
			node = node.Content[i]
			line, column = node.Line, node.Column
		} else {
			k, v := child(node, part)
			if k == nil {
				return line, column, false
			}
			node = v
			line, column = k.Line, k.Column
			if v.Kind == yaml.AliasNode || v.Kind == yaml.ScalarNode && v.Value != "" {
				line, column = v.Line, v.Column
			}
		}
		key = rest
	}
	return line, column, true
}

// child returns key and value of the entry called name.
func child(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == name {
			return k, n.Content[i+1]
		}
	}
	return nil, nil
}

// join adds the key of a mapping to a path; a key that would read as more than
// one step is quoted: labels["a.b"].
func join(path, key string) string {
	switch {
	case key == "" || strings.ContainsAny(key, ".[]\"\\ \t\r\n") || !strconv.CanBackquote(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// splitPath takes the first step off a path.
func splitPath(path string) (part, rest string, isIndex bool) {
	if strings.HasPrefix(path, `["`) {
		quoted, err := strconv.QuotedPrefix(path[1:])
		if err != nil {
			return path, "", false // no path that join makes
		}
		part, _ = strconv.Unquote(quoted)
		rest = strings.TrimPrefix(path[1+len(quoted):], "]")
		return part, strings.TrimPrefix(rest, "."), false
	}
	if strings.HasPrefix(path, "[") {
		part, rest, _ = strings.Cut(path[1:], "]")
		return part, strings.TrimPrefix(rest, "."), true
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, "", false
	}
	return path[:end], strings.TrimPrefix(path[end:], "."), false
}
