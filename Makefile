# Sluice. `make` lists what there is to do; each target works alone on a fresh machine (Node >= 20, npm).

.DEFAULT_GOAL := help
NODE := node_modules/.bin/node --disable-warning=ExperimentalWarning
VITEST := $(NODE) node_modules/vitest/vitest.mjs

.PHONY: help install run test check fmt fuzz conformance limits faults cache-tests traefik bench bench-check bench-peers micro flame golden docs

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# When the lock file is newer than what is installed; the stamp lies inside node_modules. Not npm ci: it demands
# an entry for the binaries of every platform, also of those that a registry may not carry. This installs the
# very same versions, checked by the same hashes, and leaves both files as they are.
install: node_modules/.stamp ## install what everything else needs
node_modules/.stamp: package.json package-lock.json
	npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

run: install ## start the gateway; ARGS="--configFile=FILE" for another than the quickstart
	bin/sluice $(ARGS)

test: install ## every test but the long suites; ARGS="core -t chunk" for some of them
	$(VITEST) run $(ARGS)

check: install ## types, linter, formatter
	$(NODE) node_modules/typescript/bin/tsc --noEmit
	node_modules/.bin/oxlint
	node_modules/.bin/oxfmt --check

fmt: install ## format everything
	node_modules/.bin/oxfmt

fuzz: install ## parsers and codec, for SECONDS (60)
	SLUICE_FUZZ_SECONDS=$(or $(SECONDS),60) $(VITEST) run test/fuzz

limits: install ## one limit, four workers, REQUESTS (1,000,000) requests: what passes is exactly the burst
	LIMIT_REQUESTS=$(or $(REQUESTS),1000000) $(VITEST) run test/behaviour/limits/rate-limit -t 'let exactly'

conformance: install ## HTTP/1 cases, h2spec, grpc-go, the differential test with 1,000,000 inputs
	SLUICE_FUZZ_RUNS=$(or $(RUNS),1000000) $(VITEST) run test/conformance

faults: install ## everything that can go wrong, at full size; ARGS="--only 1,6" for some; the table in test/faults/results
	$(NODE) test/faults/run.ts $(ARGS)

cache-tests: install ## http-cache-tests of npm, installed outside the tree, against httpCache
	$(NODE) test/conformance/cache-tests/run.ts

traefik: install ## Traefik and Sluice with one routing file, compared; TRAEFIK=PATH names the program
	@test -x "$(TRAEFIK)" || { echo 'TRAEFIK=PATH make traefik: the program of a Traefik v3 is needed'; exit 1; }
	TRAEFIK=$(abspath $(TRAEFIK)) $(VITEST) run test/conformance/traefik

bench: install ## the whole comparison; results in bench/results
	$(NODE) bench/run.ts $(ARGS)

bench-check: install ## ratios of bench/budgets.json, in minutes
	$(NODE) bench/check.ts

bench-peers: ## install the peers that are compared with (Debian)
	apt-get install -y nginx-light haproxy caddy wrk

micro: install ## codec, matcher, limits and middlewares alone
	$(NODE) bench/micro.ts

flame: install ## a flamegraph of SCENARIO into flamegraphs/
	$(NODE) bench/flame.ts $(SCENARIO)

golden: install ## write test/golden anew; read the diff
	UPDATE_GOLDEN=1 $(VITEST) run test/config config

docs: install ## write the generated pages of docs/ anew
	$(NODE) config/compat.ts
