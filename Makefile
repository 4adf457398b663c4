# Everything a person or a CI does with this checkout. Each target sets up what it needs.
.DEFAULT_GOAL := help
.PHONY: help setup build test slow e2e lint demo bundle images release bench bench-load bench-peers faults soak gen docs cluster-up cluster-shell cluster-exec cluster-down clean
export PATH := $(CURDIR)/build/node/bin:$(PATH)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install the packages of the lock file, and Node 24
	@sh hack/setup.sh

build: setup ## compile to dist/
	@test -d dist || rm -f build/tsc.tsbuildinfo; node node_modules/typescript/bin/tsc -p .

test: build ## run every test, or those of FILES="crds/crypto/jcs.test.ts …"
	@node --enable-source-maps dist/hack/test.js $(FILES)

slow: build ## run what takes a minute each: the documents, long stories, Flux, Argo CD, sealed-secrets and SOPS as they are, images built twice, the cluster itself
	@node --enable-source-maps dist/hack/test.js --slow

e2e: images ## install the chart on a real one-node cluster and live through everything there
	@node --enable-source-maps dist/hack/test.js --e2e

lint: setup ## check formatting, imports, sizes and types
	@node node_modules/@biomejs/biome/bin/biome check --error-on-warnings && node node_modules/typescript/bin/tsc -p . --noEmit

demo: build ## show zopp on a real API server; KEEP=1 leaves it running
	@KEEP=$(KEEP) node --enable-source-maps dist/hack/demo/main.js

bundle: setup ## bundle the programs with the packages they use, into build/bundle/
	@node hack/bundle.ts

images: build ## build the three images, without a registry, into build/images/
	@node --enable-source-maps dist/hack/images/main.js

release: images ## everything of this version, with checksums, into build/release/; TAG=v… and RELEASE_URL=… for a real one
	@node --enable-source-maps dist/hack/release/main.js

bench: build bundle ## measure bundles per second and memory, then everything of bench-load
	@node --enable-source-maps dist/hack/bench/main.js && node --enable-source-maps dist/hack/bench/load/main.js

bench-load: build bundle ## zopp under load, beside the bare API server; LOAD="burst restart" chooses scenarios, BENCH_BUNDLES=100 makes it small
	@node --enable-source-maps dist/hack/bench/load/main.js

bench-peers: build bundle ## the same work beside sealed-secrets; SEALED_SECRETS_CONTROLLER=… KUBESEAL=… name its programs
	@node --enable-source-maps dist/hack/bench/peers.js

faults: build ## 200 faults, one upon the other, and judge what became of everything; SEED=7 FAULTS=200 for the same ones again
	@SEED=$(SEED) FAULTS=$(FAULTS) node --enable-source-maps dist/hack/faults/main.js

soak: build ## change values for an hour, and judge whether memory, handles and queue stay; MINUTES=60 RATE=50 (changes a second)
	@MINUTES=$(MINUTES) RATE=$(RATE) node --enable-source-maps dist/hack/soak/main.js

gen: build ## write the generated files again
	@node --enable-source-maps dist/hack/gen.js

docs: build ## make the documents a static site in build/site
	@node --enable-source-maps dist/hack/docs/site.js

CLUSTER = node --enable-source-maps dist/hack/cluster/main.js

cluster-up: build ## start a real one-node Kubernetes and leave it running; IMAGES="a.tar b.tar" are on its node
	@$(CLUSTER) up $$(for image in $(IMAGES); do echo --image $$image; done)

cluster-shell: build ## a shell inside it, in build/try, with kubectl, helm and zopp in PATH
	@mkdir -p build/try && $(CLUSTER) exec -- sh -c 'cd build/try && exec "$${SHELL:-sh}"'

cluster-down: build ## end it, with all that it left
	@$(CLUSTER) down

cluster-exec: build ## run CMD="kubectl get pods" inside it: kubectl, helm, node and zopp are in PATH
	@$(CLUSTER) exec -- sh -c '$(subst ','\'',$(CMD))'

clean: ## remove what was compiled; packages and the control plane's programs stay
	@rm -rf dist build .tap
