#!/usr/bin/env node
// The keyring's process: commands, wiring and the order of shutdown; nothing else.
// What it serves is keyring.ts; its settings are config.ts.
import { hostname } from "node:os";
import { asZoppError, ERRORS } from "../../crds/errors.js";
import { VERSION } from "../../crds/version.js";
import { candidate } from "../candidate.js";
import { serveHealth, serveMetrics } from "../health.js";
import { pause } from "../kube/backoff.js";
import { type ApiClient, connect } from "../kube/client.js";
import { Election } from "../kube/lease.js";
import type { Log } from "../kube/observe.js";
import { keyOf } from "../kube/resources.js";
import { createLogger } from "../log.js";
import { type KeyringMetrics, keyringMetrics } from "../metrics.js";
import { startTracing } from "../tracing.js";
import { command, type ServeConfig } from "./config.js";
import { type InstallConfig, install } from "./install.js";
import { Keyring } from "./keyring.js";
import { keygen, readSeed } from "./keys.js";
import { reflectionAndHealth } from "./reflection.js";
import { type Listening, listen, type ServerOptions } from "./server.js";
import { tlsIdentity } from "./tls.js";

/** How long what is active may take once nothing new is taken; the chart gives a pod 60 s from SIGTERM. */
const GRACE_MS = 20_000;
/** An operator that works calls four times in that time, whether anything changes or not. */
const DESERTED_MS = 120_000;

async function serve(config: ServeConfig): Promise<void> {
  const log: Log = createLogger("keyring", config.logLevel);
  const identity = await readSeed(config.seed);
  const metrics = keyringMetrics({ component: "keyring", version: VERSION });
  const tracing = await startTracing("zopp-keyring", log);
  const candidacy = await standForElection(config, log, metrics);
  const client = await connect({
    file: config.kubeconfig,
    userAgent: `zopp-keyring/${VERSION}`,
    hooks: metrics.client,
    tracing,
    mayWrite: candidacy && (() => candidacy.election.leads),
  });
  const { namespace, trust, auditKeep } = config;
  const enrol = { account: config.operatorAccount, pod: config.operatorPod };
  const keyring = new Keyring({ client, identity, namespace, trust, enrol, auditKeep, log, metrics, tracing });
  let server: Listening | undefined;
  let stopping = false;
  const hurry = new AbortController();
  const election = candidacy?.election;
  const health = await serveProbes(config, keyring, election, () => ({ stopping, serving: server !== undefined }));
  const numbers = await serveMetrics({ ...config.metrics, registry: metrics.registry });
  log.info({ version: VERSION, kid: identity.signing.verifyKey.kid, instance: hostname() }, "starting");
  // before anything that can take long: the first process of a container has no other way to end at SIGTERM
  const stop = async (why: { readonly signal?: string }, code: number) => {
    if (stopping) return hurry.abort();
    stopping = true;
    log.info(why, "stopping");
    // nobody was answered yet; a Lease that it has just taken runs out, since a record of its start may be on its way
    if (server === undefined) process.exit(0);
    // its Service leads here until kubelet has asked whether it is ready, and every node has heard: whoever is connected
    // would come back too early, and hang
    await Promise.race([server.deserted(), pause(config.drainSeconds * 1000, hurry.signal)]);
    setTimeout(() => process.exit(1), GRACE_MS).unref();
    await server.close();
    await keyring.end();
    // only now: whoever serves next must find the whole log
    await election?.release();
    await Promise.all([client.close(), candidacy?.client.close(), health.close(), numbers.close(), tracing?.close()]);
    log.info({}, "stopped");
    process.exit(code);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop({ signal }, 0));
  // until then it does not listen: whoever connects is refused at once, and finds the one that serves
  if (election !== undefined && !(await election.campaign())) return;
  await keyring.begin((err) => {
    log.error({ err }, "this log has another writer");
    process.exit(ERRORS.LogForked.exit);
  });
  const tls = await tlsIdentity(identity.signing);
  const heard = election && config.operatorPod !== "any" ? whenDeserted(() => stop({}, 1), log) : () => {};
  server = await listen({ ...config.listen, tls, metrics, tracing, ...answersOf(keyring, heard) });
  log.info({ port: server.port }, "serving");
}

/**
 * Calls `deserted` when the operator was not heard for too long; what it gives tells that it was. No other one may call where
 * it is the pod's own, and while this keyring serves that of no other pod does: so one that was left alone makes way.
 */
function whenDeserted(deserted: () => Promise<void>, log: Log): () => void {
  const patience = setTimeout(() => {
    log.error({}, "its operator does not call any more: ends, and stands by when it is started again");
    void deserted();
  }, DESERTED_MS);
  return () => patience.refresh();
}

function serveProbes(
  { health }: ServeConfig,
  keyring: Keyring,
  election: Election | undefined,
  state: () => { readonly stopping: boolean; readonly serving: boolean },
) {
  return serveHealth({
    ...health,
    live: () => null,
    ready: () => {
      if (state().stopping) return "Stopping";
      return election === undefined || election.leads ? keyring.notReady() : "StandingBy";
    },
    // without policy it serves nothing, but it answers: the operator must start, and say what policy lacks. One that stands by,
    // or takes over from there, is all that it can be, and rollouts wait for it
    started: () => {
      const { stopping, serving } = state();
      if (stopping) return "Stopping";
      return !serving && election?.hasStoodBy !== true ? "Starting" : null;
    },
  });
}

/** `heard` is told whenever the operator calls. */
function answersOf(keyring: Keyring, heard: () => void): Pick<ServerOptions, "identify" | "routes"> {
  return {
    identify: (key) => {
      const caller = keyring.identify(key);
      if (caller.role === "operator") heard();
      return caller;
    },
    routes: (router) => {
      keyring.routes(router);
      reflectionAndHealth(router, () => keyring.notReady() === null);
    },
  };
}

interface Candidacy {
  readonly election: Election;
  readonly client: ApiClient;
}

/** Undefined where no other keyring stands by for this one. */
async function standForElection(
  { leaderElect: place, kubeconfig }: ServeConfig,
  log: Log,
  metrics: KeyringMetrics,
): Promise<Candidacy | undefined> {
  if (place === undefined) return undefined;
  const standing = await candidate("zopp-keyring", kubeconfig, log);
  const election = new Election({ ...standing, place });
  metrics.watchElection(keyOf({ metadata: place }), () => election.leads);
  return { election, client: standing.client };
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
