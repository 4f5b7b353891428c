package integration

import (
	"slices"
	"strings"
	"testing"
)

// unsafeAllowed lists the packages whose system calls or foreign libraries need
// unsafe.
func unsafeAllowed() []string {
	return []string{
		"agent/internal/capture",         // the ring that the kernel shares, and hands over by a word in it
		"agent/internal/process/inspect", // netlink messages
		"collector/internal/engine",      // calls into the engine's C library
		"proto/gnomon/v1",                // generated
	}
}

// reflectAllowed lists the packages that work on data of any shape.
func reflectAllowed() []string {
	return []string{
		"agent/internal/capture",         // find the socket of a pcapgo handle
		"collector/internal/inventory",   // field by field differences
		"collector/internal/store",       // rows of statements that it does not know
		"collector/cmd/gnomon-collector", // prints them
		"signatures/compact",             // writes and reads any struct
		"signatures/strictyaml",          // decodes into any struct
		"proto/gnomon/v1",                // generated
	}
}

// rules says for every package what it may import. A new package gets a line
// here, with as little as it needs.
func rules() map[string]rule {
	const (
		connect  = "connectrpc.com/connect"
		otel     = "go.opentelemetry.io/otel"
		pdata    = "go.opentelemetry.io/collector/pdata"
		otlp     = "go.opentelemetry.io/proto/otlp"
		protobuf = "google.golang.org/protobuf"
		sys      = "golang.org/x/sys"
		yaml     = "go.yaml.in/yaml/v3"
	)
	agent := func(names ...string) []string {
		list := make([]string, len(names))
		for i, name := range names {
			list[i] = "agent/internal/" + name
		}
		return list
	}
	collector := func(names ...string) []string {
		list := make([]string, len(names))
		for i, name := range names {
			list[i] = "collector/internal/" + name
		}
		return list
	}
	sensor := []string{"agent/internal/sensor", "signatures", "proto/finding"}
	return map[string]rule{
		// The contract: leaves first.
		"signatures":                      {ours: []string{"signatures/strictyaml", "signatures/compact"}, foreign: []string{"golang.org/x/net/idna"}},
		"signatures/strictyaml":           {foreign: []string{yaml}},
		"signatures/compact":              {},
		"signatures/catalogue":            {ours: []string{"signatures", "signatures/pack"}},
		"signatures/pack":                 {ours: []string{"signatures", "signatures/compact", "signatures/sigtest"}},
		"signatures/cmd/compile":          {ours: []string{"signatures/catalogue"}},
		"signatures/sigtest":              {ours: []string{"signatures"}},
		"proto/finding":                   {},
		"proto/otlpwire":                  {ours: []string{"proto/finding"}, foreign: []string{otlp + "/common", otlp + "/logs", otlp + "/resource", protobuf}},
		"proto/genai":                     {ours: []string{"proto/finding", "signatures"}},
		"proto/gnomon/v1":                 {foreign: []string{protobuf}},
		"proto/gnomon/v1/gnomonv1connect": {ours: []string{"proto/gnomon/v1"}, foreign: []string{connect}},

		// The agent: parsers know nobody, sensors know the contract of sensors.
		"agent/internal/sensor":          {ours: []string{"signatures", "proto/finding"}},
		"agent/internal/capture":         {foreign: []string{"github.com/cilium/ebpf", "github.com/google/gopacket/pcapgo", "golang.org/x/net/bpf", sys}},
		"agent/internal/decode/link":     {ours: agent("capture")},
		"agent/internal/decode/tls":      {},
		"agent/internal/decode/quic":     {},
		"agent/internal/decode/http":     {},
		"agent/internal/decode/http2":    {ours: agent("decode/http")},
		"agent/internal/decode/dns":      {},
		"agent/internal/decode/stream":   {},
		"agent/internal/decode/wiretest": {},
		"agent/internal/network":         {ours: append(agent("capture", "decode/..."), sensor...)},
		"agent/internal/logs":            {ours: append(agent("logs/format", "logs/listen", "logs/tail"), sensor...)},
		"agent/internal/logs/format":     {ours: append(agent("decode/dns"), "signatures")},
		"agent/internal/logs/listen":     {},
		"agent/internal/logs/tail":       {foreign: []string{"github.com/fsnotify/fsnotify"}},
		"agent/internal/modelformat":     {},
		"agent/internal/files":           {ours: append(agent("modelformat"), sensor...), foreign: []string{"github.com/fsnotify/fsnotify", sys}},
		"agent/internal/process/inspect": {ours: []string{"signatures"}, foreign: []string{"github.com/shirou/gopsutil/v3", sys}},
		"agent/internal/process":         {ours: append(agent("process/inspect"), sensor...)},
		"agent/internal/sockettrace":     {foreign: []string{"github.com/cilium/ebpf", sys}},
		"agent/internal/owner":           {ours: append(agent("process/inspect", "sockettrace"), "signatures"), foreign: []string{sys}},
		"agent/internal/application":     {ours: append([]string{"proto/genai"}, sensor...), foreign: []string{"golang.org/x/net/netutil"}},
		"agent/internal/pipeline":        {ours: append([]string{"proto/genai"}, sensor...)},
		"agent/internal/packs":           {ours: []string{"agent/internal/sensor", "signatures", "signatures/pack"}},
		"agent/internal/spool":           {ours: []string{"agent/internal/sensor", "proto/finding"}},
		"agent/internal/outbox":          {ours: append(agent("spool"), "proto/finding", "proto/otlpwire")},
		"agent/internal/heartbeat":       {ours: []string{"agent/internal/sensor", "proto/finding"}},
		"agent/internal/export":          {ours: append(agent("spool", "sensor"), "proto/finding"), foreign: []string{otel, otlp + "/logs", protobuf}},
		"agent/internal/telemetry":       {foreign: []string{otel, otlp + "/common", otlp + "/metrics", otlp + "/resource", otlp + "/trace", protobuf}},
		"agent/internal/identity":        {},
		"agent/internal/config":          {ours: []string{"signatures/strictyaml"}, foreign: []string{yaml}},
		"agent/cmd/gnomon-agent":         {ours: []string{"agent/internal/...", "signatures", "signatures/catalogue", "signatures/pack", "proto/finding"}, foreign: []string{"github.com/spf13/cobra", otel}},

		// The collector: pure packages know nobody, one package knows the
		// database driver, services know what they answer from.
		"collector/internal/listen":    {foreign: []string{"golang.org/x/net/netutil"}},
		"collector/internal/output":    {},
		"collector/internal/telemetry": {foreign: []string{otel, "github.com/prometheus/client_golang"}},
		"collector/internal/engine":    {foreign: []string{"github.com/ebitengine/purego", sys}},
		"collector/internal/store":     {ours: []string{"proto/finding"}, foreign: []string{"github.com/ClickHouse/clickhouse-go/v2"}},
		"collector/internal/inventory": {ours: []string{"signatures/strictyaml"}, foreign: []string{"github.com/gowebpki/jcs", yaml}},
		"collector/internal/state":     {ours: collector("inventory"), foreign: []string{"github.com/gowebpki/jcs", "github.com/pressly/goose/v3", "modernc.org/sqlite"}},
		"collector/internal/reconcile": {ours: collector("inventory")},
		"collector/internal/ingest":    {ours: []string{"proto/finding", "proto/genai", "proto/otlpwire", "signatures"}, foreign: []string{pdata, otel}},
		"collector/internal/receive":   {ours: append(collector("ingest", "listen"), "proto/genai"), foreign: []string{pdata, otel, "google.golang.org/grpc", "google.golang.org/genproto/googleapis/rpc", protobuf}},
		"collector/internal/judge":     {ours: collector("inventory", "reconcile", "state", "store"), foreign: []string{otel}},
		"collector/internal/api":       {ours: append(collector("listen"), "proto/gnomon/v1/gnomonv1connect"), foreign: []string{connect, otel}},
		"collector/internal/query":     {ours: append(collector("reconcile", "store"), "proto/finding", "proto/gnomon/v1"), foreign: []string{connect, protobuf}},
		"collector/internal/declare":   {ours: append(collector("api", "inventory", "reconcile", "state"), "proto/gnomon/v1", "signatures", "signatures/strictyaml"), foreign: []string{connect, protobuf}},
		"collector/internal/survey":    {ours: []string{"signatures"}},
		"collector/internal/config":    {ours: []string{"collector/internal/...", "signatures/strictyaml"}},
		"collector/cmd/gnomon-collector": {
			ours:    []string{"collector/internal/...", "signatures", "signatures/catalogue", "signatures/pack", "signatures/sigtest", "signatures/strictyaml", "proto/gnomon/v1/..."},
			foreign: []string{connect, "github.com/spf13/cobra", protobuf},
		},

		// Outside: what is told by the built binaries.
		"deploy":                 {},
		"integration":            {},
		"integration/benign":     {ours: []string{"signatures"}},
		"integration/clients":    {},
		"integration/daemon":     {},
		"integration/fixture":    {},
		"integration/traffic":    {foreign: []string{"github.com/google/gopacket", "github.com/quic-go/quic-go", "golang.org/x/net/dns/dnsmessage"}},
		"integration/cmd/benign": {ours: []string{"integration/benign", "signatures/sigtest"}},
		"integration/cmd/demo":   {ours: []string{"integration/..."}},

		// Benchmarks run the built binaries, as the peers beside them.
		"integration/bench/live": {
			ours:    []string{"integration/daemon", "proto/otlpwire", "signatures", "signatures/catalogue"},
			foreign: []string{"github.com/quic-go/quic-go"},
		},
		"integration/bench/logs": {foreign: []string{otlp + "/logs", protobuf}},
		"integration/bench/matching": { // a module of its own
			ours:    []string{"signatures", "signatures/catalogue"},
			foreign: []string{"github.com/AdguardTeam/urlfilter"},
		},
		"integration/bench/network":            {foreign: []string{"github.com/google/gopacket", "github.com/quic-go/quic-go"}},
		"integration/bench/attribution":        {ours: []string{"integration/...", "proto/finding", "proto/otlpwire"}},
		"integration/bench/attribution/client": {},
		"integration/bench/profile":            {foreign: []string{protobuf}},
	}
}

// TestNobodyKnowsTooMany holds that only the two mains, and the configuration
// of the collector that is a tree of its packages' own structs, know more than
// four packages of their daemon. A family (decode/tls, decode/dns) is one.
func TestNobodyKnowsTooMany(t *testing.T) {
	excused := []string{"agent/cmd/gnomon-agent", "collector/cmd/gnomon-collector", "collector/internal/config"}
	for folder, files := range readPackages(t) {
		if slices.Contains(excused, folder) {
			continue
		}
		known := map[string]bool{}
		for _, file := range files {
			if file.test {
				continue
			}
			for _, importPath := range imports(file.ast) {
				ours, isOurs := strings.CutPrefix(importPath, module)
				if isOurs && (strings.HasPrefix(ours, "agent/") || strings.HasPrefix(ours, "collector/")) {
					parts := strings.SplitN(ours, "/", 4)
					known[strings.Join(parts[:3], "/")] = true
				}
			}
		}
		if len(known) > 4 {
			t.Errorf("%s knows %d packages, at most 4 are easy to explain: %v", folder, len(known), known)
		}
	}
}
