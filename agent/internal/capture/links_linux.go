package capture

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LinkWatch hears of interfaces that come, go, or change, from the kernel
// (rtnetlink(7), RTMGRP_LINK), in the network namespace it was opened in.
type LinkWatch struct {
	file   *os.File
	buffer []byte
}

// WatchLinks starts to listen. It needs no right.
func WatchLinks() (*LinkWatch, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("listening for interfaces: %w", err), unix.Close(fd))
	}
	return &LinkWatch{file: os.NewFile(uintptr(fd), "netlink"), buffer: make([]byte, 16<<10)}, nil
}

// Wait returns nil when something changed, and an error after Close. What
// changed it does not tell: the list of interfaces does.
func (w *LinkWatch) Wait() error {
	_, err := w.file.Read(w.buffer)
	if errors.Is(err, unix.ENOBUFS) {
		return nil // news were lost, which is news
	}
	return err
}

// Close ends Wait.
func (w *LinkWatch) Close() error { return w.file.Close() }
