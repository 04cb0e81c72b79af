# labrun: `make week1` plays the first lab, `make test` runs every test. Both install what they need.

GO ?= go

labrun: $(shell find cmd internal builtins images lib missions -type f) assets.go images.lock go.mod go.sum | go
	$(GO) build -o labrun ./cmd/labrun

.PHONY: go setup test-setup week1 test unit check prove bench clean

go:
	@command -v $(GO) >/dev/null || { echo 'labrun is written in Go and needs it to be built: install Go (go.dev/doc/install), then run make again' >&2; exit 1; }

# What is missing, why it is needed, and how it is installed is in one place: `labrun doctor`.
setup: labrun
	./labrun doctor --mend

# What labrun's own tests need besides: a browser, and npm for its page, 1 GB with all that they need.
test-setup: labrun
	./labrun doctor --mend test

# Boot three machines and play the first week's lab.
week1: setup
	./labrun missions/week1.star

# Every test, those with real machines included. The images are built first, so that no test waits for them.
test: test-setup
	./labrun images fetch
	$(GO) vet ./...
	$(GO) test -timeout 2h ./...

# The tests that need no QEMU.
unit: | go
	$(GO) test -short ./...

# What CI checks besides the tests.
check: | go
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not gofmt'd: $$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff
	cd internal/labtest/router7 && $(GO) vet . && $(GO) mod tidy -diff

# Every mission that comes with labrun: without a finding, proved, and played from end to end.
prove: setup
	./labrun check --werror missions/*.star
	./labrun test missions/*.star
	for m in missions/*.star; do ./labrun --quiet $$m || exit; done

# labrun beside its peers, measured into docs/performance.md; bench/run -quick -only week1 is a trial of one part.
bench:
	bench/run

clean:
	rm -f labrun
