//go:build linux

package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

func TestMigrateTwiceAndOver(t *testing.T) {
	s := open(t) // from empty
	insertFindings(t, s, sample(1))
	for range 2 {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := findingCount(t, s); got != 1 {
		t.Errorf("%d findings after migrating again", got)
	}
	n, err := s.number(t.Context(), "test", "SELECT count() FROM "+s.table("schema_migrations"))
	if err != nil || n != 4 {
		t.Errorf("%d migrations are recorded, %v, want 4", n, err)
	}

	// Several collectors at once.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Migrate(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()

	// A migration whose text is not the one that was applied.
	if err := s.exec(t.Context(), "test", "INSERT INTO "+s.table("schema_migrations")+
		" (version, name, sha256, applied_at) VALUES (1, '0001_findings', 'other', now64(3) + 1)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "0001_findings") {
		t.Errorf("a changed migration: %v", err)
	}
}

// TestSettings: retention and durability follow the configuration both ways.
func TestSettings(t *testing.T) {
	s := open(t)
	create := func() string {
		var text string
		if err := s.conn.QueryRow(t.Context(), "SELECT groupConcat('\n')(create_table_query) FROM system.tables WHERE database = ?",
			s.opt.Database).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	plain := create()
	if strings.Contains(plain, " TTL ") || strings.Contains(plain, "fsync") {
		t.Fatalf("the schema has a retention or fsync of its own:\n%s", plain)
	}
	s.opt.Retention, s.opt.Fsync = 90*24*time.Hour, true
	for range 2 {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := create()
		if a, b := strings.Count(got, " TTL "), strings.Count(got, "fsync_after_insert = 1"); a != 4 || b != 4 {
			t.Errorf("%d tables have a retention and %d fsync, want 4 and 4:\n%s", a, b, got)
		}
	}
	recent := sample(1)
	recent.WindowStart = time.Now().UTC().Truncate(time.Second)
	insertFindings(t, s, identify(recent))
	s.opt.Retention, s.opt.Fsync = 0, false
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := create(); got != plain {
		t.Errorf("not as before:\n%s", got)
	}
}

func TestUnreachableIsRetryable(t *testing.T) {
	opt := options(shared, "unreachable")
	refused := errors.New("refused")
	opt.Dial = func(context.Context, string) (net.Conn, error) { return nil, refused }
	opt.Attempts = 2
	_, err := Open(t.Context(), opt)
	var r *Retryable
	if !errors.As(err, &r) || !errors.Is(err, refused) {
		t.Errorf("%v, want *Retryable", err)
	}

	s := open(t)
	if err := s.exec(t.Context(), "test", "DROP TABLE "+s.table("findings")+" SYNC"); err != nil {
		t.Fatal(err)
	}
	err = s.InsertFindings(t.Context(), samples(0, 1))
	if !errors.As(err, &r) || r.Code != 60 {
		t.Errorf("no table: %v, want *Retryable with code 60", err)
	}
	if s.Reconnects() != 0 {
		t.Error("the server's own refusal was repeated")
	}
}

func TestOptions(t *testing.T) {
	f := func(change func(*Options), want string) {
		t.Helper()
		opt := options(shared, "x")
		change(&opt)
		if _, err := Open(t.Context(), opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(o *Options) { o.Dial = nil }, "dsn")
	f(func(o *Options) { o.Database = "a; DROP DATABASE b" }, "database")
	f(func(o *Options) { o.Replicated = true }, "replicated")
	f(func(o *Options) { o.Attempts = 0 }, "attempts")
	f(func(o *Options) { o.Retention = time.Minute }, "retention")
	f(func(o *Options) { o.Dial, o.DSN = nil, "://" }, "dsn")
}

// TestServerByDSN reaches an engine by address, as a server is.
func TestServerByDSN(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { relay(listener, &wg) })
	t.Cleanup(func() { // after the store is closed
		listener.Close()
		wg.Wait()
	})
	opt := Default()
	opt.DSN = fmt.Sprintf("clickhouse://%s:%s@%s/%s", engine.User, shared.Endpoint().Password, listener.Addr(), database(t))
	opt.Database = "overridden"
	s := openWith(t, opt)
	if s.opt.Database != database(t) {
		t.Errorf("database %q", s.opt.Database)
	}
	insertFindings(t, s, samples(0, 1000)...)
	if got := findingCount(t, s); got != 1000 {
		t.Errorf("%d findings", got)
	}
}

// relay joins TCP connections to the shared engine.
func relay(listener net.Listener, wg *sync.WaitGroup) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := shared.Dial(context.Background(), "")
		if err != nil {
			client.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
			wg.Go(func() {
				defer pair[0].Close()
				defer pair[1].Close()
				buffer := make([]byte, 64<<10)
				for {
					n, err := pair[1].Read(buffer)
					if _, werr := pair[0].Write(buffer[:n]); err != nil || werr != nil {
						return
					}
				}
			})
		}
	}
}

// TestKilledEngineLosesNothing kills the engine again and again while four
// writers insert. Every finding of a call that returned nil is there once.
func TestKilledEngineLosesNothing(t *testing.T) {
	dir := t.TempDir()
	e, err := startEngine(filepath.Join(dir, "engine"))
	if err != nil {
		t.Fatal(err)
	}
	defer stopEngine(e)
	opt := options(e, "gnomon")
	s, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const writers, batch, kills = 4, 200, 5
	var next, refused atomic.Int64
	var mu sync.Mutex
	var acknowledged []finding.Finding
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				from := int(next.Add(batch))
				list := samples(from-batch, from)
				for {
					err := s.InsertFindings(context.Background(), list)
					if err == nil {
						break
					}
					var r *Retryable
					if !errors.As(err, &r) {
						t.Errorf("%v, want *Retryable", err)
						return
					}
					refused.Add(1)
				}
				mu.Lock()
				acknowledged = append(acknowledged, list...)
				mu.Unlock()
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	for range kills {
		before, pid := count(), e.PID()
		eventually(t, "inserts go on", func() bool { return count() > before+4*batch })
		kill(t, e)
		eventually(t, "the engine runs again", func() bool { return e.State() == engine.Ready && e.PID() != pid && e.PID() != 0 })
	}
	before := count()
	eventually(t, "inserts go on after the last kill", func() bool { return count() > before+4*batch })
	close(stop)
	wg.Wait()
	kill(t, e) // and one more after the last acknowledgement
	stored := map[string]int{}
	for _, f := range findings(t, s, FindingFilter{}) {
		stored[f.ID]++
	}
	lost, doubled := 0, 0
	for _, f := range acknowledged {
		switch stored[f.ID] {
		case 0:
			lost++
		case 1:
		default:
			doubled++
		}
	}
	if lost > 0 || doubled > 0 || len(stored) != len(acknowledged) {
		t.Errorf("%d acknowledged, %d stored, %d lost, %d doubled", len(acknowledged), len(stored), lost, doubled)
	}
	if got := e.Restarts(); got < kills {
		t.Errorf("%d restarts, want at least %d", got, kills)
	}
	if s.Reconnects() == 0 {
		t.Error("no attempt was made again over the restarts")
	}
	t.Logf("%d findings acknowledged over %d restarts, %d calls refused, %d attempts again", len(acknowledged), e.Restarts(), refused.Load(), s.Reconnects())
}

// TestStrangersQuotaKey: the quota of `default` counts by user, so a quota key
// of the client's choice gives no fresh one.
func TestStrangersQuotaKey(t *testing.T) {
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{"engine"}, DialContext: shared.Dial, Auth: clickhouse.Auth{Username: "default"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for n := range 5 {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithQuotaKey(fmt.Sprintf("key-%d", n)))
		err := conn.Exec(ctx, "SELECT number FROM system.numbers LIMIT 1")
		var exception *clickhouse.Exception
		if !errors.As(err, &exception) || exception.Code != 201 {
			t.Errorf("quota key %d: %v, want QUOTA_EXCEEDED (201)", n, err)
		}
	}
}
