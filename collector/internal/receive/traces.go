package receive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/gnomon-ai/gnomon/collector/internal/ingest"
	"github.com/gnomon-ai/gnomon/proto/genai"
)

// errFault refuses a request whose handling failed.
var errFault = errors.New("the request could not be read")

// malformed refuses a request for what it holds. Its text names no content.
type malformed struct{ problem error }

func (e *malformed) Error() string { return "the body is no OTLP traces request: " + e.problem.Error() }

// acceptTraces is what both transports do with a traces request: the spans that
// say which AI an application uses are taken, and all others answered as if they
// were. data is not decoded as a whole, so that content is not even copied.
func (r *Receiver) acceptTraces(ctx context.Context, transport string, source ingest.Source, data []byte, e genai.Encoding) error {
	batch, err := r.readTraces(data, e)
	var bad *malformed
	switch {
	case errors.Is(err, genai.ErrTooMany):
		r.count(ctx, transport, "too_many_records")
		return &tooLarge{fmt.Sprintf("the request has more than %d spans: send smaller requests", r.config.MaxRecords)}
	case errors.As(err, &bad):
		r.count(ctx, transport, "bad_body")
		return err
	case err != nil:
		r.count(ctx, transport, "fault")
		return err
	}
	if _, err := r.line.AcceptUses(ctx, source, batch); err != nil {
		r.count(ctx, transport, "retry")
		return err
	}
	r.count(ctx, transport, "ok")
	return nil
}

// readTraces keeps a fault in the reading of one request from ending the
// collector.
func (r *Receiver) readTraces(data []byte, e genai.Encoding) (batch genai.Batch, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			r.log.Error("a traces request could not be read", "fault", fault)
			batch, err = genai.Batch{}, errFault
		}
	}()
	batch, err = r.reader.Traces(data, e)
	if err != nil && !errors.Is(err, genai.ErrTooMany) {
		err = &malformed{err}
	}
	return batch, err
}

func (r *Receiver) serveTraces(w http.ResponseWriter, q *http.Request) {
	mediaType, source, ok := r.admit(w, q)
	if !ok {
		return
	}
	body, ok := r.takeBody(w, q, mediaType)
	if !ok {
		return
	}
	e := genai.Protobuf
	if mediaType == typeJSON {
		e = genai.JSON
	}
	ctx, cancel := context.WithTimeout(q.Context(), r.config.RequestTimeout)
	defer cancel()
	if err := r.acceptTraces(ctx, "http", source, body, e); err != nil {
		code, retry := classify(err)
		r.answerError(w, q, mediaType, httpStatus(err, code, retry), code, err.Error())
		return
	}
	var response []byte // an empty message
	if mediaType == typeJSON {
		response = []byte("{}")
	}
	r.write(w, mediaType, http.StatusOK, response)
}

// rawMessage is a message that is left as it came.
type rawMessage []byte

// rawCodec leaves messages alone whose server asks for it, and hands all others
// to the codec that the libraries have put in place.
type rawCodec struct{ encoding.CodecV2 }

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, isRaw := v.(*rawMessage); isRaw {
		return mem.BufferSlice{mem.SliceBuffer(*raw)}, nil
	}
	return c.CodecV2.Marshal(v)
}

func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if raw, isRaw := v.(*rawMessage); isRaw {
		*raw = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// registerTraces adds the OTLP traces service
// (opentelemetry/proto/collector/trace/v1/trace_service.proto).
func (r *Receiver) registerTraces(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "opentelemetry.proto.collector.trace.v1.TraceService",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Export", Handler: r.exportTraces}},
		Metadata:    "opentelemetry/proto/collector/trace/v1/trace_service.proto",
	}, r)
}

// exportTraces is the handler of TraceService.Export.
func (r *Receiver) exportTraces(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	request := &rawMessage{}
	if err := decode(request); err != nil {
		return nil, err
	}
	handle := func(ctx context.Context, request any) (any, error) {
		raw, isRaw := request.(*rawMessage)
		if !isRaw {
			return nil, status.Error(codes.Internal, errFault.Error())
		}
		if err := r.acceptTraces(ctx, "grpc", grpcSource(ctx), *raw, genai.Protobuf); err != nil {
			return nil, r.grpcError(err)
		}
		return &rawMessage{}, nil
	}
	info := &grpc.UnaryServerInfo{Server: server, FullMethod: "/opentelemetry.proto.collector.trace.v1.TraceService/Export"}
	return intercept(ctx, request, info, handle)
}

// sourceKey is where the tap leaves the id of the token.
type sourceKey struct{}

// grpcSource is who sent the request of ctx.
func grpcSource(ctx context.Context) ingest.Source {
	id, _ := ctx.Value(sourceKey{}).(string)
	source := ingest.Source{ID: id}
	if p, known := peer.FromContext(ctx); known {
		source.Address = hostOf(p.Addr.String())
	}
	return source
}

// hostOf is an address without its port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return host
}
