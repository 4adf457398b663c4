# The three images: operator, keyring, cli (`--target`). Each holds Node, one program bundled with the packages it uses, and
# nothing else of ours: no shell, no package manager, no node_modules. hack/decisions/0004-images.md says why.
#
#   docker build --target operator -t zopp-operator .
#
# `make images` builds them with other bases, made on this machine; of the public ones the runtime's digest is known, but
# they were not run by the project's own tests.
ARG BUILD_IMAGE=node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:9eeb7f5887d0e239e78264b06f7f11d2e14be534050481803a9e4728fcdd278e

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-progress
COPY . .
RUN node hack/bundle.ts

FROM ${RUNTIME_IMAGE} AS runtime
ARG VERSION=0.1.0
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="zopp"
ENV NODE_ENV=production
USER 65532:65532

# V8 and malloc keep less of what they have freed: half the resident memory after a first sync
FROM runtime AS service
ENV NODE_OPTIONS="--max-semi-space-size=16 --max-old-space-size=256" \
    MALLOC_ARENA_MAX=1 \
    MALLOC_TRIM_THRESHOLD_=131072

FROM service AS operator
LABEL org.opencontainers.image.title="zopp-operator" \
      org.opencontainers.image.description="Turns signed ZoppSecrets into Secrets"
COPY --from=build /src/build/bundle/operator /app
ENTRYPOINT ["/nodejs/bin/node", "/app/operator.mjs"]

FROM service AS keyring
LABEL org.opencontainers.image.title="zopp-keyring" \
      org.opencontainers.image.description="Holds a cluster's keys and decides what is released"
COPY --from=build /src/build/bundle/keyring /app
ENTRYPOINT ["/nodejs/bin/node", "/app/keyring.mjs"]

FROM runtime AS cli
LABEL org.opencontainers.image.title="zopp" \
      org.opencontainers.image.description="The command line of zopp"
COPY --from=build /src/build/bundle/cli /app
ENTRYPOINT ["/nodejs/bin/node", "/app/cli.mjs"]
