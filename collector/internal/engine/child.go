package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

// ChildCommand is the hidden command that main hands to RunChild.
const ChildCommand = "engine-child"

// Exit codes of the child. The library itself ends with 0 also when it could
// not lock the data directory, so the supervisor reads the text as well.
const (
	exitEnded     = 0
	exitFailed    = 1
	exitOrphaned  = 3
	exitNamespace = 11
	exitLibrary   = 12
)

// RunChild is the child process: it opens the engine, forwards the socket to
// it and ends when the engine ends or when standard input, which the
// supervisor holds open, reports that the supervisor is gone. args is what
// follows ChildCommand on the command line; it holds no secret.
func RunChild(args []string) int {
	flags := flag.NewFlagSet(ChildCommand, flag.ContinueOnError)
	library := flags.String("library", "", "")
	binary := flags.String("binary", "", "")
	port := flags.Int("port", 0, "")
	limit := flags.Int("connections", 64, "")
	namespace := flags.Bool("namespace", false, "")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "engine-child is started by the collector, not by hand")
		return exitFailed
	}
	files := layout{dir: flags.Arg(0)}
	if err := hardenChild(); err != nil {
		fmt.Fprintln(os.Stderr, "engine-child:", err)
		return exitFailed
	}
	// The supervisor decides when the engine stops: a Ctrl-C in the terminal
	// and a service manager's signal to the whole group are for it.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if *namespace {
		if err := enterNamespace(); err != nil {
			fmt.Fprintln(os.Stderr, "engine-child:", err)
			return exitNamespace
		}
	}
	go exitWithSupervisor(os.Stdin)

	// The socket's name is short and relative: its path could be longer than
	// the system takes.
	if err := os.Chdir(files.dir); err != nil {
		fmt.Fprintln(os.Stderr, "engine-child:", err)
		return exitFailed
	}
	f, err := listenForwarder(socketName, "127.0.0.1:"+strconv.Itoa(*port), *limit)
	if err != nil {
		fmt.Fprintln(os.Stderr, "engine-child:", err)
		return exitFailed
	}
	defer f.stop()
	if *binary != "" {
		return runBinary(*binary, files)
	}
	return runLibrary(*library, files)
}

// exitWithSupervisor ends the process when the other end of in is gone. The
// data is safe: the engine keeps nothing acknowledged in memory.
func exitWithSupervisor(in io.Reader) {
	_, _ = io.Copy(io.Discard, in) // an error is an end as well
	os.Exit(exitOrphaned)
}

// runLibrary runs the engine in this process until its holding query ends.
func runLibrary(library string, files layout) int {
	message, err := queryCommandLine(library, []string{
		"clickhouse", // the library takes no further program name
		"--config-file", files.config(),
		"--path", files.data(),
		"--query", listenStatement + "; " + holdStatement,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "engine-child:", err)
		return exitLibrary
	}
	if message != "" {
		fmt.Fprintln(os.Stderr, message)
		return exitFailed
	}
	return exitEnded
}

// runBinary runs `clickhouse server` as a child of this process, which dies
// with it.
func runBinary(binary string, files layout) int {
	cmd := exec.Command(binary, "server", "--config-file="+files.config())
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Dir = files.data()
	cmd.SysProcAttr = childAttributes()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "engine-child:", err)
		return exitLibrary
	}
	if err != nil {
		return exitFailed
	}
	return exitEnded
}

// forwarder takes connections of its owner on a Unix socket and joins each to
// the engine's port.
type forwarder struct {
	listener net.Listener
	target   string
	slots    chan struct{}
	ctx      context.Context //nolint:containedctx // the life of the forwarder: stop ends it
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

func listenForwarder(socket, target string, limit int) (*forwarder, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the old engine socket: %w", err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("opening the engine socket: %w", err)
	}
	f := &forwarder{listener: listener, target: target, slots: make(chan struct{}, limit)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.wg.Go(f.accept)
	return f, nil
}

// accept waits for a free slot before it accepts: connections above the limit
// wait in the kernel's queue instead of failing at the engine.
func (f *forwarder) accept() {
	for {
		select {
		case f.slots <- struct{}{}:
		case <-f.ctx.Done():
			return
		}
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.wg.Go(func() {
			defer func() { <-f.slots }()
			if err := f.join(conn.(*net.UnixConn)); err != nil {
				fmt.Fprintln(os.Stderr, "engine-child:", err)
			}
		})
	}
}

// join copies both ways until both sides are done.
func (f *forwarder) join(client *net.UnixConn) error {
	defer client.Close()
	if err := checkPeer(client); err != nil {
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(f.ctx, "tcp", f.target)
	if err != nil {
		return nil // not listening yet, or no longer: the client sees the close
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	unhook := context.AfterFunc(f.ctx, func() { _, _ = client.Close(), server.Close() })
	defer unhook()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, client)
		_ = server.CloseWrite()
	}()
	_, _ = io.Copy(client, server)
	// The engine closed: whatever the client still sends goes nowhere.
	_ = client.Close()
	<-done
	return nil
}

func (f *forwarder) stop() {
	f.cancel()
	_ = f.listener.Close()
	f.wg.Wait()
}
