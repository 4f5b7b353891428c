package output

import (
	"strings"
	"testing"
	"time"
)

type row struct {
	name  string
	count uint64
	tags  []string
	at    time.Time
}

func columns() []Column[row] {
	return []Column[row]{
		{Name: "name", Max: 19, Value: func(r row) any { return r.name }},
		{Name: "seen_count", Value: func(r row) any { return r.count }},
		{Name: "tags", Value: func(r row) any { return r.tags }},
		{Name: "at", Wide: true, Value: func(r row) any { return r.at }},
	}
}

func TestWrite(t *testing.T) {
	rows := []row{
		{"a-name-that-is-longer-than-it-may-be", 2, nil, time.Time{}},
		{"ana", 3, []string{"a", "b"}, time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)},
		{"=cmd|' /C calc'!A0", 0, nil, time.Time{}},
		{"esc\x1b[31m\t\u202e", 1, nil, time.Time{}},
	}
	f := func(format Format, want string) {
		t.Helper()
		var out strings.Builder
		if err := Write(&out, format, columns(), rows); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s:\n%s\nwant:\n%s", format, out.String(), want)
		}
	}
	f(JSONL, `{"name":"a-name-that-is-longer-than-it-may-be","seen_count":2,"tags":[],"at":null}
{"name":"ana","seen_count":3,"tags":["a","b"],"at":"2026-11-02T09:00:00Z"}
{"name":"=cmd|' /C calc'!A0","seen_count":0,"tags":[],"at":null}
{"name":"esc\u001b[31m\t`+"\u202e"+`","seen_count":1,"tags":[],"at":null}
`)
	f(CSV, "name,seen_count,tags,at\na-name-that-is-longer-than-it-may-be,2,,\nana,3,a;b,2026-11-02T09:00:00Z\n'=cmd|' /C calc'!A0,0,,\nesc\x1b[31m\t\u202e,1,,\n")
	f(Table, `NAME                 SEEN COUNT  TAGS
a-name-that-is-lon…  2           -
ana                  3           a,b
=cmd|' /C calc'!A0   0           -
esc`+"\uFFFD[31m\uFFFD\uFFFD"+`           1           -
`)
}

func TestParseFormat(t *testing.T) {
	for _, name := range []string{"table", "jsonl", "csv"} {
		if f, err := ParseFormat(name); err != nil || string(f) != name {
			t.Errorf("%s: %v %v", name, f, err)
		}
	}
	if _, err := ParseFormat("xml"); err == nil || !strings.Contains(err.Error(), "use table, jsonl or csv") {
		t.Errorf("got %v", err)
	}
}
