# What everyone runs. `make test` does its own set-up; `make proof` is the long evidence.
SHELL := /bin/bash
GO ?= go
TOOLS := $(CURDIR)/.tools
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)
# No VCS stamp: it changes the binary on every commit and fails in a tree git does not own.
export GOFLAGS := -buildvcs=false

.PHONY: build test lint proof peers fuzz fmt

build:
	$(GO) build -o bin/hotline ./cmd/hotline

# The real phones and tools of the tests. Installs what is missing where it may, else says what is.
peers:
	@scripts/peers.sh

# Everything, with the race detector, and with the peers required rather than skipped. First what computes, test/claims too;
# then whole calls, and nothing beside them: real phones keep real time, and must not share two cores with what only computes;
# then what waits nearly all the time, at once: a minute's soak, faults one after another, lost messages; attacks by themselves.
test: peers
	HOTLINE_PEERS=required $(GO) test -race -timeout 20m $$($(GO) list ./... | grep -vE '^hotline/(media$$|test)') ./test/claims
	HOTLINE_PEERS=required $(GO) test -race -timeout 30m ./test
	HOTLINE_PEERS=required $(GO) test -race -timeout 20m -p 3 ./media $$($(GO) list ./test/... | grep -vE '/(test|claims|flood)$$')
	HOTLINE_PEERS=required $(GO) test -race -timeout 20m ./test/flood

# LINTFLAGS are more options, such as a longer --timeout.
lint: $(GOLANGCI)
	$(GOLANGCI) run $(LINTFLAGS) ./...

$(GOLANGCI):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(TOOLS)/golangci-lint $@

# The long evidence; its dated results are kept in docs/proof.
proof: peers
	@scripts/proof.sh

fuzz:
	@scripts/fuzz.sh $${FUZZTIME:-30s}

fmt: $(GOLANGCI)
	$(GOLANGCI) fmt ./...
