// Package receive takes OTLP logs and traces over gRPC and HTTP and hands to
// the line what they say: logs as they are, for agents send findings so; of
// traces the uses of AI that applications report in them. It authenticates every request with a bearer token, bounds what it
// reads, and turns the line's errors into the answers that OTLP senders
// understand (https://opentelemetry.io/docs/specs/otlp/).
//
// It may import the OTLP data library, proto/genai, gRPC and net/http. It does
// not look into log records (ingest) and keeps no tokens (state): both are
// handed in. Metrics are answered with "unimplemented".
package receive

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

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"

	"github.com/gnomon-ai/gnomon/collector/internal/ingest"
	"github.com/gnomon-ai/gnomon/collector/internal/listen"
	"github.com/gnomon-ai/gnomon/proto/genai"
)

// Line takes decoded requests; *ingest.Line is one.
type Line interface {
	Accept(ctx context.Context, source ingest.Source, logs plog.Logs) (ingest.Result, error)
	AcceptUses(ctx context.Context, source ingest.Source, batch genai.Batch) (ingest.Result, error)
}

// Authenticate returns the id of a token that may send findings; the id is no
// secret. An error that is no ErrToken means that nobody knows: the sender is to
// try again.
type Authenticate func(ctx context.Context, token string) (id string, err error)

// ErrToken refuses a token for good.
var ErrToken = errors.New("the token is unknown, expired or revoked, or may not send findings")

// errNoToken refuses a request without one.
var errNoToken = errors.New("the request has no bearer token: set the Authorization header to \"Bearer <token>\"")

// Receiver owns two servers. New starts nothing.
type Receiver struct {
	config       Config
	line         Line
	authenticate Authenticate
	log          *slog.Logger
	requests     metric.Int64Counter
	reader       *genai.Reader

	grpcServer *grpc.Server
	httpServer *http.Server
	serving    sync.WaitGroup
	grpcBound  net.Addr
	httpBound  net.Addr
}

// New returns a receiver.
func New(config Config, line Line, authenticate Authenticate, meter metric.Meter, log *slog.Logger) (*Receiver, error) {
	requests, err := meter.Int64Counter("gnomon.collector.requests", metric.WithDescription("OTLP requests by transport and outcome"))
	if err != nil {
		return nil, fmt.Errorf("making instruments: %w", err)
	}
	limits := genai.DefaultLimits()
	limits.Records = config.MaxRecords
	return &Receiver{config: config, line: line, authenticate: authenticate, log: log, requests: requests, reader: genai.NewReader(limits)}, nil
}

// Start listens and serves until Stop. failed is called once for each server
// that ends by itself.
func (r *Receiver) Start(failed func(error)) error {
	certificates, err := r.config.TLS.Load()
	if err != nil {
		return err
	}
	if r.config.GRPC != "" {
		listener, err := listen.Listen("receive.grpc", r.config.GRPC, r.config.MaxConnections)
		if err != nil {
			return err
		}
		r.grpcBound = listener.Addr()
		r.grpcServer = r.newGRPCServer(certificates)
		r.serving.Go(func() {
			if err := r.grpcServer.Serve(listener); err != nil {
				failed(fmt.Errorf("serving OTLP over gRPC: %w", err))
			}
		})
	}
	if r.config.HTTP != "" {
		listener, err := listen.Listen("receive.http", r.config.HTTP, r.config.MaxConnections)
		if err != nil {
			r.Stop(context.Background())
			return err
		}
		r.httpBound = listener.Addr()
		if certificates != nil {
			listener = tls.NewListener(listener, certificates)
		}
		r.httpServer = r.newHTTPServer()
		r.serving.Go(func() {
			if err := r.httpServer.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
				failed(fmt.Errorf("serving OTLP over HTTP: %w", err))
			}
		})
	}
	return nil
}

// Addresses returns where the servers listen, for configurations with port 0.
// It is nil for a server that is off.
func (r *Receiver) Addresses() (grpcAddress, httpAddress net.Addr) { return r.grpcBound, r.httpBound }

// Stop takes no new requests and waits for those under way, until ctx ends;
// then it cuts them off.
func (r *Receiver) Stop(ctx context.Context) {
	var stopping sync.WaitGroup
	if r.grpcServer != nil {
		stopping.Go(func() {
			cut := context.AfterFunc(ctx, r.grpcServer.Stop)
			defer cut()
			r.grpcServer.GracefulStop()
		})
	}
	if r.httpServer != nil {
		stopping.Go(func() {
			if err := r.httpServer.Shutdown(ctx); err != nil {
				r.log.Warn("requests were cut off", "error", err)
				if err := r.httpServer.Close(); err != nil {
					r.log.Warn("closing connections", "error", err)
				}
			}
		})
	}
	stopping.Wait()
	r.serving.Wait()
}

// accept is what both transports do with a decoded logs request.
func (r *Receiver) accept(ctx context.Context, transport string, source ingest.Source, logs plog.Logs) (ingest.Result, error) {
	if n := logs.LogRecordCount(); n > r.config.MaxRecords {
		r.count(ctx, transport, "too_many_records")
		return ingest.Result{}, &tooLarge{fmt.Sprintf("the request has %d records, at most %d are taken: send smaller requests", n, r.config.MaxRecords)}
	}
	result, err := r.line.Accept(ctx, source, logs)
	switch {
	case err != nil:
		r.count(ctx, transport, "retry")
	case result.Rejected > 0:
		r.count(ctx, transport, "partial")
	default:
		r.count(ctx, transport, "ok")
	}
	return result, err
}

func (r *Receiver) count(ctx context.Context, transport, outcome string) {
	r.requests.Add(ctx, 1, metric.WithAttributes(attribute.String("transport", transport), attribute.String("outcome", outcome)))
}

// tooLarge refuses a request for its size.
type tooLarge struct{ problem string }

func (e *tooLarge) Error() string { return e.problem }

// retrySeconds is the pause for refused senders in whole seconds, at least one.
func (r *Receiver) retrySeconds() int { return max(1, int(r.config.RetryAfter/time.Second)) }
