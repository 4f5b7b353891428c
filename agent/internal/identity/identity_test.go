package identity

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestLoad_makesAnIDOnceAndKeepsIt(t *testing.T) {
	dir := t.TempDir()
	first, err := Load(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(first.AgentID) != 32 {
		t.Fatalf("agent id %q has not 32 digits", first.AgentID)
	}
	second, err := Load(dir, "renamed")
	if err != nil {
		t.Fatal(err)
	}
	if second.AgentID != first.AgentID {
		t.Errorf("agent id changed from %s to %s", first.AgentID, second.AgentID)
	}
	if second.HostName != "renamed" {
		t.Errorf("host name %q, want the configured one", second.HostName)
	}
	if want, _ := os.Hostname(); first.HostName != want {
		t.Errorf("host name %q, want %q", first.HostName, want)
	}
	if runtime.GOOS != "windows" {
		info, err := os.Stat(filepath.Join(dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the id file is %v, want 0600", info.Mode().Perm())
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files left in the state directory, want the id file alone", len(entries))
	}
}

func TestLoad_twoAgentsDiffer(t *testing.T) {
	a, err := Load(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if a.AgentID == b.AgentID {
		t.Errorf("two state directories share the id %s", a.AgentID)
	}
}

func TestLoad_concurrentStartsAgree(t *testing.T) {
	dir := t.TempDir()
	var wait sync.WaitGroup
	ids := make([]string, 16)
	for i := range ids {
		wait.Go(func() {
			id, err := Load(dir, "")
			if err != nil {
				t.Error(err)
			}
			ids[i] = id.AgentID
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("ids differ: %q", ids)
		}
	}
}

func TestLoad_damagedFileIsAnError(t *testing.T) {
	f := func(content string) {
		t.Helper()
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir, "")
		if err == nil {
			t.Fatalf("content %q was accepted", content)
		}
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%q does not name the file", err)
		}
		kept, _ := os.ReadFile(path)
		if string(kept) != content {
			t.Errorf("the damaged file was replaced by %q", kept)
		}
	}
	f("")
	f("not hex at all")
	f("abcdef")
	f(strings.Repeat("ab", 17))
}

func TestLoad_missingDirectory(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "absent"), "")
	if err == nil {
		t.Fatal("a missing state directory was accepted")
	}
}

func TestHostID(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	machine := "0123456789abcdef0123456789abcdef"
	good := write("good", machine+"\n")
	empty := write("empty", "\n")
	fresh := write("fresh", "uninitialized\n")
	absent := filepath.Join(dir, "absent")

	want := hostID([]string{good})
	if len(want) != 32 || strings.Contains(want, machine) || want == machine {
		t.Errorf("host id %q is not 32 digits that hide the machine id", want)
	}
	if got := hostID([]string{absent, empty, fresh, good}); got != want {
		t.Errorf("host id %q, want the first usable file's %q", got, want)
	}
	if got := hostID([]string{absent, empty}); got != "" {
		t.Errorf("host id %q without a machine id, want none", got)
	}
}
