package benign

import (
	"errors"
	"fmt"
	"slices"
)

// The graph is a DAFSA in the encoding that Chromium and Firefox share
// (https://searchfox.org/mozilla-central/source/xpcom/ds/tools/make_dafsa.py).
// A node is a list of offsets, each counted from the place the one before led
// to, in one, two or three bytes; the top bit ends the list. An offset leads to a
// label: characters 0x20 to 0x7f, of which the last has its top bit set and is
// followed by a node, or a byte 0x80 to 0x9f, which ends a name and is its
// value.
const (
	endBit     = 0x80
	valueMask  = 0xe0
	valueBits  = 0x80
	firstChar  = 0x20
	maxName    = 253
	minRoots   = 30        // first characters of a list of this size
	maxNames   = 2_000_000 // in one graph
	maxVisited = 10_000_000
)

// ErrNoGraph says that no graph with the wanted names was found.
var ErrNoGraph = errors.New("no list of names found")

var (
	errBroken = errors.New("the graph is broken")
	errLarge  = fmt.Errorf("the graph has more than %d names", maxNames)
)

// Find returns where in data a graph begins that holds all of names.
func Find(data []byte, names ...string) (int, error) {
	for at := range data {
		if isRoot(data, at) && !slices.ContainsFunc(names, func(name string) bool { return !Contains(data, at, name) }) {
			return at, nil
		}
	}
	return 0, ErrNoGraph
}

// isRoot says whether a node begins at a place that leads to letters and digits
// alone, and to as many as a long list has. Almost no place passes, most fail at
// the first offset.
func isRoot(data []byte, at int) bool {
	to := at
	for n := 1; n <= 256; n++ {
		step, size := offset(data, at)
		if to += step; step == 0 || to >= len(data) || !isNameByte(data[to]&^endBit) {
			return false
		}
		if data[at]&endBit != 0 {
			return n >= minRoots
		}
		at += size
	}
	return false
}

// offset decodes the offset at a place: what it adds, and its bytes. It returns
// 0, 0 where data ends within it; no sound offset adds 0.
func offset(data []byte, at int) (step, size int) {
	if at >= len(data) {
		return 0, 0
	}
	b := data[at]
	switch b & 0x60 {
	case 0x60:
		size = 3
	case 0x40:
		size = 2
	default:
		return int(b & 0x3f), 1
	}
	if at+size > len(data) {
		return 0, 0
	}
	step = int(b & 0x1f)
	for _, next := range data[at+1 : at+size] {
		step = step<<8 | int(next)
	}
	return step, size
}

// offsets reads the node at a place and appends the places that it leads to. It
// says false where one lies outside data, or where the node does not end within
// 256 offsets.
func offsets(data []byte, at int, into []int) (children []int, ok bool) {
	to := at
	for range 256 {
		step, size := offset(data, at)
		if to += step; step == 0 || to >= len(data) {
			return nil, false
		}
		into = append(into, to)
		if data[at]&endBit != 0 {
			return into, true
		}
		at += size
	}
	return nil, false
}

// Contains says whether the graph at a place holds name.
func Contains(data []byte, at int, name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	var room [256]int
	for {
		children, ok := offsets(data, at, room[:0])
		if !ok {
			return false
		}
		next := -1
		for _, child := range children {
			if data[child]&valueMask == valueBits {
				if name == "" {
					return true
				}
				continue
			}
			if name != "" && data[child]&^endBit == name[0] {
				next = child
				break
			}
		}
		if next < 0 {
			return false
		}
		rest, node, ended := along(data, next, name)
		if ended {
			return rest == ""
		}
		if node < 0 {
			return false
		}
		name, at = rest, node
	}
}

// along follows the label at a place as long as name agrees. It returns what is
// left of name and the node behind the label, -1 where name goes another way.
// ended says that the label ended with a value.
func along(data []byte, at int, name string) (rest string, node int, ended bool) {
	for ; at < len(data); at++ {
		b := data[at]
		if b&valueMask == valueBits {
			return name, -1, true
		}
		if name == "" || b&^endBit != name[0] {
			return name, -1, false
		}
		name = name[1:]
		if b&endBit != 0 {
			return name, at + 1, false
		}
	}
	return name, -1, false
}

// Names lists the names of the graph at a place, sorted, each once. It fails
// where the graph leads outside data, holds what no host name holds, or does not
// end.
func Names(data []byte, at int) ([]string, error) {
	w := walker{data: data}
	if err := w.node(at, nil); err != nil {
		return nil, err
	}
	slices.Sort(w.names)
	return slices.Compact(w.names), nil
}

type walker struct {
	data    []byte
	names   []string
	visited int
}

// node lists what lies below the node at a place; prefix is the name so far,
// which bounds how deep the walk goes.
func (w *walker) node(at int, prefix []byte) error {
	children, ok := offsets(w.data, at, nil)
	if !ok {
		return fmt.Errorf("node at byte %d: %w", at, errBroken)
	}
	for _, child := range children {
		if w.visited++; w.visited > maxVisited {
			return errLarge
		}
		if err := w.label(child, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) label(at int, prefix []byte) error {
	name := slices.Clip(prefix)
	for ; at < len(w.data); at++ {
		b := w.data[at]
		if b&valueMask == valueBits {
			if len(name) == 0 {
				return fmt.Errorf("label at byte %d: an empty name: %w", at, errBroken)
			}
			if len(w.names) == maxNames {
				return errLarge
			}
			w.names = append(w.names, string(name))
			return nil
		}
		if !isNameByte(b&^endBit) || len(name) == maxName {
			return fmt.Errorf("label at byte %d: no host name: %w", at, errBroken)
		}
		name = append(name, b&^endBit)
		if b&endBit != 0 {
			return w.node(at+1, name)
		}
	}
	return fmt.Errorf("label at byte %d: %w", at, errBroken)
}

func isNameByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '-' || b == '.' || b == '_'
}
