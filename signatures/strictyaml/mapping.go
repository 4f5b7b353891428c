package strictyaml

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is one key of a mapping.
type entry struct{ key, value *yaml.Node }

// entries returns the entries of a mapping whose keys are plain text and given
// once, and notes the others.
func (d *decoder) entries(n *yaml.Node, key string) []entry {
	list := make([]entry, 0, len(n.Content)/2)
	first := firstLines{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind != yaml.ScalarNode:
			d.problem(k, key, "a key must be text, not %s", kindName(k))
		case k.ShortTag() == "!!null":
			d.problem(k, key, "an entry without a key")
		case !strings.HasPrefix(k.ShortTag(), "!!") || k.ShortTag() == "!!binary":
			d.problem(k, join(key, k.Value), "the tag %s is not supported", clip(k.ShortTag()))
		case k.ShortTag() == "!!merge":
			d.problem(k, join(key, k.Value), "merge keys are not supported; write the keys out")
		default:
			if line := first.note(list, k); line > 0 {
				d.problem(k, join(key, k.Value), "given twice; the first is on line %d", line)
				continue
			}
			list = append(list, entry{k, n.Content[i+1]})
		}
	}
	return list
}

// firstLines finds keys given twice: by comparing while there are few, as in
// nearly every mapping, then by a map.
type firstLines struct{ lines map[string]int }

// note returns the line of the entry in list that has the key k, 0 where there
// is none, and remembers k.
func (f *firstLines) note(list []entry, k *yaml.Node) int {
	const few = 16
	if len(list) < few {
		for _, e := range list {
			if e.key.Value == k.Value {
				return max(e.key.Line, 1)
			}
		}
		return 0
	}
	if f.lines == nil {
		f.lines = make(map[string]int, 2*few)
		for _, e := range list {
			f.lines[e.key.Value] = max(e.key.Line, 1)
		}
	}
	if line := f.lines[k.Value]; line > 0 {
		return line
	}
	f.lines[k.Value] = max(k.Line, 1)
	return 0
}

// isKind notes a problem where n is not of kind want or bears a custom tag.
func (d *decoder) isKind(n *yaml.Node, want yaml.Kind, key string) bool {
	if n.Kind != want {
		wanted := kindName(&yaml.Node{Kind: want})
		hint := ""
		if want == yaml.SequenceNode && n.Kind == yaml.ScalarNode {
			hint = "; write [" + clip(n.Value) + "]"
		}
		d.problem(n, key, "want %s, got %s%s", wanted, kindName(n), hint)
		return false
	}
	tag := n.ShortTag()
	standard := tag == "!!map" || tag == "!!seq" || strings.HasPrefix(tag, "!!") && n.Kind == yaml.ScalarNode && tag != "!!binary" && tag != "!!map" && tag != "!!seq"
	if !standard {
		d.problem(n, key, "the tag %s is not supported", clip(tag))
		return false
	}
	return true
}
