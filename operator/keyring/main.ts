#!/usr/bin/env node
// The keyring's process: commands, wiring and the order of shutdown; nothing else.
// What it serves is keyring.ts; its settings are config.ts.
import { hostname } from "node:os";
import { asZoppError, ERRORS } from "../../crds/errors.js";
import { VERSION } from "../../crds/version.js";
import { serveHealth, serveMetrics } from "../health.js";
import { pause } from "../kube/backoff.js";
import { connect } from "../kube/client.js";
import type { Log } from "../kube/observe.js";
import { createLogger } from "../log.js";
import { keyringMetrics } from "../metrics.js";
import { startTracing } from "../tracing.js";
import { command, type ServeConfig } from "./config.js";
import { type InstallConfig, install } from "./install.js";
import { Keyring } from "./keyring.js";
import { keygen, readSeed } from "./keys.js";
import { reflectionAndHealth } from "./reflection.js";
import { type Listening, listen } from "./server.js";
import { tlsIdentity } from "./tls.js";

/** How long what is active may take once nothing new is taken; the chart gives a pod 60 s from SIGTERM. */
const GRACE_MS = 20_000;

async function serve(config: ServeConfig): Promise<void> {
  const log: Log = createLogger("keyring", config.logLevel);
  const identity = await readSeed(config.seed);
  const metrics = keyringMetrics({ component: "keyring", version: VERSION });
  const tracing = await startTracing("zopp-keyring", log);
  const client = await connect({
    file: config.kubeconfig,
    userAgent: `zopp-keyring/${VERSION}`,
    hooks: metrics.client,
    tracing,
  });
  const { namespace, trust, auditKeep } = config;
  const enrol = { account: config.operatorAccount, pod: config.operatorPod };
  const keyring = new Keyring({ client, identity, namespace, trust, enrol, auditKeep, log, metrics, tracing });
  let server: Listening | undefined;
  let stopping = false;
  const hurry = new AbortController();
  const health = await serveHealth({
    ...config.health,
    live: () => null,
    ready: () => (stopping ? "Stopping" : keyring.notReady()),
    // without policy it serves nothing, but it answers: the operator must start, and say what policy lacks
    started: () => {
      if (stopping) return "Stopping";
      return server === undefined ? "Starting" : null;
    },
  });
  const numbers = await serveMetrics({ ...config.metrics, registry: metrics.registry });
  log.info({ version: VERSION, kid: identity.signing.verifyKey.kid, instance: hostname() }, "starting");
  // before anything that can take long: the first process of a container has no other way to end at SIGTERM
  const stop = async (signal: string) => {
    if (stopping) return hurry.abort();
    stopping = true;
    log.info({ signal }, "stopping");
    // nobody was answered yet
    if (server === undefined) process.exit(0);
    // its Service leads here until kubelet has asked whether it is ready, and every node has heard: whoever is connected
    // would come back too early, and hang
    await Promise.race([server.deserted(), pause(config.drainSeconds * 1000, hurry.signal)]);
    setTimeout(() => process.exit(1), GRACE_MS).unref();
    await server.close();
    await keyring.end();
    await Promise.all([client.close(), health.close(), numbers.close(), tracing?.close()]);
    log.info({}, "stopped");
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal));
  await keyring.begin((err) => {
    log.error({ err }, "this log has another writer");
    process.exit(ERRORS.LogForked.exit);
  });
  server = await listen({
    ...config.listen,
    tls: await tlsIdentity(identity.signing),
    metrics,
    tracing,
    identify: (key) => keyring.identify(key),
    routes: (router) => {
      keyring.routes(router);
      reflectionAndHealth(router, () => keyring.notReady() === null);
    },
  });
  log.info({ port: server.port }, "serving");
}

async function generate(seed: string, publicFile: string): Promise<void> {
  const identity = await keygen(seed, publicFile);
  process.stdout.write(`${identity.signing.verifyKey.kid}: seed in ${seed}, public key in ${publicFile}\n`);
}

async function installSeed(config: InstallConfig): Promise<void> {
  const client = await connect({ userAgent: `zopp-keyring/${VERSION}` });
  const { identity, fresh } = await install(client, config);
  await client.close();
  process.stdout.write(`${identity.signing.verifyKey.kid}: ${fresh ? "a new seed" : "the seed that was there"}\n`);
}

try {
  await command({ serve, keygen: generate, install: installSeed }).parseAsync(process.argv);
} catch (thrown) {
  const error = asZoppError(thrown, "the keyring");
  const log: Log = createLogger("keyring");
  log.error({ err: thrown, next: error.kind.next }, "cannot go on");
  process.exit(error.kind.exit);
}
