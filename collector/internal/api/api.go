// Package api is the server of the Connect services of proto/gnomon/v1, which
// speak JSON over plain HTTP and gRPC alike
// (https://connectrpc.com/docs/protocol/): who may ask, how much, and what is
// counted.
//
// Every request needs a bearer token, on loopback too: the ports of a machine
// are open to all who have an account on it. It answers nothing itself: the
// services are handed in (query, declare).
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gnomon-ai/gnomon/collector/internal/listen"
	"github.com/gnomon-ai/gnomon/proto/gnomon/v1/gnomonv1connect"
)

// Server serves the API. New starts nothing.
type Server struct {
	config       Config
	authenticate Authenticate
	log          *slog.Logger
	requests     metric.Int64Counter
	handler      http.Handler

	server  *http.Server
	bound   net.Addr
	serving sync.WaitGroup
}

// Services are what the server serves.
type Services struct {
	Findings  gnomonv1connect.FindingServiceHandler
	Usage     gnomonv1connect.UsageServiceHandler
	Verdicts  gnomonv1connect.VerdictServiceHandler
	Inventory gnomonv1connect.InventoryServiceHandler
	// Metrics serves the collector's own metrics at /metrics.
	Metrics http.Handler
	// Ready reports what keeps the collector from its work; nil for nothing.
	Ready func(ctx context.Context) error
}

// New returns a server.
func New(config Config, services Services, authenticate Authenticate, meter metric.Meter, log *slog.Logger) (*Server, error) {
	requests, err := meter.Int64Counter("gnomon.collector.api_requests", metric.WithDescription("API requests by outcome"))
	if err != nil {
		return nil, fmt.Errorf("making instruments: %w", err)
	}
	s := &Server{config: config, authenticate: authenticate, log: log, requests: requests}
	options := []connect.HandlerOption{
		connect.WithReadMaxBytes(config.MaxRequestBytes),
		connect.WithInterceptors(connect.UnaryInterceptorFunc(s.counted)),
		connect.WithRecover(s.recovered),
	}
	procedures := http.NewServeMux()
	procedures.Handle(gnomonv1connect.NewFindingServiceHandler(services.Findings, options...))
	procedures.Handle(gnomonv1connect.NewUsageServiceHandler(services.Usage, options...))
	procedures.Handle(gnomonv1connect.NewVerdictServiceHandler(services.Verdicts, options...))
	procedures.Handle(gnomonv1connect.NewInventoryServiceHandler(services.Inventory, options...))
	guarded := http.NewServeMux()
	guarded.Handle("GET /metrics", services.Metrics)
	guarded.Handle("/", s.accounted(procedures))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		// Why it is not ready is for those who may ask: the log says it.
		if err := services.Ready(r.Context()); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.Handle("/", s.guard(guarded))
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count(r.Context(), "cross_origin")
		http.Error(w, "requests from pages of other origins are refused", http.StatusForbidden)
	}))
	s.handler = origins.Handler(mux)
	return s, nil
}

// Start listens and serves until Stop. failed is called if the server ends by
// itself.
func (s *Server) Start(failed func(error)) error {
	certificates, err := s.config.TLS.Load()
	if err != nil {
		return fmt.Errorf("starting the API: %w", err)
	}
	listener, err := listen.Listen("api.listen", s.config.Listen, s.config.MaxConnections)
	if err != nil {
		return err
	}
	s.bound = listener.Addr()
	if certificates != nil {
		listener = tls.NewListener(listener, certificates)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC clients on loopback
	s.server = &http.Server{
		Handler:           http.MaxBytesHandler(s.handler, int64(s.config.MaxRequestBytes)),
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.config.RequestTimeout,
		WriteTimeout:      2 * s.config.RequestTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	s.serving.Go(func() {
		if err := s.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serving the API: %w", err))
		}
	})
	return nil
}

// Address returns where the server listens, nil before Start.
func (s *Server) Address() net.Addr { return s.bound }

// Stop takes no new requests and waits for those under way, until ctx ends.
func (s *Server) Stop(ctx context.Context) {
	if s.server == nil {
		return
	}
	if err := s.server.Shutdown(ctx); err != nil {
		s.log.Warn("API requests were cut off", "error", err)
		_ = s.server.Close() // nothing is left to do about it
	}
	s.serving.Wait()
}

func (s *Server) counted(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, cancel := context.WithTimeout(ctx, s.config.RequestTimeout)
		defer cancel()
		response, err := next(ctx, request)
		if handled, ok := ctx.Value(handledKey{}).(*bool); ok {
			*handled = true
		}
		outcome := "ok"
		if err != nil {
			outcome = connect.CodeOf(err).String()
		}
		s.count(ctx, outcome)
		return response, err
	}
}

type handledKey struct{}

// accounted counts the requests that reached no handler: too large, unreadable,
// of an unknown procedure or of another method.
func (s *Server) accounted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handled := false
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), handledKey{}, &handled)))
		if !handled {
			s.count(r.Context(), "refused")
		}
	})
}

func (s *Server) count(ctx context.Context, outcome string) {
	s.requests.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}

// recovered turns a panic of a handler into an error of that request alone.
func (s *Server) recovered(_ context.Context, spec connect.Spec, _ http.Header, panicked any) error {
	s.log.Error("a request panicked", "procedure", spec.Procedure, "panic", panicked)
	return connect.NewError(connect.CodeInternal, errors.New("the request failed inside the collector: see its log"))
}
