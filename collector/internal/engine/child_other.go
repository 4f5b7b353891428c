//go:build unix && !linux

package engine

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

const libraryName = "libchdb.dylib"

// childAttributes keeps a started process out of the terminal's process group.
// It dies with its parent through the watch on standard input.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// namespaceAttributes is nil: only Linux has network namespaces.
func namespaceAttributes() *syscall.SysProcAttr { return nil }

func hardenChild() error {
	unix.Umask(0o077)
	return nil
}

func enterNamespace() error { return errors.New("network namespaces exist on Linux only") }

// checkPeer relies on the mode of the socket's directory.
func checkPeer(*net.UnixConn) error { return nil }
