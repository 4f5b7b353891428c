package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Options say where ClickHouse is. Either DSN, or Dial with User and Password.
type Options struct {
	// DSN of a server or cluster: clickhouse://user:password@h1:9000,h2:9000/gnomon
	DSN string `yaml:"dsn"`
	// Replicated makes the tables ReplicatedMergeTree (a cluster with Keeper).
	Replicated bool `yaml:"replicated"`
	// Database holds the tables. It is made when it does not exist. The DSN's
	// wins.
	Database string `yaml:"database"`
	// Retention of findings, coverage and verdicts; 0 keeps them.
	Retention time.Duration `yaml:"retention"`
	// Fsync makes every insert wait for the disk: what is acknowledged then
	// survives a power cut as well as a kill.
	Fsync bool `yaml:"fsync"`

	MaxConnections int           `yaml:"max_connections"`
	DialTimeout    time.Duration `yaml:"dial_timeout"`
	ReadTimeout    time.Duration `yaml:"read_timeout"` // without a byte from the server
	// Attempts of a call whose connection broke; the server's own refusals are
	// not repeated.
	Attempts int `yaml:"attempts"`

	Dial     func(ctx context.Context, address string) (net.Conn, error) `yaml:"-"`
	User     string                                                      `yaml:"-"`
	Password string                                                      `yaml:"-"`
}

// Default is for one collector; DSN or Dial is left to the caller.
func Default() Options {
	return Options{
		Database: "gnomon", Fsync: true, MaxConnections: 16,
		DialTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, Attempts: 4,
	}
}

var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// Validate reports every value that cannot work.
func (o Options) Validate() error {
	var problems []error
	if (o.DSN == "") == (o.Dial == nil) {
		problems = append(problems, errors.New("dsn: set it, or start the embedded engine"))
	}
	if o.Dial != nil && o.Replicated {
		problems = append(problems, errors.New("replicated: the embedded engine has no replicas"))
	}
	if !databaseName.MatchString(o.Database) {
		problems = append(problems, fmt.Errorf("database: %q is not a name of letters, digits and _", o.Database))
	}
	if o.MaxConnections < 2 || o.Attempts < 1 || o.DialTimeout <= 0 || o.ReadTimeout <= 0 {
		problems = append(problems, errors.New("max_connections must be 2 or more, attempts 1 or more, timeouts more than 0"))
	}
	if o.Retention < 0 || o.Retention != 0 && o.Retention < 24*time.Hour {
		problems = append(problems, errors.New("retention: must be 0 (keep) or at least 24h"))
	}
	return errors.Join(problems...)
}

// Store is a connection pool to ClickHouse. Its methods may be called from any
// goroutine.
type Store struct {
	opt  Options
	conn driver.Conn

	reconnects atomic.Uint64
}

// Open makes the pool and checks that the server answers. The error of an
// unreachable server is a *Retryable.
func Open(ctx context.Context, opt Options) (*Store, error) {
	options := &clickhouse.Options{Addr: []string{"engine"}}
	if opt.DSN != "" {
		parsed, err := clickhouse.ParseDSN(opt.DSN)
		if err != nil {
			return nil, fmt.Errorf("store: reading the dsn: %w", err)
		}
		options = parsed
		options.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
		if name := options.Auth.Database; name != "" && name != "default" {
			opt.Database = name
		}
	} else {
		options.DialContext = opt.Dial
		options.Auth.Username, options.Auth.Password = opt.User, opt.Password
		// Over a local socket compression costs more than it saves.
		options.Compression = &clickhouse.Compression{Method: clickhouse.CompressionNone}
	}
	if err := opt.Validate(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// The own database is named in every statement instead: it may not exist
	// yet, and the embedded engine ends when somebody logs in to a database
	// that does not.
	options.Auth.Database = "system"
	options.MaxOpenConns, options.MaxIdleConns = opt.MaxConnections, opt.MaxConnections
	options.DialTimeout, options.ReadTimeout = opt.DialTimeout, opt.ReadTimeout
	if options.Settings == nil {
		options.Settings = clickhouse.Settings{}
	}
	options.Settings["async_insert"] = 0
	options.Settings["do_not_merge_across_partitions_select_final"] = 1
	options.ClientInfo.Products = append(options.ClientInfo.Products, struct{ Name, Version string }{"gnomon-collector", "1"})
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{opt: opt, conn: conn}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("store: closing: %w", err)
	}
	return nil
}

// Ping asks the server for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "ping", func() error { return s.conn.Ping(ctx) })
}

// Reconnects counts the attempts that were made again because a connection
// broke, e.g. over a restart of the engine.
func (s *Store) Reconnects() uint64 { return s.reconnects.Load() }

// errStop carries an error of the caller through do, which does not repeat it.
type errStop struct{ cause error }

func (e errStop) Error() string { return e.cause.Error() }

// do runs one attempt after the other while connections break. Everything it
// runs may be repeated.
func (s *Store) do(ctx context.Context, op string, attempt func() error) error {
	wait := 20 * time.Millisecond
	for n := 1; ; n++ {
		err := attempt()
		var stop errStop
		switch {
		case err == nil:
			return nil
		case errors.As(err, &stop):
			return stop.cause
		case answered(err), ctx.Err() != nil, n >= s.opt.Attempts:
			return retryable(op, err)
		}
		s.reconnects.Add(1)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return retryable(op, errors.Join(err, ctx.Err()))
		}
		wait *= 4
	}
}

// table is a table's full name.
func (s *Store) table(name string) string { return s.opt.Database + "." + name }

// query streams the rows of a statement; each scans and handles one. An error
// before the first row may be repeated, one after it may not.
func (s *Store) query(ctx context.Context, op, statement string, args []any, each func(driver.Rows) error) error {
	return s.do(ctx, op, func() error {
		rows, err := s.conn.Query(ctx, statement, args...)
		if err != nil {
			return err
		}
		started := false
		for rows.Next() {
			started = true
			if err := each(rows); err != nil {
				return errStop{errors.Join(err, rows.Close())}
			}
		}
		err = errors.Join(rows.Err(), rows.Close())
		if err != nil && started {
			return errStop{retryable(op, err)}
		}
		return err
	})
}

// where collects conditions and their arguments.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

// text adds column = value unless value is empty.
func (w *where) text(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}
