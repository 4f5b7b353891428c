package capture

import (
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace runs do on a thread that is in a network namespace of its own,
// which ends with it.
func inNamespace(t *testing.T, do func()) {
	t.Helper()
	entered, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		entered <- err
		if err == nil {
			ip(t, "link", "set", "lo", "up")
			do()
		}
	}()
	if err := <-entered; err != nil {
		t.Skipf("a network namespace needs CAP_SYS_ADMIN: %v", err)
	}
	<-done
}

// ip runs the tool of that name in this thread's namespace.
func ip(t *testing.T, arguments ...string) {
	t.Helper()
	if out, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", arguments, err, out)
	}
}
