package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// notifier tells the service manager that the agent is ready, alive and
// stopping (sd_notify(3),
// https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html).
// Without a manager that listens it does nothing.
type notifier struct {
	conn  *net.UnixConn // nil without a manager
	limit time.Duration // after which the manager kills a silent agent, 0 for never
	wait  sync.WaitGroup
}

// newNotifier connects to the socket in $NOTIFY_SOCKET, where there is one.
func newNotifier() (*notifier, error) {
	n := &notifier{}
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return n, nil
	}
	var err error
	n.conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("connecting to the service manager: %w", err)
	}
	if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		// No number means no watchdog.
		usec, _ := strconv.ParseUint(os.Getenv("WATCHDOG_USEC"), 10, 32)
		n.limit = time.Duration(usec) * time.Microsecond
	}
	return n, nil
}

// start reports readiness, and then that alive returns, until ctx ends.
func (n *notifier) start(ctx context.Context, alive func(), log *slog.Logger) {
	n.send("READY=1", log)
	if n.conn == nil || n.limit == 0 {
		return
	}
	n.wait.Go(func() {
		for waitOr(ctx, beatEvery(n.limit)) {
			alive()
			n.send("WATCHDOG=1", log)
		}
	})
}

// stop reports the end.
func (n *notifier) stop() {
	n.wait.Wait()
	if n.conn == nil {
		return
	}
	// The manager sees the end of the process in any case.
	_, _ = n.conn.Write([]byte("STOPPING=1"))
	_ = n.conn.Close()
}

func (n *notifier) send(state string, log *slog.Logger) {
	if n.conn == nil {
		return
	}
	if _, err := n.conn.Write([]byte(state)); err != nil {
		log.Warn("the service manager cannot be told", "state", state, "error", err)
	}
}
