// Package listen takes log messages from the network and from local sockets:
// syslog by UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425), and Frame Streams
// over a Unix socket, as dnstap sends them.
//
// It imports the standard library only. It listens where it is told to and
// checks who speaks: the addresses that may, and with TLS the certificate. It
// does not know what a message says. A message that was taken is not on disk:
// it goes with the process, unlike a line of a file.
package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Consumer takes the messages of one sender. It is used by one goroutine; the
// bytes change after the call.
type Consumer interface {
	Record(message []byte, cut bool)
}

// Config says where messages come in.
type Config struct {
	Protocol     string        `yaml:"protocol"`       // udp, tcp or tls
	Address      string        `yaml:"address"`        // IP address and port
	AllowedPeers []string      `yaml:"allowed_peers"`  // addresses and networks that may send; empty for all of loopback
	Plaintext    bool          `yaml:"plaintext"`      // udp and tcp beyond loopback: anyone on the way can read and forge
	CertFile     string        `yaml:"cert_file"`      // tls: PEM
	KeyFile      string        `yaml:"key_file"`       // tls: PEM
	ClientCAFile string        `yaml:"client_ca_file"` // tls: senders must have a certificate of these authorities
	MaxClients   int           `yaml:"max_clients"`    // tcp and tls: connections at the same time; 0 is 64
	IdleTimeout  time.Duration `yaml:"idle_timeout"`   // tcp and tls: a silent connection is closed; 0 is 10m
}

// Defaults.
const (
	defaultClients = 64
	defaultIdle    = 10 * time.Minute
	handshakeTime  = 10 * time.Second
	maxPeers       = 1024
)

// Validate names all that is wrong.
func (c Config) Validate() error {
	var all []error
	address, err := netip.ParseAddrPort(c.Address)
	if err != nil {
		all = append(all, fmt.Errorf("address: %q is no IP address with a port", c.Address))
	}
	if _, err := parsePeers(c.AllowedPeers); err != nil {
		all = append(all, err)
	}
	local := err == nil && address.Addr().IsLoopback()
	switch c.Protocol {
	case "udp", "tcp":
		if c.CertFile+c.KeyFile+c.ClientCAFile != "" {
			all = append(all, fmt.Errorf("protocol: %s takes no certificate; use tls, or leave cert_file, key_file and client_ca_file out", c.Protocol))
		}
		if !local && !c.Plaintext {
			all = append(all, errors.New("plaintext: messages from beyond this host can be read and forged on the way; use tls, or set plaintext to true"))
		}
	case "tls":
		if c.CertFile == "" || c.KeyFile == "" {
			all = append(all, errors.New("cert_file: tls needs cert_file and key_file"))
		}
	default:
		all = append(all, fmt.Errorf("protocol: %q is not one of udp, tcp, tls", c.Protocol))
	}
	if !local && len(c.AllowedPeers) == 0 && c.ClientCAFile == "" {
		all = append(all, errors.New("allowed_peers: beyond loopback name the senders, or with tls set client_ca_file"))
	}
	if c.MaxClients < 0 || c.MaxClients > 4096 {
		all = append(all, fmt.Errorf("max_clients: %d is not between 0 and 4096", c.MaxClients))
	}
	if c.IdleTimeout < 0 || c.IdleTimeout > 24*time.Hour {
		all = append(all, fmt.Errorf("idle_timeout: %v is not between 0 and 24h", c.IdleTimeout))
	}
	return errors.Join(all...)
}

func parsePeers(list []string) ([]netip.Prefix, error) {
	if len(list) > maxPeers {
		return nil, fmt.Errorf("allowed_peers: %d are more than %d; name networks", len(list), maxPeers)
	}
	var peers []netip.Prefix
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("allowed_peers: %q is neither an address nor a network", text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		peers = append(peers, p.Masked())
	}
	return peers, nil
}

// Options say what to do with what comes in.
type Options struct {
	MaxMessage int // bytes; longer ones are cut, or end the connection where their end cannot be found
	Open       func() Consumer
	Hold       sync.Locker // held while messages are handed over
	Started    func()      // called when messages can come in; may be nil
}

// Listener takes messages.
type Listener struct {
	options Options
	peers   []netip.Prefix
	clients int
	idle    time.Duration

	counters counters
	ready    chan struct{}
	began    sync.Once
	address  atomic.Value // string: where it listens
}

type counters struct {
	messages, bytes, cut, connections, refusedPeers, refusedFull, failed, timedOut, open atomic.Uint64
}

// Counters returns totals by name; connections_open is what is there now.
func (l *Listener) Counters() map[string]uint64 {
	c := &l.counters
	return map[string]uint64{
		"messages": c.messages.Load(), "bytes": c.bytes.Load(), "cut": c.cut.Load(), "connections": c.connections.Load(),
		"refused_peers": c.refusedPeers.Load(), "refused_full": c.refusedFull.Load(), "connections_failed": c.failed.Load(),
		"connections_idle": c.timedOut.Load(), "connections_open": c.open.Load(),
	}
}

// New returns a listener; it starts nothing.
func New(o Options) *Listener {
	if o.Hold == nil {
		o.Hold = new(sync.Mutex)
	}
	return &Listener{options: o, ready: make(chan struct{})}
}

// Ready is closed once messages can come in.
func (l *Listener) Ready() <-chan struct{} { return l.ready }

// Address is where the listener listens, "" before it does.
func (l *Listener) Address() string {
	text, _ := l.address.Load().(string)
	return text
}

// Syslog takes syslog messages as config says until ctx ends.
func (l *Listener) Syslog(ctx context.Context, config Config) error {
	var err error
	if l.peers, err = parsePeers(config.AllowedPeers); err != nil {
		return err
	}
	l.clients, l.idle = config.MaxClients, config.IdleTimeout
	if l.clients == 0 {
		l.clients = defaultClients
	}
	if l.idle == 0 {
		l.idle = defaultIdle
	}
	if config.Protocol == "udp" {
		return l.datagrams(ctx, config.Address)
	}
	var secure *tls.Config
	if config.Protocol == "tls" {
		if secure, err = config.tls(); err != nil {
			return err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", config.Address)
	if err != nil {
		return fmt.Errorf("listening for syslog: %w", err)
	}
	return l.accept(ctx, listener, secure, l.syslogStream)
}

func (c Config) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate for syslog: %w", err)
	}
	t := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.ClientCAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("reading the authorities of syslog senders: %w", err)
	}
	t.ClientCAs, t.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !t.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the authorities of syslog senders: %s holds no certificate", c.ClientCAFile)
	}
	return t, nil
}

// allowed reports whether a sender may speak. Without a list the listener is on
// loopback, or asks for a certificate.
func (l *Listener) allowed(a netip.Addr) bool {
	if len(l.peers) == 0 {
		return true
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(l.peers, func(p netip.Prefix) bool { return p.Contains(a) })
}

// receiveBuffer is what the kernel is asked to hold of datagrams, in bytes.
const receiveBuffer = 4 << 20

// datagrams takes one message a datagram. All senders share one consumer.
func (l *Listener) datagrams(ctx context.Context, address string) error {
	packets, err := new(net.ListenConfig).ListenPacket(ctx, "udp", address)
	if err != nil {
		return fmt.Errorf("listening for syslog: %w", err)
	}
	socket := packets.(*net.UDPConn)
	_ = socket.SetReadBuffer(receiveBuffer) // a smaller one is what there is
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	defer stop()
	l.begin(socket.LocalAddr())
	consumer := l.options.Open()
	buffer := make([]byte, 64<<10)
	for {
		n, from, err := socket.ReadFromUDPAddrPort(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return errors.Join(fmt.Errorf("reading syslog datagrams: %w", err), socket.Close())
		}
		if !l.allowed(from.Addr()) {
			l.counters.refusedPeers.Add(1)
			continue
		}
		l.options.Hold.Lock()
		l.take(consumer, trimEnd(buffer[:n]), false)
		l.options.Hold.Unlock()
	}
}

func trimEnd(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r' || b[len(b)-1] == 0) {
		b = b[:len(b)-1]
	}
	return b
}

// take hands one message over.
func (l *Listener) take(c Consumer, message []byte, cut bool) {
	if len(message) > l.options.MaxMessage {
		message, cut = message[:l.options.MaxMessage], true
	}
	l.counters.messages.Add(1)
	l.counters.bytes.Add(uint64(len(message)))
	if cut {
		l.counters.cut.Add(1)
	}
	c.Record(message, cut)
}

func (l *Listener) begin(a net.Addr) {
	l.address.Store(a.String())
	if l.options.Started != nil {
		l.options.Started()
	}
	l.began.Do(func() { close(l.ready) })
}
