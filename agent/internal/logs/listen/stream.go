package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// accept serves connections until ctx ends, each in its goroutine, and waits
// for them.
func (l *Listener) accept(ctx context.Context, listener net.Listener, secure *tls.Config, serve func(net.Conn) error) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	l.begin(listener.Addr())
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close() // came too late
			}
			return nil
		}
		if err != nil {
			// Out of descriptors, or a connection that is gone already.
			l.counters.failed.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		if !l.admit(conn) {
			_ = conn.Close() // refused
			continue
		}
		serving.Go(func() { l.serve(ctx, conn, secure, serve) })
	}
}

// admit decides about a connection before a byte is read from it.
func (l *Listener) admit(conn net.Conn) bool {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		a, _ := netip.AddrFromSlice(tcp.IP)
		if !l.allowed(a) {
			l.counters.refusedPeers.Add(1)
			return false
		}
	}
	if l.counters.open.Load() >= uint64(l.clients) {
		l.counters.refusedFull.Add(1)
		return false
	}
	l.counters.open.Add(1)
	l.counters.connections.Add(1)
	return true
}

// serve reads one connection to its end.
func (l *Listener) serve(ctx context.Context, conn net.Conn, secure *tls.Config, serve func(net.Conn) error) {
	defer l.counters.open.Add(^uint64(0))
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if secure != nil {
		wrapped := tls.Server(conn, secure)
		within, cancel := context.WithTimeout(ctx, handshakeTime)
		err := wrapped.HandshakeContext(within)
		cancel()
		if err != nil {
			l.counters.failed.Add(1)
			return
		}
		conn = wrapped
	}
	err := serve(conn)
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		l.counters.timedOut.Add(1)
	default:
		l.counters.failed.Add(1)
	}
}

// reading is a buffer over a connection that refuses to wait for ever.
type reading struct {
	conn       net.Conn
	idle       time.Duration
	buffer     []byte
	start, end int
}

func newReading(conn net.Conn, idle time.Duration, most int) *reading {
	return &reading{conn: conn, idle: idle, buffer: make([]byte, min(64<<10, most)), end: 0}
}

func (r *reading) bytes() []byte { return r.buffer[r.start:r.end] }

// more reads once; the buffer grows up to most bytes.
func (r *reading) more(most int) error {
	if r.start > 0 {
		copy(r.buffer, r.buffer[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	if r.end == len(r.buffer) {
		if len(r.buffer) >= most {
			return errTooLong
		}
		r.buffer = append(r.buffer, make([]byte, min(len(r.buffer), most-len(r.buffer)))...)
	}
	if r.idle > 0 {
		if err := r.conn.SetReadDeadline(time.Now().Add(r.idle)); err != nil {
			return err
		}
	}
	n, err := r.conn.Read(r.buffer[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	return err
}

// syslogStream reads messages in either framing until the sender ends.
func (l *Listener) syslogStream(conn net.Conn) error {
	consumer := l.options.Open()
	most := l.options.MaxMessage + 16
	r := newReading(conn, l.idle, most)
	skipping := false
	for {
		var err error
		if skipping, err = l.syslogMessages(r, consumer, skipping); err != nil {
			return err
		}
		err = r.more(most)
		if errors.Is(err, io.EOF) {
			if rest := trimEnd(r.bytes()); len(rest) > 0 && !skipping { // a last message without its end
				l.options.Hold.Lock()
				l.take(consumer, rest, false)
				l.options.Hold.Unlock()
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// syslogMessages hands over what is complete in r.
func (l *Listener) syslogMessages(r *reading, consumer Consumer, skipping bool) (bool, error) {
	l.options.Hold.Lock()
	defer l.options.Hold.Unlock()
	for {
		if skipping {
			end := bytes.IndexByte(r.bytes(), '\n')
			if end < 0 {
				r.start = r.end
				return true, nil
			}
			r.start += end + 1
			skipping = false
		}
		message, size, cut, err := syslogMessage(r.bytes(), l.options.MaxMessage)
		if err != nil || size == 0 {
			return false, err
		}
		r.start += size
		skipping = cut
		if len(message) > 0 {
			l.take(consumer, message, cut)
		}
	}
}

// maxSocketPath is the longest path of a Unix socket (sun_path in unix(7)).
const maxSocketPath = 107

// Frames takes Frame Streams with the given content type over a Unix socket at
// path until ctx ends: the handshake of both directions (READY, ACCEPT, START)
// and that of one (START) are understood.
func (l *Listener) Frames(ctx context.Context, path, contentType string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("listening for frames: the path %s is longer than %d bytes", path, maxSocketPath)
	}
	if err := clearSocket(path); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listening for frames: %w", err)
	}
	// The folder decides who may reach the socket; a resolver runs as a user of
	// its own.
	if err := os.Chmod(path, 0o666); err != nil {
		return errors.Join(fmt.Errorf("listening for frames: %w", err), listener.Close())
	}
	l.clients = defaultClients
	return l.accept(ctx, listener, nil, func(conn net.Conn) error { return l.frameStream(conn, contentType) })
}

// clearSocket removes a socket that nobody listens on any more.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listening for frames: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listening for frames: %s is there and is no socket; remove it or name another", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		return errors.Join(fmt.Errorf("listening for frames: another program listens on %s", path), conn.Close())
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("listening for frames: %w", err)
	}
	return nil
}

// frameStream reads frames until the sender stops.
func (l *Listener) frameStream(conn net.Conn, contentType string) error {
	consumer := l.options.Open()
	most := l.options.MaxMessage + 4
	r := newReading(conn, 0, most) // a resolver may be silent for long
	both := false
	for {
		reply, done, err := l.frames(r, consumer, contentType)
		if err != nil {
			return err
		}
		switch reply {
		case controlAccept:
			both = true
			if _, err := conn.Write(appendControl(nil, controlAccept, contentType)); err != nil {
				return err
			}
		case controlFinish:
			if both {
				_, err = conn.Write(appendControl(nil, controlFinish, ""))
			}
			return err
		}
		if !done {
			continue
		}
		if err := r.more(most); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// frames hands over what is complete in r, up to the next control frame that
// wants an answer. done says that more bytes are needed.
func (l *Listener) frames(r *reading, consumer Consumer, contentType string) (reply uint32, done bool, err error) {
	l.options.Hold.Lock()
	defer l.options.Hold.Unlock()
	for {
		b := r.bytes()
		record, size, err := SplitFrames(b, l.options.MaxMessage)
		if err != nil || size == 0 {
			return 0, true, err
		}
		r.start += size
		if record != nil {
			l.take(consumer, record, false)
			continue
		}
		kind, types := control(b)
		switch kind {
		case controlReady, controlStart:
			if !spoken(types, contentType) {
				return 0, false, fmt.Errorf("the sender speaks %q, not %s", types, contentType)
			}
			if kind == controlReady {
				return controlAccept, false, nil
			}
		case controlStop:
			return controlFinish, false, nil
		}
	}
}

// spoken holds where a sender names no content type or the one that is read.
func spoken(types [][]byte, want string) bool {
	for _, t := range types {
		if string(t) == want {
			return true
		}
	}
	return len(types) == 0
}
