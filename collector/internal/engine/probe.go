package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

type dialFunc func(context.Context) (net.Conn, error)

// probeOwner holds when the collector's user gets an answer and the launching
// session's holding query runs, which is when its quota is used up.
func probeOwner(ctx context.Context, dial dialFunc, password string, server bool) error {
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	s, err := login(conn, User, password, remaining(ctx))
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.ping(); err != nil {
		return err
	}
	if server {
		return nil
	}
	// A scalar subquery fails while the query is read, before the first block.
	return s.start("SELECT throwIf((SELECT count() FROM system.processes WHERE user = '' AND query LIKE 'SELECT sleepEachRow(%') = 0)")
}

// strangerQueries are tried as `default` before anybody may use the engine:
// one for each kind of thing a stranger must not do. The first two would pass
// the grants: they show that the quota is used up.
var strangerQueries = [...]string{
	"SELECT number FROM system.numbers LIMIT 1",
	"SYSTEM START LISTEN TCP",
	"SHOW DATABASES",
	"SELECT name FROM system.tables LIMIT 1",
	"SET max_rows_to_read = 1",
	"CREATE TABLE default.gnomon_probe (a UInt8) ENGINE = Memory",
	"SELECT * FROM file('gnomon_probe', 'LineAsString')",
	"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
}

// Codes of the refusals.
const (
	codeQuota  = 201 // QUOTA_EXCEEDED
	codeAccess = 497 // ACCESS_DENIED
	codeLogin  = 516 // AUTHENTICATION_FAILED: a server has no `default`
)

// closingTime is how long the launching session may take to use up the quota
// of default after the engine first answers: its second query, which holds the
// process, starts right after the one that opens the listener.
const closingTime = 5 * time.Second

// probeStranger holds when every one of strangerQueries is refused. A query
// that is still answered is asked again until closingTime is over.
func probeStranger(ctx context.Context, dial dialFunc) error {
	ends := time.Now().Add(closingTime)
	for _, query := range strangerQueries {
		err := ask(ctx, dial, "default", "", query)
		for err == nil && time.Now().Before(ends) && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
			err = ask(ctx, dial, "default", "", query)
		}
		var refusal *ServerError
		if errors.As(err, &refusal) {
			switch refusal.Code {
			case codeQuota, codeAccess, codeLogin:
				continue
			}
		}
		if err == nil {
			return fmt.Errorf("%w: default may run %q", ErrOpenDoor, query)
		}
		return fmt.Errorf("checking that strangers are refused: %w", err)
	}
	return nil
}

// ask runs one query on a connection of its own and returns how it is taken.
func ask(ctx context.Context, dial dialFunc, user, password, query string) error {
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	s, err := login(conn, user, password, remaining(ctx))
	if err != nil {
		return err
	}
	defer s.close()
	return s.start(query)
}

// remaining is the time ctx leaves, 10 seconds where it sets no end.
func remaining(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end)
	}
	return 10 * time.Second
}
