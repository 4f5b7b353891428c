package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestDockerfiles(t *testing.T) {
	f := func(file, last string) {
		t.Helper()
		stages, user, entry := map[string]bool{}, "", ""
		from := ""
		for number, line := range strings.Split(read(t, file), "\n") {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] == "#" {
				continue
			}
			switch words[0] {
			case "FROM":
				from = words[1]
				if from != "scratch" && !stages[from] && !pinned.MatchString(from) {
					t.Errorf("%s:%d: base image %q is not pinned to a version", file, number+1, from)
				}
				if stages[from] {
					from = last // built on an earlier stage: keeps its user
				} else {
					user, entry = "", ""
				}
				if len(words) == 4 {
					stages[words[3]] = true
				}
			case "USER":
				user = words[1]
			case "ENTRYPOINT":
				entry = line
			case "ADD":
				t.Errorf("%s:%d: ADD fetches and unpacks: use COPY", file, number+1)
			case "COPY":
				for _, source := range words[1 : len(words)-1] {
					if strings.HasPrefix(source, "--") || slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "--from=") }) {
						continue
					}
					if _, err := os.Stat(filepath.Join("..", source)); err != nil {
						t.Errorf("%s:%d: %q is not in the source tree", file, number+1, source)
					}
				}
			case "ENV", "ARG":
				if regexp.MustCompile(`(?i)pass|secret|token`).MatchString(line) {
					t.Errorf("%s:%d: secret in the image: %s", file, number+1, line)
				}
			}
		}
		if !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(user) {
			t.Errorf("%s: runs as %q, want a numeric user other than root", file, user)
		}
		if !strings.HasPrefix(entry, `ENTRYPOINT ["/`) {
			t.Errorf("%s: entry point %q is not in exec form", file, entry)
		}
		if from != last {
			t.Errorf("%s: ends on %q, want %q", file, from, last)
		}
		if version := goVersion(t); !strings.Contains(read(t, file), "FROM golang:"+version+"-") {
			t.Errorf("%s: does not build with the Go of go.mod, %s", file, version)
		}
	}
	f("container/agent.Dockerfile", "scratch")
	f("container/collector.Dockerfile", "debian:12.12-slim")
}

func goVersion(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^go ([0-9.]+)$`).FindStringSubmatch(read(t, "../go.mod"))
	if found == nil {
		t.Fatal("go.mod names no version")
	}
	return found[1]
}
