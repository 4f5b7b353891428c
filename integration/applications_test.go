//go:build linux

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/gnomon-ai/gnomon/integration/daemon"
)

// appSecret is in every attribute that holds content, and must be nowhere else.
const appSecret = "s3cr3t-c0nt3nt"

// application is a program instrumented with the OpenTelemetry SDK.
type application struct {
	t        *testing.T
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// startApplication makes an application that exports to an address.
func startApplication(t *testing.T, address, token string, of ...attribute.KeyValue) *application {
	t.Helper()
	options := []otlptracehttp.Option{otlptracehttp.WithEndpoint(address), otlptracehttp.WithInsecure(), otlptracehttp.WithCompression(otlptracehttp.GzipCompression)}
	if token != "" {
		options = append(options, otlptracehttp.WithHeaders(map[string]string{"Authorization": "Bearer " + token}))
	}
	exporter, err := otlptracehttp.New(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(resource.NewSchemaless(of...)))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return &application{t, provider, provider.Tracer("test")}
}

// call makes n spans of calls of a model, each with content, and exports them.
func (a *application) call(n int, provider, model string, more ...attribute.KeyValue) {
	a.t.Helper()
	for range n {
		_, span := a.tracer.Start(a.t.Context(), "chat "+appSecret)
		span.SetAttributes(attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", provider), attribute.String("gen_ai.request.model", model))
		span.SetAttributes(more...)
		for _, key := range []string{
			"gen_ai.prompt", "gen_ai.completion", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments",
			"gen_ai.tool.call.result", "gen_ai.conversation.id", "input.value", "output.value", "llm.input_messages.0.message.content", "llm.prompts.0.content",
			"traceloop.entity.input", "ai.prompt", "ai.response.text", "mcp.session.id", "user.id", "enduser.id", "session.id",
		} {
			span.SetAttributes(attribute.String(key, appSecret))
		}
		span.SetAttributes(attribute.StringSlice("gen_ai.request.stop_sequences", []string{appSecret}))
		span.AddEvent("gen_ai.user.message", trace.WithAttributes(attribute.String("content", appSecret)))
		span.RecordError(errors.New(appSecret))
		span.End()
	}
	if err := a.provider.ForceFlush(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
}

// sendLogs posts n log records of an application.
func sendLogs(t *testing.T, address, token, provider string, n int) {
	t.Helper()
	logs := plog.NewLogs()
	group := logs.ResourceLogs().AppendEmpty()
	group.Resource().Attributes().PutStr("service.name", "logger")
	group.Resource().Attributes().PutStr("host.name", "web-7")
	for range n {
		r := group.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		r.SetEventName("gen_ai.client.inference.operation.details")
		r.Attributes().PutStr("gen_ai.system", provider)
		r.Attributes().PutStr("gen_ai.input.messages", appSecret)
		r.Body().SetStr(appSecret)
	}
	data, err := plogotlp.NewExportRequestFromLogs(logs).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/logs", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || strings.Contains(string(body), "rejected") {
		t.Fatalf("%d %s", response.StatusCode, body)
	}
}

const applicationInventory = `schema: inventory/v1
defaults: {review_every: 0d}
entries:
  - {id: openai-api, name: OpenAI, kind: api_service, status: approved, match: [{signature: [openai.api]}]}
  - {id: mistral-api, name: Mistral, kind: api_service, status: approved, match: [{signature: [mistral.api]}], scope: {channels: [application]}}
  - {id: cohere-api, name: Cohere, kind: api_service, status: prohibited, match: [{signature: [cohere.api]}]}
`

// TestApplicationsReportThemselves sends spans of a real OpenTelemetry SDK to
// the agent and to the collector, and log records to both: each use comes out
// with a verdict, and no content does.
func TestApplicationsReportThemselves(t *testing.T) {
	c := startCollector(t)
	c.apply(applicationInventory)
	port := freePort(t)
	config := agentConfig(t, c, fmt.Sprintf("network: {enabled: false}\nprocess: {enabled: false}\nfile: {enabled: false}\nheartbeat: {interval: 1s}\napplication: {enabled: true, listen: %q}\n", port))
	agent := startAgent(t, config)
	c.await("the agent to listen", 30*time.Second, func() (bool, error) {
		rows, err := c.rows("coverage", "--sensor", "application")
		return err == nil && len(rows) > 0 && rows[0]["state"] == "on" && rows[0]["reason"] == "listening on "+port, err
	}, agent)

	local := startApplication(t, port, "", attribute.String("service.name", "shop"))
	local.call(700, "openai", "gpt-4o", attribute.String("server.address", "api.openai.com"), attribute.Int("server.port", 443))
	local.call(3, "in-house", "house-1")
	sendLogs(t, port, "", "cohere", 5)
	remote := startApplication(t, c.ports.http, c.token(), attribute.String("service.name", "bot"), attribute.String("host.name", "web-7"))
	for range 6 {
		remote.call(200, "mistral_ai", "mistral-large")
	}
	remote.call(2, "openai", "llama-3", attribute.String("server.address", "llm.corp.example"))
	sendLogs(t, c.ports.http, c.token(), "anthropic", 4)

	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	type use struct {
		asset, host, verdict, reason, process string
		count                                 int
	}
	want := []use{
		{"openai.api", host, "sanctioned", "ok", "integration.test", 700},
		{"unknown:", host, "unsanctioned", "not_in_inventory", "integration.test", 3},
		{"cohere.api", host, "prohibited", "entry_prohibited", "integration.test", 5},
		{"mistral.api", "web-7", "sanctioned", "ok", "bot", 1200},
		{"llm.corp.example", "web-7", "unsanctioned", "not_in_inventory", "bot", 2},
		{"anthropic.api", "web-7", "unsanctioned", "not_in_inventory", "logger", 4},
	}
	c.await("a verdict of each use", time.Minute, func() (bool, error) {
		rows, err := c.rows("verdicts")
		if err != nil || len(rows) != len(want) {
			return false, fmt.Errorf("%d rows: %v, %w", len(rows), rows, errOr(err))
		}
		for _, w := range want {
			found := ""
			for _, row := range rows {
				if strings.HasPrefix(row["asset"].(string), w.asset) && row["host"] == w.host {
					found = fmt.Sprintf("%v %v by %v, %v times", row["verdict"], row["reason"], row["processes"], row["count"])
				}
			}
			if told := fmt.Sprintf("%s %s by [%s], %d times", w.verdict, w.reason, w.process, w.count); found != told {
				return false, fmt.Errorf("%s on %s: %s, want %s", w.asset, w.host, found, told)
			}
		}
		return true, nil
	}, agent)

	rows, err := c.rows("findings", "--sensor", "application")
	if err != nil {
		t.Fatal(err)
	}
	channels := map[string]int{}
	for _, row := range rows {
		if row["sensor"] != "application" {
			t.Errorf("%v", row)
		}
		channels[fmt.Sprint(row["channel"])]++
	}
	if channels["endpoint"] == 0 || channels["application"] == 0 || len(channels) != 2 {
		t.Errorf("channels %v", channels)
	}
	if rows, err = c.rows("usage"); err != nil || len(rows) != len(want) {
		t.Fatalf("%d usages, %v", len(rows), err)
	}
	for _, row := range rows {
		channel := map[bool]string{true: "[endpoint]", false: "[application]"}[row["host"] == host]
		if fmt.Sprint(row["sensors"]) != "[application]" || fmt.Sprint(row["channels"]) != channel {
			t.Errorf("sensors %v, channels %v: %v", row["sensors"], row["channels"], row)
		}
	}
	if n := c.count("SELECT count() FROM gnomon.findings FINAL WHERE asset_key = 'mistral.api'"); n > 2 {
		t.Errorf("1,200 spans are %d rows", n)
	}
	checkNoContent(t, c, agent, filepath.Dir(config))
}

func errOr(err error) error {
	if err == nil {
		return errors.New("not yet")
	}
	return err
}

// checkNoContent looks for the secret in what the daemons keep and log.
func checkNoContent(t *testing.T, c *collector, agent *daemon.Process, agentFolder string) {
	t.Helper()
	for _, table := range []string{"findings", "coverage", "verdicts"} {
		if n := c.count("SELECT count() FROM gnomon." + table + " WHERE position(formatRow('JSONEachRow', *), '" + appSecret + "') > 0"); n != 0 {
			t.Errorf("%d rows of %s hold content", n, table)
		}
	}
	for name, log := range map[string]string{"agent": agent.Log.String(), "collector": c.Log.String()} {
		if strings.Contains(log, appSecret) {
			t.Errorf("the %s logs content", name)
		}
	}
	files := 0
	for _, root := range []string{agentFolder, c.data} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil //nolint:nilerr // files come and go
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return nil //nolint:nilerr // as above
			}
			files++
			if bytes.Contains(data, []byte(appSecret)) {
				t.Errorf("%s holds content", path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 5 {
		t.Errorf("%d files were looked at: the test proves little", files)
	}
}

// TestApplicationsSurviveAKill kills the collector while an application sends:
// what was acknowledged is stored, and what was not is counted once when it
// comes again.
func TestApplicationsSurviveAKill(t *testing.T) {
	c := startCollector(t)
	token, sent := c.token(), 0
	send := func() bool {
		logs := plog.NewLogs()
		group := logs.ResourceLogs().AppendEmpty()
		group.Resource().Attributes().PutStr("service.name", "steady")
		list := group.ScopeLogs().AppendEmpty().LogRecords()
		for range 10 {
			list.AppendEmpty().Attributes().PutStr("gen_ai.system", "openai")
		}
		data, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.ports.http+"/v1/logs", bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/x-protobuf")
		q.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(q)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	lost := 0 // requests without an answer
	for range 2 {
		stop := time.AfterFunc(300*time.Millisecond+moment(300*time.Millisecond), c.Kill)
		for send() {
			sent += 10
		}
		lost += 10
		stop.Stop()
		c.Kill()
		c.start()
	}
	for range 5 {
		if !send() {
			t.Fatal("the collector takes nothing after its restart")
		}
		sent += 10
	}
	stored, err := strconv.Atoi(c.sql("SELECT sum(count) FROM gnomon.findings FINAL WHERE asset_key = 'openai.api'"))
	if err != nil || stored < sent || stored > sent+lost {
		t.Errorf("%d are stored, %d were acknowledged and %d were not: %v", stored, sent, lost, err)
	}
	if n := c.count("SELECT count() FROM gnomon.findings FINAL WHERE asset_key = 'openai.api'"); n < 3 || n > 6 {
		t.Errorf("%d rows, want one a run and window", n)
	}
}
