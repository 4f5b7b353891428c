package application

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/signatures"
)

// maxToken bounds a token file, in bytes.
const maxToken = 4 << 10

// Sensor listens to applications. New starts nothing.
type Sensor struct {
	config   Config
	log      *slog.Logger
	opened   func(signatures.Flow)
	reader   *genai.Reader
	turns    chan struct{} // one for each request that is worked on
	counters counters
	repeats  repeats

	mu      sync.Mutex
	address string // where it listens, "" where it does not
	since   time.Time
}

// New returns a sensor.
func New(config Config, log *slog.Logger) *Sensor {
	limits := genai.DefaultLimits()
	limits.Records = config.MaxRecords
	return &Sensor{
		config: config, log: log, opened: func(signatures.Flow) {}, reader: genai.NewReader(limits),
		turns: make(chan struct{}, config.MaxRequests), repeats: newRepeats(), since: time.Now(),
	}
}

// OnOpen names a function that is told of each connection as it begins, so that
// its process can be found while it lives. Call it before Run.
func (s *Sensor) OnOpen(opened func(signatures.Flow)) { s.opened = opened }

// Name implements sensor.Sensor.
func (s *Sensor) Name() string { return finding.SensorApplication }

// Address is where the sensor listens, as host:port; "" where it does not.
func (s *Sensor) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

func (s *Sensor) began() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since
}

func (s *Sensor) listening(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address, s.since = address, time.Now()
}

// Run implements sensor.Sensor. When ctx ends it takes no new requests and
// finishes those under way.
func (s *Sensor) Run(ctx context.Context, emit sensor.Emit) error {
	server, forward, err := s.prepare(emit)
	if err != nil {
		return err
	}
	if forward != nil {
		defer forward.close()
	}
	listener, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return &sensor.Unavailable{Sensor: s.Name(), Cause: err, Remedy: "another program may listen there: name another address with application.listen"}
	}
	s.listening(listener.Addr().String())
	defer s.listening("")
	ended := make(chan error, 1)
	go func() {
		limited := netutil.LimitListener(listener, s.config.MaxConnections)
		if server.TLSConfig != nil {
			limited = tls.NewListener(limited, server.TLSConfig)
		}
		ended <- server.Serve(limited)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("listening to applications: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.Background(), s.config.RequestTimeout)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		s.log.Warn("requests of applications were cut off", "error", err)
		_ = server.Close() // nothing is left to do about it
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("listening to applications: %w", err)
	}
	return nil
}

// prepare makes the server, with what it needs from files.
func (s *Sensor) prepare(emit sensor.Emit) (*http.Server, *forwarder, error) {
	h := &handler{Sensor: s, emit: emit}
	var err error
	if h.token, err = readToken(s.config.TokenFile); err != nil {
		return nil, nil, &sensor.Unavailable{Sensor: s.Name(), Cause: err, Remedy: "put a token into the file, or leave application.token_file out"}
	}
	if s.config.Forward.Endpoint != "" {
		if h.forward, err = newForwarder(s.config, h.token != ""); err != nil {
			return nil, nil, &sensor.Unavailable{Sensor: s.Name(), Cause: err, Remedy: "mend application.forward"}
		}
	}
	server := &http.Server{
		Handler: h.routes(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: s.config.RequestTimeout,
		WriteTimeout: 2 * s.config.RequestTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateNew {
				s.opened(flow(c.RemoteAddr().String(), c.LocalAddr()))
			}
		},
	}
	if s.config.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.config.CertFile, s.config.KeyFile)
		if err != nil {
			return nil, nil, &sensor.Unavailable{Sensor: s.Name(), Cause: err, Remedy: "mend application.cert_file and application.key_file"}
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	return server, h.forward, nil
}

// flow is the connection of a sender, for attribution. It is empty where the
// addresses are none.
func flow(remote string, local net.Addr) signatures.Flow {
	client, err := netip.ParseAddrPort(remote)
	if err != nil || local == nil {
		return signatures.Flow{}
	}
	server, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return signatures.Flow{}
	}
	return signatures.Flow{Protocol: "tcp", Client: client, Server: server}
}

// readToken reads a file that holds one token; "" names none.
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading token_file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || len(token) > maxToken || strings.ContainsAny(token, " \r\n\t") {
		return "", fmt.Errorf("reading token_file: %s holds no token", path)
	}
	return token, nil
}

// isToken compares an Authorization value in constant time.
func isToken(given, token string) bool {
	scheme, value, _ := strings.Cut(given, " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(strings.TrimSpace(value)), []byte(token)) == 1
}
