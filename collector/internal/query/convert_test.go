//go:build linux

package query

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gnomon-ai/gnomon/proto/finding"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
)

// fill gives every field of v a value of its own.
func fill(t *testing.T, v reflect.Value, path string, n *int64) {
	t.Helper()
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(day().Add(time.Duration(*n) * time.Second)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(path)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), path+"."+v.Type().Field(i).Name, n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), path, n)
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(t, value, path, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), value)
	default:
		t.Fatalf("%s is a %s: teach this test", path, v.Kind())
	}
}

// leaves collects the values of a message, by path.
func leaves(t *testing.T, m protoreflect.Message, path string, into map[string]string) {
	t.Helper()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := path + "." + string(f.Name())
		switch v := m.Get(f); {
		case !m.Has(f):
			t.Errorf("%s is not set", name)
		case f.IsMap(), f.IsList() && f.Kind() != protoreflect.MessageKind:
			into[name] = v.String()
		case f.IsList():
			leaves(t, v.List().Get(0).Message(), name, into)
		case f.Kind() == protoreflect.MessageKind && f.Message().FullName() == "google.protobuf.Timestamp":
			into[name] = v.Message().Interface().(*timestamppb.Timestamp).AsTime().String()
		case f.Kind() == protoreflect.MessageKind:
			leaves(t, v.Message(), name, into)
		default:
			into[name] = v.String()
		}
	}
}

// TestNoForgottenField: each field of the Go form reaches the message, under
// the name it has there.
func TestNoForgottenField(t *testing.T) {
	var f finding.Finding
	var c finding.Coverage
	var n int64
	fill(t, reflect.ValueOf(&f).Elem(), "finding", &n)
	fill(t, reflect.ValueOf(&c).Elem(), "coverage", &n)
	got := map[string]string{}
	leaves(t, NewFinding(&f).ProtoReflect(), "finding", got)
	leaves(t, newCoverage(&c).ProtoReflect(), "coverage", got)
	seen := map[string]string{}
	for name, value := range got {
		if other, again := seen[value]; again && value != "true" {
			t.Errorf("%s and %s both hold %s", name, other, value)
		}
		seen[value] = name
		// A text holds the path of its Go field: finding.AgentID for finding.agent_id.
		if strings.HasPrefix(value, "finding.") || strings.HasPrefix(value, "coverage.") {
			if goName := strings.ToLower(value); goName != strings.ReplaceAll(name, "_", "") {
				t.Errorf("%s holds %s", name, value)
			}
		}
	}
	for _, pair := range []struct {
		message protoreflect.ProtoMessage
		goForm  any
	}{
		{&gnomonv1.Finding{}, f},
		{&gnomonv1.Asset{}, f.Asset},
		{&gnomonv1.Evidence{}, f.Evidence[0]},
		{&gnomonv1.Model{}, f.Model},
		{&gnomonv1.Coverage{}, c},
		{&gnomonv1.Blind{}, c.Blind[0]},
	} {
		if m, g := pair.message.ProtoReflect().Descriptor().Fields().Len(), reflect.TypeOf(pair.goForm).NumField(); m != g {
			t.Errorf("%T has %d fields, its message %d", pair.goForm, g, m)
		}
	}
}

// TestThroughTheStore: what an agent sent is what a caller gets, whole.
func TestThroughTheStore(t *testing.T) {
	h := start(t)
	var full finding.Finding
	var n int64
	fill(t, reflect.ValueOf(&full).Elem(), "finding", &n)
	full.ID, full.Fingerprint = strings.Repeat("ab", 16), strings.Repeat("cd", 16)
	full.WindowStart = at(4)
	least := use(1, nil)
	h.insert(full, least)
	r, err := h.findings.ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := []*gnomonv1.Finding{NewFinding(&full), NewFinding(&least)}
	if diff := cmp.Diff(want, r.GetFindings(), protocmp.Transform()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if r.GetFindings()[1].GetModel() != nil {
		t.Error("a finding without a model has one")
	}
}

func TestDayAfter(t *testing.T) {
	for _, c := range []struct{ until, want time.Time }{
		{time.Time{}, time.Time{}},
		{at(0), at(0)},
		{at(0).Add(time.Nanosecond), at(24)},
		{at(23), at(24)},
		{at(24), at(24)},
		{at(1).In(time.FixedZone("east", 14*3600)), at(24)},
	} {
		if got := dayAfter(c.until); !got.Equal(c.want) {
			t.Errorf("after %s: %s, want %s", c.until, got, c.want)
		}
	}
	if stamp(time.Time{}) != nil || !moment(nil).IsZero() || !moment(stamp(at(5))).Equal(at(5)) {
		t.Error("times do not survive")
	}
}
