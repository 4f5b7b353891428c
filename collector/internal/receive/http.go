package receive

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gnomon-ai/gnomon/collector/internal/ingest"
)

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

func (r *Receiver) newHTTPServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/logs", r.serveLogs)
	mux.HandleFunc("POST /v1/traces", r.serveTraces)
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, q *http.Request) {
		r.answerError(w, q, typeProtobuf, http.StatusNotFound, codes.Unimplemented, "this collector takes logs and traces alone")
	})
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       r.config.RequestTimeout,
		WriteTimeout:      2 * r.config.RequestTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}

func (r *Receiver) serveLogs(w http.ResponseWriter, q *http.Request) {
	mediaType, source, ok := r.admit(w, q)
	if !ok {
		return
	}
	request, ok := r.readRequest(w, q, mediaType)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(q.Context(), r.config.RequestTimeout)
	defer cancel()
	result, err := r.accept(ctx, "http", source, request.Logs())
	if err != nil {
		code, retry := classify(err)
		r.answerError(w, q, mediaType, httpStatus(err, code, retry), code, err.Error())
		return
	}
	r.answerOK(w, mediaType, result)
}

// admit checks type and token of a request before anything of its body is read.
func (r *Receiver) admit(w http.ResponseWriter, q *http.Request) (mediaType string, source ingest.Source, ok bool) {
	mediaType, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil || (mediaType != typeProtobuf && mediaType != typeJSON) {
		r.count(q.Context(), "http", "bad_type")
		r.answerError(w, q, typeProtobuf, http.StatusUnsupportedMediaType, codes.InvalidArgument,
			"the content type must be "+typeProtobuf+" or "+typeJSON)
		return "", source, false
	}
	source.Address = hostOf(q.RemoteAddr)
	source.ID, ok = r.authenticateHTTP(w, q, mediaType)
	return mediaType, source, ok
}

func (r *Receiver) authenticateHTTP(w http.ResponseWriter, q *http.Request, mediaType string) (id string, ok bool) {
	token, isBearer := bearer(q.Header.Get("Authorization"))
	if !isBearer {
		r.count(q.Context(), "http", "no_token")
		r.answerError(w, q, mediaType, http.StatusUnauthorized, codes.Unauthenticated, errNoToken.Error())
		return "", false
	}
	id, err := r.authenticate(q.Context(), token)
	switch {
	case err == nil:
		return id, true
	case errors.Is(err, ErrToken):
		r.count(q.Context(), "http", "bad_token")
		r.answerError(w, q, mediaType, http.StatusUnauthorized, codes.Unauthenticated, ErrToken.Error())
	default:
		r.count(q.Context(), "http", "retry")
		r.log.Error("cannot check a token", "error", err)
		r.answerError(w, q, mediaType, http.StatusServiceUnavailable, codes.Unavailable, "tokens cannot be checked at the moment")
	}
	return "", false
}

// takeBody reads the body, never more of it than is allowed.
func (r *Receiver) takeBody(w http.ResponseWriter, q *http.Request, mediaType string) ([]byte, bool) {
	body, err := r.readBody(q)
	if err == nil {
		return body, true
	}
	status, outcome := http.StatusBadRequest, "bad_body"
	var large *tooLarge
	if errors.As(err, &large) {
		status, outcome = http.StatusRequestEntityTooLarge, "too_large"
	}
	r.count(q.Context(), "http", outcome)
	r.answerError(w, q, mediaType, status, codes.InvalidArgument, err.Error())
	return nil, false
}

// readRequest reads and decodes a logs request.
func (r *Receiver) readRequest(w http.ResponseWriter, q *http.Request, mediaType string) (plogotlp.ExportRequest, bool) {
	request := plogotlp.NewExportRequest()
	body, ok := r.takeBody(w, q, mediaType)
	if !ok {
		return request, false
	}
	decode := request.UnmarshalProto
	if mediaType == typeJSON {
		decode = request.UnmarshalJSON
	}
	if err := decode(body); err != nil {
		r.count(q.Context(), "http", "bad_body")
		r.answerError(w, q, mediaType, http.StatusBadRequest, codes.InvalidArgument, fmt.Sprintf("the body is no OTLP logs request: %v", err))
		return request, false
	}
	return request, true
}

func (r *Receiver) readBody(q *http.Request) ([]byte, error) {
	limit := int64(r.config.MaxRequestBytes)
	body := io.Reader(http.MaxBytesReader(nil, q.Body, limit))
	switch encoding := q.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
		body = unzipped
	default:
		return nil, fmt.Errorf("content encoding %q is not known: use gzip or none", encoding)
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	var beyond *http.MaxBytesError
	switch {
	case int64(len(data)) > limit || errors.As(err, &beyond):
		return nil, &tooLarge{fmt.Sprintf("the request is larger than %d bytes: send smaller requests", limit)}
	case err != nil:
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	return data, nil
}

func (r *Receiver) answerOK(w http.ResponseWriter, mediaType string, result ingest.Result) {
	response := plogotlp.NewExportResponse()
	if result.Rejected > 0 {
		response.PartialSuccess().SetRejectedLogRecords(int64(result.Rejected))
		response.PartialSuccess().SetErrorMessage(result.Problem)
	}
	marshal := response.MarshalProto
	if mediaType == typeJSON {
		marshal = response.MarshalJSON
	}
	data, err := marshal()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.write(w, mediaType, http.StatusOK, data)
}

// answerError writes a google.rpc.Status, as OTLP asks for.
func (r *Receiver) answerError(w http.ResponseWriter, q *http.Request, mediaType string, httpStatus int, code codes.Code, message string) {
	if httpStatus == http.StatusTooManyRequests || httpStatus == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(r.retrySeconds()))
	}
	if httpStatus == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	status := &spb.Status{Code: int32(code), Message: message}
	marshal := proto.Marshal
	if mediaType == typeJSON {
		marshal = protojson.Marshal
	}
	data, err := marshal(status)
	if err != nil {
		r.log.ErrorContext(q.Context(), "encoding an answer", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	r.write(w, mediaType, httpStatus, data)
}

func (r *Receiver) write(w http.ResponseWriter, mediaType string, httpStatus int, data []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(httpStatus)
	if _, err := w.Write(data); err != nil {
		r.log.Debug("the sender left before its answer", "error", err)
	}
}

// classify maps the errors of accept to a gRPC code, and says whether the
// sender is to repeat the request.
func classify(err error) (code codes.Code, retry bool) {
	var large *tooLarge
	var bad *malformed
	switch {
	case errors.As(err, &large), errors.As(err, &bad):
		return codes.InvalidArgument, false
	case errors.Is(err, errFault):
		return codes.Internal, false
	case errors.Is(err, ingest.ErrOverloaded):
		return codes.ResourceExhausted, true
	}
	return codes.Unavailable, true
}

func httpStatus(err error, code codes.Code, retry bool) int {
	var bad *malformed
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest
	case code == codes.Internal:
		return http.StatusInternalServerError
	case code == codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case retry:
		return http.StatusServiceUnavailable
	}
	return http.StatusRequestEntityTooLarge
}
