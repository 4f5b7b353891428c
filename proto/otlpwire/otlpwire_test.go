package otlpwire

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// fill sets every field below v to a value of its own, so that a field the
// mapping forgets shows as a difference.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000+int64(*n), 5).UTC()))
		return
	case map[string]string:
		v.Set(reflect.ValueOf(map[string]string{"a": "1", "b.c": "2"}))
		return
	case map[string]uint64:
		v.Set(reflect.ValueOf(map[string]uint64{"packets": 7, "dropped": 1 << 40}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text-" + string(rune('a'+*n%26)) + strings.Repeat("x", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("no value for a " + v.Kind().String())
	}
}

func TestEveryFieldOfAFindingSurvives(t *testing.T) {
	var want finding.Finding
	n := 0
	fill(reflect.ValueOf(&want).Elem(), &n)
	data, err := EncodeFindings([]finding.Finding{want, want}, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	got, _, rejected, err := Decode(data)
	if err != nil || len(rejected) > 0 {
		t.Fatal(err, rejected)
	}
	if diff := cmp.Diff([]finding.Finding{want, want}, got); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
}

func TestEveryFieldOfCoverageSurvives(t *testing.T) {
	var want finding.Coverage
	n := 0
	fill(reflect.ValueOf(&want).Elem(), &n)
	data, err := EncodeCoverage([]finding.Coverage{want})
	if err != nil {
		t.Fatal(err)
	}
	_, got, rejected, err := Decode(data)
	if err != nil || len(rejected) > 0 {
		t.Fatal(err, rejected)
	}
	if diff := cmp.Diff([]finding.Coverage{want}, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

func TestRoundTripOfAnyFinding(t *testing.T) {
	text := rapid.StringN(0, 40, 200)
	rapid.Check(t, func(t *rapid.T) {
		want := finding.Finding{
			ID: text.Draw(t, "id"), AgentID: text.Draw(t, "agent"), HostName: text.Draw(t, "host"),
			Count: rapid.Uint64Max(1<<63-1).Draw(t, "count"), Confidence: rapid.Uint8().Draw(t, "confidence"),
			PeerPort: rapid.Uint16().Draw(t, "port"), Retro: rapid.Bool().Draw(t, "retro"),
			Attributes: rapid.MapOfN(rapid.StringN(1, 10, 40), text, 1, 8).Draw(t, "attributes"),
			FirstSeen:  time.Unix(0, rapid.Int64Min(1).Draw(t, "first")).UTC(),
		}
		for range rapid.IntRange(0, 5).Draw(t, "evidence") {
			want.Evidence = append(want.Evidence, finding.Evidence{
				Kind: text.Draw(t, "kind"), Value: text.Draw(t, "value"), Selector: text.Draw(t, "selector"), Weak: rapid.Bool().Draw(t, "weak"),
			})
		}
		data, err := EncodeFindings([]finding.Finding{want}, "v")
		if err != nil {
			t.Fatal(err)
		}
		got, _, rejected, err := Decode(data)
		if err != nil || len(rejected) > 0 {
			t.Fatal(err, rejected)
		}
		if diff := cmp.Diff([]finding.Finding{want}, got); diff != "" {
			t.Fatalf("finding (-want +got):\n%s", diff)
		}
	})
}

func TestTextThatIsNotUTF8IsSent(t *testing.T) {
	data, err := EncodeFindings([]finding.Finding{{ProcessPath: "/opt/caf\xe9/ollama"}}, "v")
	if err != nil {
		t.Fatal(err)
	}
	got, _, _, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if want := "/opt/caf\uFFFD/ollama"; got[0].ProcessPath != want {
		t.Errorf("process path %q, want %q", got[0].ProcessPath, want)
	}
}

func TestStandardKeysAreTheConventions(t *testing.T) {
	conventions := []string{
		string(semconv.ServiceNameKey), string(semconv.ServiceInstanceIDKey), string(semconv.ServiceVersionKey),
		string(semconv.HostNameKey), string(semconv.HostIDKey), string(semconv.OSTypeKey), string(semconv.UserNameKey),
		string(semconv.ProcessExecutableNameKey), string(semconv.ProcessExecutablePathKey), string(semconv.ContainerIDKey),
		string(semconv.NetworkProtocolNameKey), string(semconv.ServerAddressKey), string(semconv.NetworkPeerAddressKey),
		string(semconv.NetworkPeerPortKey), string(semconv.ClientAddressKey),
	}
	for _, key := range slices.Concat(resourceKeys(), findingKeys(), coverageKeys()) {
		if !strings.HasPrefix(key, "gnomon.") && !slices.Contains(conventions, key) {
			t.Errorf("key %s is neither a semantic convention nor our own", key)
		}
	}
}

func TestBadRecordsAreRejectedWithTheirKey(t *testing.T) {
	f := func(key string, v Value, want string) {
		t.Helper()
		_, err := DecodeFinding(func(func(string, Value) bool) {}, func(yield func(string, Value) bool) { yield(key, v) })
		var field *FieldError
		if !errors.As(err, &field) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", key, err, want)
		}
	}
	f("gnomon.count", Value{Type: String, String: "7"}, "attribute gnomon.count: must be an integer")
	f("gnomon.count", Value{Type: Int, Int: -1}, "out of range: -1")
	f("gnomon.confidence", Value{Type: Int, Int: 256}, "out of range: 256")
	f("network.peer.port", Value{Type: Int, Int: 65536}, "out of range")
	f("gnomon.retro", Value{Type: Int}, "must be a boolean")
	f("user.name", Value{Type: Other}, "must be a string")
	f("user.name", Value{Type: String, String: strings.Repeat("x", MaxString+1)}, "at most 8192")
	f("gnomon.asset.categories", Value{Type: String}, "must be an array of strings")
	f("gnomon.asset.categories", Value{Type: Strings, Strings: make([]string, MaxStrings+1)}, "at most 64")
	f("gnomon.attribute.", Value{Type: String}, "has no name")
	f(keyEvidenceKind, Value{Type: Strings, Strings: []string{"tls.sni"}}, "differ in length")
}

func TestForeignEventsAreToldApart(t *testing.T) {
	data, err := proto.Marshal(&logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{
		ScopeLogs: []*logspb.ScopeLogs{{LogRecords: []*logspb.LogRecord{{EventName: "browser.click"}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	findings, coverage, rejected, err := Decode(data)
	if err != nil || len(findings)+len(coverage) != 0 || len(rejected) != 1 || !errors.Is(rejected[0], ErrForeign) {
		t.Errorf("got %v %v %v %v", findings, coverage, rejected, err)
	}
}

// FuzzDecode holds that whatever can be decoded is encoded and decoded to the
// same again.
func FuzzDecode(f *testing.F) {
	var full finding.Finding
	n := 0
	fill(reflect.ValueOf(&full).Elem(), &n)
	data, err := EncodeFindings([]finding.Finding{full, {}}, "1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	var coverage finding.Coverage
	fill(reflect.ValueOf(&coverage).Elem(), &n)
	if data, err = EncodeCoverage([]finding.Coverage{coverage}); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		first, _, _, err := Decode(data)
		if err != nil {
			return
		}
		for _, want := range first {
			again, err := EncodeFindings([]finding.Finding{want}, "1")
			if err != nil {
				t.Fatal(err)
			}
			got, _, rejected, err := Decode(again)
			if err != nil || len(rejected) > 0 || len(got) != 1 {
				t.Fatal(got, rejected, err)
			}
			if !maps.Equal(want.Attributes, got[0].Attributes) || !slices.Equal(want.Evidence, got[0].Evidence) {
				t.Fatalf("maps or lists differ: %v, %v", want, got[0])
			}
			if diff := cmp.Diff(want, got[0], ignoreEmpty()); diff != "" {
				t.Fatalf("finding (-want +got):\n%s", diff)
			}
		}
	})
}

// ignoreEmpty treats an empty list or map as an absent one: the wire does not
// tell them apart.
func ignoreEmpty() cmp.Option {
	return cmp.FilterValues(func(a, b any) bool {
		x, y := reflect.ValueOf(a), reflect.ValueOf(b)
		lengths := func(v reflect.Value) bool { return v.Kind() == reflect.Slice || v.Kind() == reflect.Map }
		return x.IsValid() && y.IsValid() && lengths(x) && lengths(y) && x.Len() == 0 && y.Len() == 0
	}, cmp.Comparer(func(_, _ any) bool { return true }))
}
