# labrun: `make week1` plays the first lab, `make test` runs every test. Both install what they need.

GO ?= go

# The page's libraries, where npm is to get them with; a labrun without them has all but the page.
PAGE := $(if $(shell command -v npm),web/npm/package-lock.json)

labrun: $(shell find cmd internal builtins images lib missions web/page -type f) web/embed.go assets.go images.lock go.mod \
		go.sum $(PAGE) | go
	$(if $(PAGE),,@echo 'npm is not installed, so this labrun has no page for browsers (labrun serve)' >&2)
	$(GO) build -o labrun ./cmd/labrun

.PHONY: go web setup test-setup week1 test unit check prove bench clean

web: web/npm/package-lock.json

# npm ci takes exactly what the lock says; no package's own script is run. copy.mjs keeps the lock beside the files. Who
# plays in a terminal does not need it, and is not held up where npm cannot get it.
web/npm/package-lock.json: web/package-lock.json web/copy.mjs
	cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && node copy.mjs || { \
	  echo "npm could not get the page's libraries, so this labrun has no page for browsers (labrun serve)" >&2; \
	  $(if $(filter web,$(MAKECMDGOALS)),false,true); }

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

# Every test, those with real machines and a browser included. The page and the images are made first: npm is there now,
# and no test waits for them.
test: test-setup
	$(MAKE) web labrun
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
	$(GO) vet -tags measure ./cmd/labrun ./internal/class
	$(GO) vet -tags guard ./internal/host
	$(GO) test -tags guard -run Child ./internal/host
	for t in linux/arm64 darwin/arm64; do GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build ./... || exit; done
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff
	cd internal/labtest/router7 && $(GO) vet . && $(GO) mod tidy -diff

# Every mission that comes with labrun: without a finding, proved, and played from end to end. One of them builds a kernel
# on this computer, one makes an image with a compiler.
prove: setup
	./labrun doctor --mend missions/bare-metal.star >/dev/null
	./labrun check --werror missions/*.star
	./labrun test --allow host missions/*.star
	for m in missions/*.star; do ./labrun --quiet --allow host $$m || exit; done

# labrun beside its peers, measured into docs/performance.md; bench/run -quick -only week1 is a trial of one part.
bench:
	bench/run

clean:
	rm -rf labrun web/node_modules $(filter-out web/npm/README.md,$(wildcard web/npm/*))
