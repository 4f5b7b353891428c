package engine

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const libraryName = "libchdb.so"

// childAttributes makes a started process die with the thread that started it
// (callers keep that thread) and keeps it out of the terminal's process group.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// namespaceAttributes adds a network namespace of the child's own. Root makes
// one directly; anyone else needs a user namespace around it, in which the
// child is called 0 and outside of which it stays who it was.
func namespaceAttributes() *syscall.SysProcAttr {
	attr := childAttributes()
	attr.Cloneflags = syscall.CLONE_NEWNET
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// hardenChild makes files private to the owner and asks for the parent's death
// signal again: the kernel forgets it when a process changes its rights.
func hardenChild() error {
	unix.Umask(0o077)
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("binding the engine's life to the collector's: %w", err)
	}
	return nil
}

// enterNamespace brings up loopback, the only interface of a fresh network
// namespace. It refuses to go on where other interfaces show that the
// namespace is not a fresh one.
func enterNamespace() error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("listing the namespace's interfaces: %w", err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp != 0 {
			return fmt.Errorf("the network namespace is not a fresh one: %s is up", i.Name)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bringing up loopback: %w", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("bringing up loopback: %w", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bringing up loopback: %w", err)
	}
	return nil
}

// checkPeer lets only the process's own user in. The socket's directory
// already does; this holds when somebody opens the directory.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("checking who connects: %w", err)
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return fmt.Errorf("checking who connects: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("checking who connects: %w", failed)
	}
	if int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("connection of user %d refused", peer.Uid)
	}
	return nil
}
