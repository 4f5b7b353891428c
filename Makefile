# Gnomon. `make help` lists the targets. Needs Go, make, git, Node.js with npm.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT    ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -buildid= -X main.version=$(VERSION) -X main.commit=$(COMMIT)
GOBUILD   := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
TOOLS     := $(CURDIR)/.build/tools
FUZZTIME  ?= 300s
RUN       ?= .
LINES     ?= 2000000

export GOFLAGS := -mod=readonly

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

.PHONY: build
build: compiled ## build both binaries into bin/
	$(GOBUILD) -o bin/ ./agent/cmd/gnomon-agent ./collector/cmd/gnomon-collector

.PHONY: compiled
compiled: ## compile the embedded signatures into the form that programs read fastest
	@GOOS= GOARCH= go run ./signatures/cmd/compile signatures/catalogue

.PHONY: pack
pack: build ## a signed pack of the embedded signatures, bin/signatures.pack: PACK_VERSION=7 PACK_KEY=key.pem
	@test -n "$(PACK_VERSION)" -a -n "$(PACK_KEY)" || { echo "name the version and the private key: make pack PACK_VERSION=7 PACK_KEY=key.pem" >&2; exit 2; }
	@bin/gnomon-collector pack build --from embedded --version "$(PACK_VERSION)" --created "$$(git log -1 --format=%cI)" --expires 90d -o bin/signatures.pack >/dev/null
	@bin/gnomon-collector pack sign --key "$(PACK_KEY)" bin/signatures.pack

.PHONY: engine
engine: ## fetch the ClickHouse engine of the embedded default (once, about 170 MB)
	@deploy/engine/fetch >/dev/null

.PHONY: run
run: build engine ## start collector and agent on this machine with an example inventory; Ctrl-C stops both
	@deploy/local/run

.PHONY: demo
demo: build engine ## traffic, model files and processes made on the spot, ending in a table of verdicts
	@go run ./integration/cmd/demo

.PHONY: test
test: build engine ## every test, the ones on built binaries and a real engine included
	go vet ./...
	go test -timeout 11m ./...

.PHONY: test-race
test-race: build engine ## the unit tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -timeout 30m ./signatures/... ./proto/... ./agent/... ./collector/...

.PHONY: test-integration
test-integration: build engine ## the tests from outside alone, in full length
	GNOMON_LONG=1 go test -count=1 -timeout 60m -v -run '$(RUN)' ./integration/...

.PHONY: benign
benign: build ## hold the catalogue against 100,000 names that are no AI (needs Firefox): NAMES=FILE adds a list of yours
	@mkdir -p .build
	@peer=$$(cd integration/bench/matching && go mod download -json github.com/AdguardTeam/urlfilter | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p') && \
	go run ./integration/cmd/benign --agent bin/gnomon-agent --keep .build/benign.txt \
		--requests "$$peer/test/requests.json.zip" --names "$$peer/test/hosts" $(addprefix --names ,$(NAMES))

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (default 300s), one after the other
	@.ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## the benchmarks of every package
	go test -run '^$$' -bench '$(RUN)' -benchmem ./signatures/... ./proto/... ./agent/... ./collector/...

.PHONY: bench-matching
bench-matching: compiled ## the index of host rules beside a plain map and urlfilter, at 1,000 to 1,000,000 rules
	cd integration/bench/matching && go run .

.PHONY: bench-network
bench-network: build ## replay beside ndpiReader, tcpdump and packetbeat: CAPTURES=DIR with pcap or pcapng files
	@test -n "$(CAPTURES)" || { echo "name a folder of captures: make bench-network CAPTURES=DIR" >&2; exit 2; }
	.ci/peers
	go run ./integration/bench/network --captures "$(CAPTURES)" --packetbeat .build/peers/packetbeat

.PHONY: profile
profile: ## take anew the profile that the agent is built by: CAPTURES=DIR with pcap or pcapng files
	@test -n "$(CAPTURES)" || { echo "name a folder of captures: make profile CAPTURES=DIR" >&2; exit 2; }
	@mkdir -p .build/bench
	go run ./integration/bench/network --captures "$(CAPTURES)" --mix .build/bench/mixed.pcap
	GNOMON_CAPTURE="$(CURDIR)/.build/bench/mixed.pcap" CGO_ENABLED=0 go test -trimpath -run '^$$' -bench '^BenchmarkReplay$$' -benchtime 4x \
		-o .build/bench/agent.test -cpuprofile .build/bench/cpu.pprof ./agent/cmd/gnomon-agent
	go run ./integration/bench/profile .build/bench/cpu.pprof agent/cmd/gnomon-agent/default.pgo

.PHONY: bench-logs
bench-logs: build ## lines a second of every log format, by the built agent on one core: LINES=2000000
	go run ./integration/bench/logs --lines "$(LINES)"

.PHONY: bench-attribution
bench-attribution: build ## which share of short-lived programs the agent names, by each method (needs root)
	@go run ./integration/bench/attribution

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(TOOLS)/buf ## golangci-lint and buf lint
	$(TOOLS)/golangci-lint run ./...
	cd proto && $(TOOLS)/buf lint

.PHONY: catalogue-check
catalogue-check: ## check the signatures of DIR (default those that ship), in plain words
	@go run ./collector/cmd/gnomon-collector catalogue check "$(or $(DIR),signatures/catalogue)"

.PHONY: breaking
breaking: $(TOOLS)/buf ## hold the contract against the main branch
	cd proto && $(TOOLS)/buf breaking --against '../.git#branch=main,subdir=proto'

.PHONY: generate
generate: $(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-connect-go ## generate Go from proto/
	cd proto && PATH="$(TOOLS):$$PATH" buf generate

.PHONY: bench-live
bench-live: build ## the agent on live traffic between two network namespaces, by kernel filter (needs root and ip)
	@mkdir -p .build
	go build -o .build/bench-live ./integration/bench/live
	.build/bench-live --agent bin/gnomon-agent

.PHONY: dist
dist: compiled ## release archives for linux, darwin and windows into dist/, with checksums
	@.ci/dist "$(VERSION)" '$(LDFLAGS)'

.PHONY: clean
clean: ## remove what the targets above made here (the fetched engine stays in its cache)
	rm -rf bin dist .build .run signatures/catalogue/compiled/*.pack*

$(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-connect-go: .ci/tools/go.mod
	@mkdir -p $(TOOLS)
	cd .ci/tools && go build -o $(TOOLS)/ github.com/bufbuild/buf/cmd/buf google.golang.org/protobuf/cmd/protoc-gen-go connectrpc.com/connect/cmd/protoc-gen-connect-go
	@touch $(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-connect-go

$(TOOLS)/golangci-lint: .ci/lint/go.mod
	@mkdir -p $(TOOLS)
	cd .ci/lint && go build -o $(TOOLS)/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $(TOOLS)/golangci-lint
