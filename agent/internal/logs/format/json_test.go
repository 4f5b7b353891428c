package format

import (
	"encoding/json"
	"strings"
	"testing"
)

const jsonText = `{"@timestamp":"2026-11-23T19:31:58Z","source":{"ip":"192.0.2.7"},"user":{"name":"dana"},"url":{"full":"https:\/\/claude.ai\/chat?x=1"},"http":{"request":{"method":"GET"}}}
{"@timestamp":"2026-11-23T19:31:58Z","source.ip":"192.0.2.7","url.full":"https://claude.ai/\u00e9","http":{"request.method":"PUT"}}
{"url":{"full":["https://first.example/","https://second.example/"]}}
{"url":{"full":"https://claude.ai/"}} trailing
{"url":{"full":"https://claude.ai/"},}
[]
`

func TestJSON(t *testing.T) {
	expect(t, read(t, "json", sampleOptions("json"), jsonText),
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "http", Name: "claude.ai", Client: "192.0.2.7", Server: ":443", Method: "GET", Path: "/chat", User: "dana"},
		said{Result: "used", Time: "2026-11-23T19:31:58Z", Kind: "http", Name: "claude.ai", Client: "192.0.2.7", Server: ":443", Method: "PUT", Path: "/é"},
		said{Result: "used", Kind: "http", Name: "first.example", Server: ":443", Path: "/"},
		said{Result: "malformed"}, said{Result: "malformed"}, said{Result: "malformed"},
	)
}

func TestJSONDepth(t *testing.T) {
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `,"url":"https://a.example/"}`
	}
	o := testOptions()
	o.Keys = Keys{"url": {"url"}}
	if got := read(t, "json", o, deep(maxDepth-1))[0].Result; got != "used" {
		t.Errorf("a line at the limit of depth is %s", got)
	}
	if got := read(t, "json", o, deep(maxDepth+1))[0].Result; got != "malformed" {
		t.Errorf("a line beyond the limit of depth is %s", got)
	}
}

// FuzzJSON holds the own reader against the standard library: whatever that
// accepts as an object, this one does, with the same value.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{jsonText, suricataText, envoyText} {
		for line := range strings.SplitSeq(text, "\n") {
			f.Add([]byte(line))
		}
	}
	f.Add([]byte(`{"host":"\ud83d\ude00\"\\\/\b\f\n\r\t","x":[1,-2.5e+3,true,false,null,{}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		names, where := Keys{"host": {"host"}}.places(nil)
		reader := jsonReader{tree: newJSONTree(names, where)}
		var v values
		ok := reader.read(line, &v)
		var want map[string]json.RawMessage
		if json.Unmarshal(line, &want) != nil || want == nil {
			return
		}
		depth, most := 0, 0
		for _, c := range line {
			switch c {
			case '{', '[':
				depth++
				most = max(most, depth)
			case '}', ']':
				depth--
			}
		}
		if !ok && most <= maxDepth {
			t.Fatalf("%q is an object, but is refused", line)
		}
		var text string
		if ok && strings.Count(string(line), `"host"`) == 1 && json.Unmarshal(want["host"], &text) == nil && !none([]byte(text)) && strings.ToValidUTF8(string(line), "") == string(line) {
			if got := string(v.text[fieldHost]); got != text {
				t.Fatalf("host of %q is %q, want %q", line, got, text)
			}
		}
	})
}

func TestKeysValidate(t *testing.T) {
	for _, bad := range []Keys{{"nosuch": {"a"}}, {"": {"a"}}, {"host": {}}, {"host": {""}}, {"host": make([]string, 17)}} {
		if bad.Validate() == nil {
			t.Errorf("%v passes", bad)
		}
	}
	if err := (Keys{"host": {"a"}, "bytes_up": {"b", "c"}}).Validate(); err != nil {
		t.Error(err)
	}
}
