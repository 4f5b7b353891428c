package main

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
)

// texts returns the strings of a profile.
func texts(t *testing.T, zipped []byte) (list []string) {
	t.Helper()
	plain, err := unzip(zipped)
	if err != nil {
		t.Fatal(err)
	}
	if err := eachString(plain, func(_ []byte, text string, isText bool) {
		if isText {
			list = append(list, text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestStripLeavesNoPath(t *testing.T) {
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		t.Fatal(err)
	}
	pprof.StopCPUProfile()
	before := texts(t, b.Bytes())
	stripped, err := strip(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	after := texts(t, stripped)
	if len(after) != len(before) {
		t.Fatalf("%d strings became %d", len(before), len(after))
	}
	paths := 0
	for i, text := range before {
		want := text
		if path.IsAbs(text) {
			want = path.Base(text)
			paths++
		}
		if after[i] != want {
			t.Errorf("%q became %q", text, after[i])
		}
	}
	if paths == 0 {
		t.Error("the profile names no file: it proves nothing")
	}
}

func TestStripRefusesWhatIsNoProfile(t *testing.T) {
	if _, err := strip([]byte("text")); err == nil {
		t.Error("text is taken for a profile")
	}
}

// TestShippedProfile holds the profile that the agent is built by against what
// it is for: it knows the functions that every packet passes, and no place on
// the machine that it was taken on.
func TestShippedProfile(t *testing.T) {
	zipped, err := os.ReadFile(filepath.Join("..", "..", "..", "agent", "cmd", "gnomon-agent", "default.pgo"))
	if err != nil {
		t.Fatal(err)
	}
	list := texts(t, zipped)
	for _, text := range list {
		if path.IsAbs(text) {
			t.Errorf("a path: %s", text)
		}
	}
	all := strings.Join(list, "\n")
	for _, name := range []string{"network.(*engine).tcp", "decode/link.(*Walker).Walk", "network.(*table).find"} {
		if !strings.Contains(all, name) {
			t.Errorf("%s is not in it: take it anew (make profile)", name)
		}
	}
}
