package signatures

import "strings"

// NameIndex finds, of many patterns for a name, those that can match it: by the
// letters before their first "*" or "#", else by those after the last. A look-up
// costs a step for each letter that some pattern shares with the name, however
// many patterns there are. Letters are compared without regard to case. The zero
// value is empty; it is safe for concurrent use once nothing is added any more.
type NameIndex struct {
	begin, end letterTree
	open       []int32 // patterns without a literal beginning or end
}

// Add puts a pattern in under a value of the caller.
func (x *NameIndex) Add(pattern string, value int32) {
	if at := strings.IndexAny(pattern, "*#"); at != 0 {
		if at > 0 {
			pattern = pattern[:at]
		}
		x.begin.add(len(pattern), func(i int) byte { return pattern[i] }, value)
		return
	}
	if tail := pattern[strings.LastIndexAny(pattern, "*#")+1:]; tail != "" {
		x.end.add(len(tail), func(i int) byte { return tail[len(tail)-1-i] }, value)
		return
	}
	x.open = append(x.open, value)
}

// Each calls visit for the value of every pattern that can match name, and of
// some that do not: MatchName decides. It stops where visit says false. It is
// not inlined, so that the caller's visit need not be allocated.
//
//go:noinline
func (x *NameIndex) Each(name string, visit func(value int32) bool) { eachName(x, name, visit) }

// MatchName compares a name with a pattern, in which "*" stands for any run of
// characters and "#" for one that begins with a digit; fold ignores the case of
// ASCII letters.
func MatchName(pattern, name string, fold bool) bool { return matchName(pattern, name, fold) }

func eachName[T string | []byte](x *NameIndex, name T, visit func(value int32) bool) {
	for i, node := 0, int32(0); i < len(name); i++ {
		if node = x.begin.child(node, lower(name[i])); node == 0 {
			break
		}
		if !x.begin.each(node, visit) {
			return
		}
	}
	for i, node := len(name)-1, int32(0); i >= 0; i-- {
		if node = x.end.child(node, lower(name[i])); node == 0 {
			break
		}
		if !x.end.each(node, visit) {
			return
		}
	}
	for _, value := range x.open {
		if !visit(value) {
			return
		}
	}
}

// letterTree is a tree of letters laid flat. Node 0 is the root.
type letterTree struct {
	nodes  []letterNode
	first  [256]int32 // children of the root, by letter; 0 is none
	values []letterValue
}

type letterNode struct {
	letter      byte
	child, next int32 // first child, next brother; 0 is none
	value       int32 // index into values plus one
}

type letterValue struct{ value, next int32 }

// add puts value under the word of length n that letter spells.
func (t *letterTree) add(n int, letter func(int) byte, value int32) {
	if len(t.nodes) == 0 {
		t.nodes = append(t.nodes, letterNode{})
	}
	at := int32(0)
	for i := range n {
		c := lower(letter(i))
		next := t.child(at, c)
		if next == 0 {
			next = int32(len(t.nodes))
			t.nodes = append(t.nodes, letterNode{letter: c})
			if at == 0 {
				t.first[c] = next
			} else {
				t.nodes[next].next, t.nodes[at].child = t.nodes[at].child, next
			}
		}
		at = next
	}
	t.values = append(t.values, letterValue{value: value})
	link := &t.nodes[at].value
	for *link != 0 {
		link = &t.values[*link-1].next
	}
	*link = int32(len(t.values))
}

// child returns the child of a node by letter, 0 where there is none.
func (t *letterTree) child(node int32, c byte) int32 {
	if node == 0 {
		return t.first[c]
	}
	for n := t.nodes[node].child; n != 0; n = t.nodes[n].next {
		if t.nodes[n].letter == c {
			return n
		}
	}
	return 0
}

// each calls visit for the values of a node; false where visit wants no more.
func (t *letterTree) each(node int32, visit func(value int32) bool) bool {
	for v := t.nodes[node].value; v != 0; v = t.values[v-1].next {
		if !visit(t.values[v-1].value) {
			return false
		}
	}
	return true
}
