//go:build linux

package files

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSpecialFiles: pipes, sockets and devices are counted, never opened: an
// open of the pipe would wait for ever.
func TestSpecialFiles(t *testing.T) {
	root := tempDir(t)
	if err := unix.Mkfifo(filepath.Join(root, "pipe.gguf"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(root, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := openRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if _, _, err := d.open("pipe.gguf"); skipReason(err) != cNotRegular {
		t.Errorf("pipe: %v", err)
	}
	_, res := scan(t, testConfig(root))
	wantCount(t, res.Counters, "skipped_not_regular", 2)
	if !res.Complete {
		t.Errorf("%+v", res)
	}
}

// TestSystemFilesystemIsNotEntered: /proc below a root is another file system.
func TestSystemFilesystemIsNotEntered(t *testing.T) {
	d, err := openRoot("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if name, foreign := d.foreign(); !foreign || name != "proc" {
		t.Fatalf("%q %v", name, foreign)
	}
	root := tempDir(t)
	write(t, filepath.Join(root, "m.bin"), gguf("x"))
	cfg := testConfig("/")
	cfg.MaxDepth = 1
	w := newWalker(cfg, nil, &counters{}, (&sink{}).emit)
	w.openRoots()
	defer w.closeRoots()
	w.worker(&queue{limit: 1}).visit(t.Context(), job{root: w.roots[0], rel: "proc", depth: 1, device: w.roots[0].dir.stat.device})
	wantCount(t, w.counts.all(), "skipped_filesystem", 1)
	wantCount(t, w.counts.all(), "directories", 0)
}

// TestNoAccessTime: reading a file of one's own leaves its access time alone.
func TestNoAccessTime(t *testing.T) {
	root := tempDir(t)
	p := write(t, filepath.Join(root, "m.bin"), gguf("x"))
	old := unix.NsecToTimespec(1_000_000_000_000_000_000)
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{old, old}, 0); err != nil {
		t.Fatal(err)
	}
	s, _ := scan(t, testConfig(root))
	one(t, s)
	var st unix.Stat_t
	if err := unix.Stat(p, &st); err != nil {
		t.Fatal(err)
	}
	if st.Atim != old {
		t.Errorf("access time is now %v", st.Atim)
	}
}

const helperEnv = "GNOMON_TEST_SCAN_AS_NOBODY"

// TestDeniedFolders scans as another account, in a process of its own: folders
// and files that may not be read are counted and named, and the scan says that
// it is not complete.
func TestDeniedFolders(t *testing.T) {
	if root := os.Getenv(helperEnv); root != "" {
		scanAsNobody(t, root)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another account")
	}
	root := tempDir(t)
	write(t, filepath.Join(root, "open/m.bin"), gguf("x"))
	write(t, filepath.Join(root, "closed/secret.bin"), gguf("x"))
	chmod(t, write(t, filepath.Join(root, "open/private.bin"), gguf("x")), 0o600)
	chmod(t, filepath.Join(root, "closed"), 0o700)
	for p := root; p != "/"; p = filepath.Dir(p) {
		if st, err := os.Stat(p); err == nil && st.Mode().Perm()&0o005 != 0o005 {
			chmod(t, p, st.Mode().Perm()|0o055)
		}
	}
	out, err := os.CreateTemp(root, "report")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(exe, []string{exe, "-test.run=^TestDeniedFolders$"}, &os.ProcAttr{
		Env: append(os.Environ(), helperEnv+"="+root), Files: []*os.File{nil, os.Stderr, os.Stderr, out},
	})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := p.Wait(); err != nil || !st.Success() {
		t.Fatalf("helper: %v %v", st, err)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var res Result
	if err := json.Unmarshal(b, &res); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
	if res.Complete || res.Reasons["permission_denied"] != 2 || res.Counters["models_found"] != 1 {
		t.Errorf("%+v", res)
	}
	named := false
	for _, s := range res.Skips {
		named = named || s == Skip{filepath.Join(root, "closed"), "permission_denied"}
	}
	if !named {
		t.Errorf("skips %+v", res.Skips)
	}
}

// scanAsNobody is the helper's part: it gives up its rights, scans, and writes
// the result to descriptor 3.
func scanAsNobody(t *testing.T, root string) {
	if err := syscall.Setgroups(nil); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgid(65534); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setuid(65534); err != nil {
		t.Fatal(err)
	}
	_, res := scan(t, testConfig(root))
	f := os.NewFile(3, "report")
	if err := json.NewEncoder(f).Encode(res); err != nil {
		t.Fatal(err)
	}
}
