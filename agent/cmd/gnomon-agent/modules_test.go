package main

import (
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestModules holds the modules that are linked into the agent against the
// committed list, so that a new one is a decision. The test binary carries its
// own build information; modules that only tests use are left out.
func TestModules(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok || len(info.Deps) == 0 {
		t.Fatal("the test binary carries no build information")
	}
	testOnly := []string{"github.com/google/go-cmp", "go.uber.org/goleak"}
	var got []string
	for _, dep := range info.Deps {
		if !slices.Contains(testOnly, dep.Path) {
			got = append(got, dep.Path)
		}
	}
	slices.Sort(got)
	raw, err := os.ReadFile("modules.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			module, reason, _ := strings.Cut(line, " ")
			if strings.TrimSpace(reason) == "" {
				t.Errorf("%s is listed without a reason", module)
			}
			want = append(want, module)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules linked into the agent changed; edit modules.txt if that is meant (-want +got):\n%s", diff)
	}
	for _, module := range got {
		for _, banned := range []string{"google.golang.org/grpc", "github.com/ClickHouse", "github.com/grpc-ecosystem"} {
			if strings.HasPrefix(module, banned) {
				t.Errorf("%s is banned from the agent", module)
			}
		}
	}
}
