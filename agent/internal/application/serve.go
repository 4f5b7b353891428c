package application

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/genai"
)

// The paths of OTLP/HTTP.
const (
	tracesPath  = "/v1/traces"
	logsPath    = "/v1/logs"
	metricsPath = "/v1/metrics"
)

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// How far the time of a use may lie from now: senders keep spans for minutes
// while they cannot send them.
const (
	oldest = 24 * time.Hour
	newest = time.Minute
)

// handler answers requests.
type handler struct {
	*Sensor
	emit    sensor.Emit
	token   string     // "" asks for none
	forward *forwarder // nil passes nothing on
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+tracesPath, h.guarded(h.serve))
	mux.HandleFunc("POST "+logsPath, h.guarded(h.serve))
	if h.forward != nil { // an application has one endpoint for all that it sends
		mux.HandleFunc("POST "+metricsPath, h.guarded(h.serve))
	}
	return mux
}

// guarded turns a fault in the handling of one request into a refusal of it.
func (h *handler) guarded(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		h.counters.requests.Add(1)
		defer func() {
			if fault := recover(); fault != nil {
				if h.counters.panics.Add(1) == 1 {
					h.log.Error("a request of an application was dropped because its handling failed; further ones are only counted", "fault", fault)
				}
				http.Error(w, "the request could not be handled", http.StatusInternalServerError)
			}
		}()
		serve(w, q)
	}
}

// refusal is why a request is not taken.
type refusal struct {
	status  int
	problem string
}

// serve takes one request, top to bottom: may it, is it its turn, read, look
// into it, pass it on, hand over, answer.
func (h *handler) serve(w http.ResponseWriter, q *http.Request) {
	if h.token != "" && !isToken(q.Header.Get("Authorization"), h.token) {
		h.counters.denied.Add(1)
		w.Header().Set("WWW-Authenticate", "Bearer")
		h.refuse(w, q, &refusal{http.StatusUnauthorized, "the request has no valid bearer token: set the Authorization header to what the agent's application.token_file holds"})
		return
	}
	if !h.takeTurn(q.Context()) {
		h.counters.busy.Add(1)
		h.refuse(w, q, &refusal{http.StatusTooManyRequests, "too many requests at a time: send it again later"})
		return
	}
	defer func() { <-h.turns }()
	sent, problem := h.read(q)
	if problem != nil {
		h.refuse(w, q, problem)
		return
	}
	batch, problem := h.look(q, sent)
	if h.forward != nil {
		h.passOn(w, q, sent, batch)
		return
	}
	if problem != nil {
		h.refuse(w, q, problem)
		return
	}
	h.handOver(q, batch)
	h.answer(w, q, http.StatusOK, nil)
}

// takeTurn waits until the request may be worked on, but not for long.
func (h *handler) takeTurn(ctx context.Context) bool {
	select {
	case h.turns <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(h.config.Wait)
	defer timer.Stop()
	select {
	case h.turns <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// read returns the body as it was sent.
func (h *handler) read(q *http.Request) ([]byte, *refusal) {
	limit := h.config.MaxRequestBytes
	data, err := io.ReadAll(io.LimitReader(q.Body, int64(limit)+1))
	switch {
	case len(data) > limit:
		h.counters.tooLarge.Add(1)
		return nil, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is larger than %d bytes: send smaller requests", limit)}
	case err != nil:
		h.counters.malformed.Add(1)
		return nil, &refusal{http.StatusBadRequest, "the body cannot be read to its end"}
	}
	return data, nil
}

// look reads what a request says; nothing of metrics. A request that it refuses
// is still passed on, where requests are: its endpoint may know better.
func (h *handler) look(q *http.Request, sent []byte) (genai.Batch, *refusal) {
	if q.URL.Path == metricsPath {
		return genai.Batch{}, nil
	}
	encoding := genai.Protobuf
	mediaType, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	switch {
	case err == nil && mediaType == typeProtobuf:
	case err == nil && mediaType == typeJSON:
		encoding = genai.JSON
	default:
		h.counters.badType.Add(1)
		return genai.Batch{}, &refusal{http.StatusUnsupportedMediaType, "the content type must be " + typeProtobuf + " or " + typeJSON}
	}
	data, problem := h.unzip(q.Header.Get("Content-Encoding"), sent)
	if problem != nil {
		return genai.Batch{}, problem
	}
	read := h.reader.Traces
	if q.URL.Path == logsPath {
		read = h.reader.Logs
	}
	batch, err := read(data, encoding)
	switch {
	case errors.Is(err, genai.ErrTooMany):
		h.counters.tooLarge.Add(1)
		return batch, &refusal{http.StatusRequestEntityTooLarge, err.Error()}
	case err != nil:
		h.counters.malformed.Add(1)
		return batch, &refusal{http.StatusBadRequest, err.Error()}
	}
	return batch, nil
}

func (h *handler) unzip(encoding string, sent []byte) ([]byte, *refusal) {
	switch encoding {
	case "", "identity":
		return sent, nil
	case "gzip":
	default:
		h.counters.badType.Add(1)
		return nil, &refusal{http.StatusUnsupportedMediaType, "the content encoding must be gzip or none"}
	}
	zipped, err := gzip.NewReader(bytes.NewReader(sent))
	if err != nil {
		h.counters.malformed.Add(1)
		return nil, &refusal{http.StatusBadRequest, "the body is not gzip"}
	}
	limit := h.config.MaxRequestBytes
	data, err := io.ReadAll(io.LimitReader(zipped, int64(limit)+1))
	switch {
	case len(data) > limit:
		h.counters.tooLarge.Add(1)
		return nil, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is larger than %d bytes when unzipped: send smaller requests", limit)}
	case err != nil:
		h.counters.malformed.Add(1)
		return nil, &refusal{http.StatusBadRequest, "the gzip stream is damaged"}
	}
	return data, nil
}

// handOver emits what a request says.
func (h *handler) handOver(q *http.Request, batch genai.Batch) {
	h.counters.taken.Add(1)
	if q.URL.Path == metricsPath {
		return
	}
	h.counters.note(q.URL.Path, batch.Stats)
	local, _ := q.Context().Value(http.LocalAddrContextKey).(net.Addr)
	from, now := flow(q.RemoteAddr, local), time.Now()
	for i := range batch.Uses {
		use := &batch.Uses[i]
		if use.Settle(now, oldest, newest) {
			h.counters.oddTimes.Add(1)
		}
		o := use.Observation()
		o.Flow = from
		h.emit(o)
	}
}

// refuse answers with a google.rpc.Status, as OTLP asks for.
func (h *handler) refuse(w http.ResponseWriter, q *http.Request, r *refusal) {
	if r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(h.config.RetryAfter/time.Second))))
	}
	h.answer(w, q, r.status, r)
}

// answer writes an empty export response, or the status that refuses.
func (h *handler) answer(w http.ResponseWriter, q *http.Request, status int, r *refusal) {
	mediaType, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	var body []byte
	if mediaType == typeJSON {
		body = []byte("{}")
		if r != nil {
			text, err := json.Marshal(map[string]string{"message": r.problem})
			if err == nil { // texts always marshal
				body = text
			}
		}
	} else {
		mediaType = typeProtobuf
		if r != nil { // field 2 of google.rpc.Status: message
			body = append(binary.AppendUvarint([]byte{2<<3 | 2}, uint64(len(r.problem))), r.problem...)
		}
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a sender that left gets no answer
}
