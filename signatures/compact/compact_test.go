package compact

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type Word string

type Leaf struct {
	Text Word
	On   bool
	Port uint16
	Many []string
}

type Tree struct {
	ID     string
	Small  int8
	Large  int64
	Huge   uint64
	Flag   *bool
	Leaf   Leaf
	Leaves []Leaf
	Secret string
	Next   *Leaf
}

func ptr[T any](v T) *T { return &v }

func sample() []Tree {
	return []Tree{
		{ID: "one", Small: -128, Large: math.MinInt64, Huge: math.MaxUint64, Flag: ptr(false), Leaf: Leaf{Text: "one", On: true}, Secret: "s"},
		{},
		{ID: "two", Flag: ptr(true), Leaves: []Leaf{{Port: 65535, Many: []string{"", "a", "a"}}, {}}, Next: &Leaf{}},
	}
}

func marshal(t testing.TB, v any, keep Keep) []byte {
	t.Helper()
	data, err := Marshal(v, keep)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	data := marshal(t, sample(), nil)
	var got []Tree
	if err := Unmarshal(data, &got, DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(data, marshal(t, got, nil)) {
		t.Error("the same value gave other bytes")
	}
}

func TestRoundTripOfAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		leaf := rapid.Custom(func(t *rapid.T) Leaf {
			l := Leaf{Text: Word(rapid.String().Draw(t, "text")), On: rapid.Bool().Draw(t, "on"), Port: rapid.Uint16().Draw(t, "port")}
			if many := rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "many"); len(many) > 0 {
				l.Many = many
			}
			return l
		})
		tree := rapid.Custom(func(t *rapid.T) Tree {
			v := Tree{ID: rapid.String().Draw(t, "id"), Small: rapid.Int8().Draw(t, "small"), Large: rapid.Int64().Draw(t, "large"),
				Huge: rapid.Uint64().Draw(t, "huge"), Flag: rapid.Ptr(rapid.Bool(), true).Draw(t, "flag"), Leaf: leaf.Draw(t, "leaf"), Next: rapid.Ptr(leaf, true).Draw(t, "next")}
			if leaves := rapid.SliceOfN(leaf, 0, 4).Draw(t, "leaves"); len(leaves) > 0 {
				v.Leaves = leaves
			}
			return v
		})
		want := rapid.SliceOfN(tree, 1, 6).Draw(t, "list")
		data, err := Marshal(want, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []Tree
		if err := Unmarshal(data, &got, DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPartsAreLaidOverEachOther(t *testing.T) {
	t.Parallel()
	secret := func(record, field string) bool { return (record == "Tree") == (field == "Secret" || field == "Leaf") }
	one := marshal(t, sample(), func(record, field string) bool { return !(record == "Tree" && field == "Secret") })
	two := marshal(t, sample(), secret)
	if bytes.Contains(one, []byte("Secret")) {
		t.Error("the form names a field that was turned down")
	}
	var got []Tree
	for _, data := range [][]byte{one, two} {
		if err := Unmarshal(data, &got, DefaultLimits()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Error(diff)
	}
	short := got[:2]
	if err := Unmarshal(two, &short, DefaultLimits()); !errors.Is(err, ErrDamaged) {
		t.Errorf("a part of another list: got %v, want ErrDamaged", err)
	}
}

func TestOtherPrograms(t *testing.T) {
	t.Parallel()
	data := marshal(t, sample(), nil)
	// A program that knows more fields, in another order, reads it.
	{
		type Leaf struct {
			Many  []string
			Port  uint32
			On    bool
			Extra string
			Text  string
		}
		type Tree struct {
			Secret, Added, ID string
			Next              *Leaf
			Leaves            []Leaf
			Leaf              Leaf
			Flag              *bool
			Huge              uint64
			Large, Small      int64
		}
		var got []Tree
		if err := Unmarshal(data, &got, DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		if got[0].ID != "one" || got[0].Small != -128 || got[2].Leaves[0].Port != 65535 || !got[0].Leaf.On {
			t.Errorf("read %+v", got)
		}
	}
	// One that lacks a field that is used does not, nor one with another type.
	{
		type Tree struct{ ID string }
		var got []Tree
		if err := Unmarshal(data, &got, DefaultLimits()); !errors.Is(err, ErrUnknown) {
			t.Errorf("fields are missing: got %v, want ErrUnknown", err)
		}
		if err := Unmarshal(marshal(t, []Tree{{"a"}}, nil), &got, DefaultLimits()); err != nil {
			t.Fatal(err)
		}
	}
	{
		type Tree struct{ ID uint }
		var got []Tree
		if err := Unmarshal(marshal(t, sample(), func(_, f string) bool { return f == "ID" }), &got, DefaultLimits()); !errors.Is(err, ErrUnknown) {
			t.Errorf("another type: got %v, want ErrUnknown", err)
		}
	}
	data[0] = 2
	var got []Tree
	if err := Unmarshal(data, &got, DefaultLimits()); !errors.Is(err, ErrUnknown) {
		t.Errorf("another form: got %v, want ErrUnknown", err)
	}
}

func TestFieldsThatHoldNothingDoNotShow(t *testing.T) {
	t.Parallel()
	type Tree struct{ ID string } // as a program before the other fields were there wrote it
	if !bytes.Equal(marshal(t, []Tree{{"a"}}, nil), marshal(t, newTrees("a"), nil)) {
		t.Error("fields that hold nothing change the bytes")
	}
}

func newTrees(id string) []Tree { return []Tree{{ID: id}} }

func TestWhatHasNoForm(t *testing.T) {
	t.Parallel()
	type Loop struct{ Next *Loop }
	type Fraction struct{ F float64 }
	for name, v := range map[string]any{
		"map": []map[string]string{}, "float": Fraction{}, "itself": []Loop{}, "hidden fields": []strings.Builder{}, "pointers in a list": []*Leaf{}, "no name": []struct{ A int }{}, "nothing": nil,
	} {
		if _, err := Marshal(v, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	data := marshal(t, sample(), nil)
	for n := range data {
		var got []Tree
		if err := Unmarshal(data[:n], &got, DefaultLimits()); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnknown) {
			t.Errorf("cut off at %d: got %v", n, err)
		}
	}
	var got []Tree
	if err := Unmarshal(append(bytes.Clone(data), 0), &got, DefaultLimits()); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: got %v, want ErrDamaged", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	data := marshal(t, make([]Tree, 10_000), nil)
	var got []Tree
	if err := Unmarshal(data, &got, Limits{Bytes: len(data) - 1, Memory: 1 << 30}); !errors.Is(err, ErrDamaged) {
		t.Errorf("over the bytes: got %v", err)
	}
	if err := Unmarshal(data, &got, Limits{Bytes: len(data), Memory: 1 << 16}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("over the memory: got %v", err)
	}
	if err := Unmarshal(data, &got, DefaultLimits()); err != nil || len(got) != 10_000 {
		t.Errorf("within the limits: %d items, %v", len(got), err)
	}
}

func TestShapeDigestFollowsTheStructs(t *testing.T) {
	t.Parallel()
	digest := func(v any, keep Keep) string {
		d, err := ShapeDigest(v, keep)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	whole := digest([]Tree{}, nil)
	if whole != digest([]Tree{}, nil) {
		t.Error("two digests of one type differ")
	}
	if whole == digest([]Tree{}, func(_, f string) bool { return f != "Port" }) {
		t.Error("a field less has the same digest")
	}
}

// FuzzUnmarshal holds that what is read can be written and read again as the
// same, and that it takes no more memory than is allowed.
func FuzzUnmarshal(f *testing.F) {
	f.Add(marshal(f, sample(), nil))
	f.Add(marshal(f, []Tree{}, nil))
	f.Add(marshal(f, newTrees("a"), nil))
	f.Add([]byte{1, 6, '[', ']', 'T', 'r', 'e', 'e', 0, 0, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second []Tree
		err := Unmarshal(data, &first, Limits{Bytes: 1 << 16, Memory: 1 << 22})
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnknown) {
				t.Fatalf("an error without its kind: %v", err)
			}
			return
		}
		again := marshal(t, first, nil)
		if err := Unmarshal(again, &second, DefaultLimits()); err != nil {
			t.Fatalf("what was read and written again: %v", err)
		}
		if !bytes.Equal(again, marshal(t, second, nil)) {
			t.Fatal("written twice, it differs")
		}
	})
}
