package receive

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // senders may compress
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/types/known/durationpb"
)

func (r *Receiver) newGRPCServer(certificates *tls.Config) *grpc.Server {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(r.config.MaxRequestBytes),
		grpc.MaxConcurrentStreams(256),
		grpc.ConnectionTimeout(20 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 5 * time.Minute, MaxConnectionAge: time.Hour}),
		// The tap runs before the message is read: a stranger's megabytes are
		// not decoded.
		grpc.InTapHandle(r.tap),
		grpc.UnaryInterceptor(r.bound),
		grpc.ForceServerCodecV2(rawCodec{encoding.GetCodecV2("proto")}),
	}
	if certificates != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(certificates)))
	}
	server := grpc.NewServer(options...)
	plogotlp.RegisterGRPCServer(server, &grpcLogs{receiver: r})
	r.registerTraces(server)
	return server
}

// tap lets a request pass that bears a good token.
func (r *Receiver) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	id, err := r.authenticateGRPC(ctx, info.Header)
	return context.WithValue(ctx, sourceKey{}, id), err
}

// bound ends a request that takes too long.
func (r *Receiver) bound(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.RequestTimeout)
	defer cancel()
	return next(ctx, request)
}

func (r *Receiver) authenticateGRPC(ctx context.Context, header metadata.MD) (id string, err error) {
	values := header.Get("authorization")
	if len(values) != 1 {
		r.count(ctx, "grpc", "no_token")
		return "", status.Error(codes.Unauthenticated, errNoToken.Error())
	}
	token, isBearer := bearer(values[0])
	if !isBearer {
		r.count(ctx, "grpc", "no_token")
		return "", status.Error(codes.Unauthenticated, errNoToken.Error())
	}
	id, err = r.authenticate(ctx, token)
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, ErrToken):
		r.count(ctx, "grpc", "bad_token")
		return "", status.Error(codes.Unauthenticated, ErrToken.Error())
	}
	r.count(ctx, "grpc", "retry")
	r.log.Error("cannot check a token", "error", err)
	return "", r.retryStatus(codes.Unavailable, "tokens cannot be checked at the moment")
}

// grpcLogs is the OTLP logs service.
type grpcLogs struct {
	plogotlp.UnimplementedGRPCServer
	receiver *Receiver
}

// Export implements the service.
func (g *grpcLogs) Export(ctx context.Context, request plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	response := plogotlp.NewExportResponse()
	result, err := g.receiver.accept(ctx, "grpc", grpcSource(ctx), request.Logs())
	if err != nil {
		return response, g.receiver.grpcError(err)
	}
	if result.Rejected > 0 {
		response.PartialSuccess().SetRejectedLogRecords(int64(result.Rejected))
		response.PartialSuccess().SetErrorMessage(result.Problem)
	}
	return response, nil
}

// grpcError maps the line's errors to the codes that OTLP calls retryable or
// not (OTLP specification, "Failures").
func (r *Receiver) grpcError(err error) error {
	code, retry := classify(err)
	if !retry {
		return status.Error(code, err.Error())
	}
	return r.retryStatus(code, err.Error())
}

func (r *Receiver) retryStatus(code codes.Code, message string) error {
	s := status.New(code, message)
	detailed, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(r.config.RetryAfter)})
	if err != nil {
		return s.Err()
	}
	return detailed.Err()
}

// bearer takes the token out of an Authorization value (RFC 6750, section 2.1).
func bearer(value string) (token string, ok bool) {
	scheme, token, found := strings.Cut(value, " ")
	token = strings.TrimSpace(token)
	return token, found && strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= 512
}
