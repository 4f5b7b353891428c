package owner

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lockForever binds the goroutine to its thread, which then ends with it.
func lockForever() { runtime.LockOSThread() }

// dropRights makes the calling thread alone act as nobody: the raw system call
// is used because syscall.Setresuid changes every thread of the process.
func dropRights() error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, nobody, nobody, nobody); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
		return errno
	}
	return nil
}
