package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Retryable says that nothing is known to be stored and the same call may
// succeed later: the engine restarts, is full or busy, or the call was
// cancelled.
type Retryable struct {
	Op    string
	Code  int32 // of ClickHouse, 0 where the connection failed
	Cause error
}

// Error implements error.
func (e *Retryable) Error() string { return "store: " + e.Op + ": " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *Retryable) Unwrap() error { return e.Cause }

// Permanent names the rows of a call that can never be stored. Every other row
// of that call is durable.
type Permanent struct {
	Op   string
	Rows []BadRow
}

// BadRow is one row that was not stored.
type BadRow struct {
	Index  int // in the slice of the call
	Reason string
}

// Error implements error.
func (e *Permanent) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "store: %s: %d rows cannot be stored", e.Op, len(e.Rows))
	for i, r := range e.Rows {
		if i == 3 {
			fmt.Fprintf(&b, "; and %d more", len(e.Rows)-i)
			break
		}
		fmt.Fprintf(&b, "; row %d: %s", r.Index, r.Reason)
	}
	return b.String()
}

// retryable wraps what the driver returned.
func retryable(op string, err error) error {
	if err == nil {
		return nil
	}
	r := &Retryable{Op: op, Cause: err}
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		r.Code = exception.Code
	}
	return r
}

// answered says whether the server itself answered with err: the connection
// works and asking again at once is of no use.
func answered(err error) bool {
	var exception *clickhouse.Exception
	return errors.As(err, &exception)
}
