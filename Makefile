# What CI runs is what you run: .ci/run calls these targets and nothing else.

GO            ?= go
FUZZTIME      ?= 10s
BENCH         ?= .
ARGS          ?= --once
TERRAFORM     ?= 1
SIM           ?= 10000
CHAOS         ?=
TESTFLAGS     ?=
LINT_VERSION  := 2.15.0
MOTO_VERSION  := 5.2.1
PEERS         := $(CURDIR)/.peers
IMAGE         ?= isobar:dev

# One build flavour for tests, vet, lint and the programs that tests start, so
# that the large SDKs compile once. Benchmarks and the image have another.
export GOFLAGS := -race -buildvcs=false
export GORACE  := atexit_sleep_ms=0
# A fresh clone needs nothing of a home directory.
export HOME    := $(or $(HOME),$(CURDIR)/.cache/home)
export PATH    := $(PEERS)/bin:$(PEERS)/moto/bin:$(PATH):$(shell $(GO) env GOPATH)/bin
PLAIN         := GOFLAGS=-buildvcs=false
BENCHED       := ./cmd/isobar ./engine/ledger ./engine/plan ./engine/view ./engine/cycle ./engine/spec ./engine/policy

.DEFAULT_GOAL := all
.PHONY: all build binary vet test race fuzz lint golangci gen gen-check bench sim crash chaos cover demo image vuln help peers clean

all: lint test ## build, lint and test (the default)

build: ## compile everything, in the flavour of the tests
	$(GO) build ./...

binary: ## bin/isobar as it is shipped: static, without the race detector
	$(PLAIN) CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/isobar ./cmd/isobar

vet: ## go vet
	$(GO) vet ./...

test: peers ## all tests, against the real peers, under the race detector
	$(GO) test -timeout 75m $(TESTFLAGS) ./...

race: test ## the same as test: there is one flavour

fuzz: ## every fuzz target for FUZZTIME (10s), one after another
	@set -e; for pkg in $$($(GO) list ./...); do \
		dir=$$($(GO) list -f '{{.Dir}}' $$pkg); \
		for f in $$(grep -hos '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-); do \
			echo "== $$pkg $$f"; \
			$(GO) test -run='^$$' -fuzz="^$$f\$$" -fuzztime=$(FUZZTIME) $$pkg; \
		done; \
	done

lint: build vet golangci ## build and vet, then golangci-lint
	golangci-lint run ./...

golangci: # install golangci-lint unless the right one is on PATH
	@if ! golangci-lint version 2>/dev/null | grep -q 'version v\?$(LINT_VERSION) '; then \
		echo "installing golangci-lint v$(LINT_VERSION) into .peers/bin (two minutes)"; \
		$(PLAIN) GOBIN=$(PEERS)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION); \
	fi

gen: ## write schemas/descriptors.json and the generated pages of docs/reference
	$(GO) run ./cmd/gen
	$(GO) run ./cmd/isobar docs docs/reference/cli.md

gen-check: gen ## fail when what is generated differs from what is committed
	@test -z "$$(git status --porcelain -- schemas/descriptors.json docs/reference)" || { \
		git diff -- schemas/descriptors.json docs/reference; git status --short -- docs/reference; \
		echo "what is generated is out of date: run make gen and commit it"; exit 1; }

bench: peers ## benchmarks, in Go's format: the drift check beside Terraform where it is on PATH, then the packages
	$(PLAIN) $(GO) test -run='^$$' -bench='$(BENCH)' -benchmem $(BENCHED)

crash: peers ## kill -9 at every request of a hybrid apply, then of terraform's where it is on PATH (20 minutes); TERRAFORM=3: each 3rd of its requests
	$(PLAIN) $(GO) test -count=1 -timeout 60m -run='^TestCrash$$' -v ./cmd/isobar -crash -crash.terraform=$(TERRAFORM)

chaos: peers ## two daemons on one PostgreSQL, killed, stopped and cut off while commits come in (15 minutes); CHAOS="-chaos.seed=N": that schedule again
	$(PLAIN) $(GO) test -count=1 -timeout 60m -run='^TestChaos$$' -v ./cmd/isobar -chaos.time=3m -chaos.envs=50 $(CHAOS)

sim: ## 10,000 simulated worlds, in which all that may go wrong does (5 minutes); SIM=N: so many
	@mkdir -p .cache
	$(PLAIN) $(GO) test -c -o .cache/sim.test ./engine/reconcile
	@cd engine/reconcile && rm -f ../../.cache/sim.txt && \
		../../.cache/sim.test -test.run='^TestSim$$' -test.timeout=30m -sim.worlds=$(SIM) -sim.sum=../../.cache/sim.txt > ../../.cache/sim.log || { \
			cat ../../.cache/sim.log; cat ../../.cache/sim.txt; exit 1; }
	@cat .cache/sim.txt

cover: peers ## coverage of all tests, by function, in .cache/cover.txt
	@mkdir -p .cache
	$(GO) test -timeout 30m -coverprofile=.cache/cover.out ./...
	$(GO) tool cover -func=.cache/cover.out > .cache/cover.txt
	@tail -1 .cache/cover.txt

demo: peers ## the whole story on real peers; ARGS= keeps it running afterwards
	$(GO) run ./cmd/demo $(ARGS)

image: ## container image: static, non-root
	docker build -t $(IMAGE) .

vuln: ## known vulnerabilities in what is reachable (asks Go's database)
	$(PLAIN) $(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

# Each peer is found or installed; where it may not be, the one command to type
# is printed. Nothing is skipped for want of a peer.
peers: ## check or install what the tests talk to
	@need=$$(sed -n 's/^go //p' go.mod); have=$$($(GO) env GOVERSION | sed 's/^go//; s/[^0-9.].*//'); \
	if [ "$$(printf '%s\n%s\n' "$$need" "$$have" | sort -V | head -1)" != "$$need" ]; then \
		echo "go $$have is older than go.mod's $$need; type: $(GO) env -w GOTOOLCHAIN=go$$need"; exit 1; fi
	@command -v $$($(GO) env CC) >/dev/null || { echo "the race detector needs a C compiler; type: sudo apt-get install gcc libc6-dev"; exit 1; }
	@backend() { git http-backend </dev/null 2>&1 | grep -q 'REQUEST_METHOD'; }; \
	if ! backend && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q >/dev/null && apt-get install -qy git >/dev/null; fi; \
	if ! backend; then echo "git http-backend is missing; type: sudo apt-get install git"; exit 1; fi
	@has_sshd() { PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v sshd >/dev/null && command -v ssh-agent >/dev/null; }; \
	if ! has_sshd && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends openssh-server >/dev/null; fi; \
	if ! has_sshd; then echo "sshd is missing; type: sudo apt-get install openssh-server"; exit 1; fi
	@if ! command -v gpg >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends gpg gpg-agent >/dev/null; fi; \
	if ! command -v gpg >/dev/null || ! command -v gpgconf >/dev/null; then echo "gpg is missing; type: sudo apt-get install gpg gpg-agent"; exit 1; fi
	@postgres() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }; \
	if ! postgres && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql >/dev/null; fi; \
	if ! postgres; then echo "PostgreSQL is missing; type: sudo apt-get install postgresql"; exit 1; fi
	@if ! moto_server --help >/dev/null 2>&1; then \
		echo "installing moto_server $(MOTO_VERSION) into .peers/moto"; \
		{ python3 -m venv $(PEERS)/moto && $(PEERS)/moto/bin/pip install -q 'moto[server]==$(MOTO_VERSION)'; } || { \
			rm -rf $(PEERS)/moto; \
			echo "moto_server is missing; type: pip install 'moto[server]==$(MOTO_VERSION)'"; exit 1; }; \
	fi

clean: ## remove what was built; peers stay
	rm -rf bin .cache

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "%-10s %s\n", $$1, $$2}'
