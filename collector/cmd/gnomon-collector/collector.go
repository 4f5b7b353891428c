package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/api"
	"github.com/gnomon-ai/gnomon/collector/internal/config"
	"github.com/gnomon-ai/gnomon/collector/internal/declare"
	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/collector/internal/ingest"
	"github.com/gnomon-ai/gnomon/collector/internal/judge"
	"github.com/gnomon-ai/gnomon/collector/internal/query"
	"github.com/gnomon-ai/gnomon/collector/internal/receive"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
	"github.com/gnomon-ai/gnomon/collector/internal/telemetry"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

// collector is every part of the daemon, wired by hand.
type collector struct {
	config config.Config
	log    *slog.Logger
	fail   func(error)

	telemetry *telemetry.Telemetry
	state     *state.State
	engine    *engine.Engine
	store     *store.Store
	catalogue *signatures.Set
	line      *ingest.Line
	judge     *judge.Judge
	api       *api.Server
	receiver  *receive.Receiver

	// stops undoes what start did, in the order of starting.
	stops []func(context.Context) error
}

// start starts the parts, downstream first. After an error the caller stops
// what was started.
func (c *collector) start(ctx context.Context) error {
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"data folder", c.prepareDataDir},
		{"telemetry", c.startTelemetry},
		{"state database", c.openState},
		{"engine", c.startEngine},
		{"store", c.openStore},
		{"catalogue", c.loadCatalogue},
		{"ingest line", c.startLine},
		{"judge", c.startJudge},
		{"tokens", c.writeTokens},
		{"API", c.startAPI},
		{"OTLP receiver", c.startReceiver},
		{"endpoint file", c.writeEndpoint},
	}
	for _, step := range steps {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// stop undoes start, upstream first, and goes on past errors.
func (c *collector) stop(ctx context.Context) error {
	var problems []error
	for _, undo := range slices.Backward(c.stops) {
		problems = append(problems, undo(ctx))
	}
	return errors.Join(problems...)
}

func (c *collector) onStop(undo func(context.Context) error) { c.stops = append(c.stops, undo) }

// inBackground runs a part until the stop that it belongs to.
func (c *collector) inBackground(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := run(ctx); err != nil {
			c.fail(fmt.Errorf("%s: %w", name, err))
		}
	}()
	c.onStop(func(context.Context) error {
		cancel()
		<-ended
		return nil
	})
}

func (c *collector) prepareDataDir(context.Context) error {
	if err := os.MkdirAll(c.config.DataDir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", c.config.DataDir, err)
	}
	info, err := os.Stat(c.config.DataDir)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", c.config.DataDir, err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	// What lies in it is private, whatever an earlier mkdir left. A folder that
	// is others' too (/tmp, a home) must not be taken from them.
	files, err := os.ReadDir(c.config.DataDir)
	if err != nil {
		return fmt.Errorf("reading %s: %w", c.config.DataDir, err)
	}
	own := func(f os.DirEntry) bool { return f.Name() == filepath.Base(stateFile("")) }
	foreign := func(f os.DirEntry) bool { return f.Name() != "lost+found" }
	if slices.ContainsFunc(files, foreign) && !slices.ContainsFunc(files, own) {
		return fmt.Errorf("%s is open to other users and holds files that are not a collector's: name a folder for it alone with data_dir", c.config.DataDir)
	}
	if err := os.Chmod(c.config.DataDir, 0o700); err != nil {
		return fmt.Errorf("making %s private: %w", c.config.DataDir, err)
	}
	return nil
}

func (c *collector) startTelemetry(ctx context.Context) (err error) {
	c.telemetry, err = telemetry.New(ctx, c.config.Telemetry, version)
	if err != nil {
		return err
	}
	c.onStop(c.telemetry.Shutdown)
	return nil
}

func stateFile(dataDir string) string { return filepath.Join(dataDir, "state.db") }

func (c *collector) openState(ctx context.Context) (err error) {
	c.state, err = state.Open(ctx, stateFile(c.config.DataDir))
	if err != nil {
		return err
	}
	c.onStop(func(context.Context) error { return c.state.Close() })
	return c.state.Migrate(ctx)
}

func (c *collector) startEngine(ctx context.Context) error {
	if c.config.ClickHouse != "" {
		return nil
	}
	settings := c.config.Engine
	settings.Notify = func(s engine.State) { c.log.Info("embedded engine", "state", string(s)) }
	c.engine = engine.New(settings, c.log)
	c.onStop(c.engine.Stop)
	return c.engine.Start(ctx)
}

func storeOptions(cfg config.Config, endpoint engine.Endpoint) store.Options {
	options := store.Default()
	if cfg.ClickHouse != "" {
		options.DSN = cfg.ClickHouse
		return options
	}
	options.Dial, options.User, options.Password = endpoint.Dial, endpoint.User, endpoint.Password
	return options
}

func (c *collector) openStore(ctx context.Context) (err error) {
	var endpoint engine.Endpoint
	if c.engine != nil {
		endpoint = c.engine.Endpoint()
	}
	c.store, err = store.Open(ctx, storeOptions(c.config, endpoint))
	if err != nil {
		return err
	}
	c.onStop(func(context.Context) error { return c.store.Close() })
	return c.store.Migrate(ctx)
}

func (c *collector) loadCatalogue(context.Context) (err error) {
	c.catalogue, err = catalogue.Compile()
	return err
}

func (c *collector) startLine(context.Context) (err error) {
	permanent := func(err error) bool {
		var p *store.Permanent
		return errors.As(err, &p)
	}
	c.line, err = ingest.New(c.config.Ingest, c.store, c.catalogue, permanent, c.telemetry.Meter(), c.log)
	if err != nil {
		return err
	}
	c.inBackground("ingest line", c.line.Run)
	return nil
}

func (c *collector) startJudge(context.Context) (err error) {
	c.judge, err = judge.New(c.config.Judge, c.store, c.state, c.telemetry.Meter(), c.telemetry.Tracer(), c.log)
	if err != nil {
		return err
	}
	c.inBackground("judge", c.judge.Run)
	return nil
}

func (c *collector) startAPI(context.Context) (err error) {
	findings := query.NewFindings(c.store)
	services := api.Services{
		Findings:  findings,
		Usage:     findings,
		Verdicts:  query.NewVerdicts(c.store, c.config.Judge.Verdicts.HeadlineOrder),
		Inventory: declare.NewInventory(c.state, c.config.Judge.Verdicts, c.catalogue, c.judge.Nudge),
		Metrics:   c.telemetry.Handler(),
		Ready:     c.store.Ping,
	}
	c.api, err = api.New(c.config.API, services, c.authenticateCaller, c.telemetry.Meter(), c.log)
	if err != nil {
		return err
	}
	if err := c.api.Start(c.fail); err != nil {
		return err
	}
	c.onStop(func(ctx context.Context) error { c.api.Stop(ctx); return nil })
	return nil
}

func (c *collector) startReceiver(context.Context) (err error) {
	c.receiver, err = receive.New(c.config.Receive, c.line, c.authenticateAgent, c.telemetry.Meter(), c.log)
	if err != nil {
		return err
	}
	if err := c.receiver.Start(c.fail); err != nil {
		return err
	}
	c.onStop(func(ctx context.Context) error { c.receiver.Stop(ctx); return nil })
	return nil
}

// tokenRefused holds for tokens that are refused for good, whatever the reason.
func tokenRefused(err error) bool {
	return errors.Is(err, state.ErrTokenUnknown) || errors.Is(err, state.ErrTokenExpired) || errors.Is(err, state.ErrTokenRevoked)
}

func (c *collector) authenticateAgent(ctx context.Context, token string) (string, error) {
	known, err := c.state.VerifyToken(ctx, token, time.Now())
	switch {
	case tokenRefused(err), err == nil && known.Role != state.RoleAgent:
		return "", receive.ErrToken
	}
	return known.ID, err
}

func (c *collector) authenticateCaller(ctx context.Context, token string) (api.Principal, error) {
	known, err := c.state.VerifyToken(ctx, token, time.Now())
	switch {
	case tokenRefused(err), err == nil && known.Role == state.RoleAgent:
		return api.Principal{}, api.ErrToken
	case err != nil:
		return api.Principal{}, err
	}
	return api.Principal{Name: known.Name, Role: api.Role(known.Role)}, nil
}

func address(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
