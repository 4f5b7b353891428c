package export

import (
	"context"
	"errors"
	"time"
)

// Poster sends single OTLP requests, without spool and retries: the agent's own
// metrics, and the probe of `doctor`.
type Poster struct{ client *client }

// NewPoster returns a poster to path below config's endpoint. It connects to
// nothing yet.
func NewPoster(config Config, path, userAgent string) (*Poster, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	client, err := newClient(config, path, userAgent)
	if err != nil {
		return nil, err
	}
	return &Poster{client}, nil
}

// Reply is what a receiver answered.
type Reply struct {
	Status     int       // HTTP status, 0 where there was no response
	ServerTime time.Time // the response's Date, zero where it has none
}

// Post sends one encoded request. It is called by one goroutine at a time. An
// error says why the receiver did not take it.
func (p *Poster) Post(ctx context.Context, data []byte) (Reply, error) {
	a, err := p.client.post(ctx, data)
	reply := Reply{a.status, a.serverTime}
	if err == nil && a.verdict != accepted {
		err = errors.New(a.reason)
	}
	return reply, err
}

// Close drops idle connections.
func (p *Poster) Close() { p.client.close() }
