#!/usr/bin/env node
// The operator's process: settings, wiring and the order of shutdown; nothing else.
// What it does is in operator.ts and controllers/.
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { identityFromSeed, newSeed } from "../crds/crypto/identity.js";
import { ZoppError } from "../crds/errors.js";
import { VERSION } from "../crds/version.js";
import { candidate } from "./candidate.js";
import { type OperatorConfig, readConfig } from "./config.js";
import { serveHealth, serveMetrics } from "./health.js";
import { connectKeyring } from "./keyring/client.js";
import { type ApiClient, connect } from "./kube/client.js";
import type { Log } from "./kube/observe.js";
import { keyOf } from "./kube/resources.js";
import { ShardElection } from "./kube/shards.js";
import { shardOf } from "./kube/shards.plan.js";
import { createLogger } from "./log.js";
import { type OperatorMetrics, operatorMetrics } from "./metrics.js";
import { ZoppOperator } from "./operator.js";
import { OwnKeyring } from "./own-keyring.js";
import { readToken } from "./token.js";
import { startTracing } from "./tracing.js";

/** How long what is active may take after SIGTERM; the chart has Kubernetes end the pod after 60 s, its own default is 30. */
const GRACE_MS = 25_000;

async function main(config: OperatorConfig): Promise<void> {
  const log: Log = createLogger("operator", config.logLevel);
  const build = { component: "operator", version: VERSION } as const;
  const metrics = operatorMetrics(build, { perObject: config.objectMetrics === "on" });
  const tracing = await startTracing("zopp-operator", log);
  // the base class reads the default kubeconfig: let it be ours
  if (config.kubeconfig !== undefined) process.env["KUBECONFIG"] = config.kubeconfig;
  const own = config.keyringElects === "on" ? new OwnKeyring(config.keyring) : undefined;
  const candidacy = await standForElection(config, own, log, metrics);
  const client = await connect({
    file: config.kubeconfig,
    userAgent: `zopp-operator/${VERSION}`,
    hooks: metrics.client,
    tracing,
    adaptive: true,
    mayWrite: candidacy && ((path) => candidacy.election.mayWrite(path)),
  });
  const keyring = connectKeyring({
    address: config.keyring,
    keyringKey: await readKeyringKey(config.keyringKey),
    identity: identityFromSeed(newSeed()).signing,
    token: () => readToken(config.tokenFile),
    log,
    tracing,
  });
  const operator = new ZoppOperator({ ...config, client, keyring, log, metrics, tracing, instance: hostname() });
  const servers = await serve(config, operator, metrics);
  const [health, numbers] = servers;
  log.info(
    { version: VERSION, healthPort: health.port, metricsPort: numbers.port, namespaces: config.namespaces ?? "*" },
    "starting",
  );
  let isStopping = false;
  const stop = async (why: { readonly signal?: string }, code: number) => {
    if (isStopping) return;
    isStopping = true;
    log.info(why, "stopping");
    setTimeout(() => process.exit(1), GRACE_MS).unref();
    own?.stop();
    await operator.stop();
    // only now: whoever leads next must find everything done that was begun
    await candidacy?.election.release();
    await keyring.close();
    const closed = [client.close(), candidacy?.client.close(), ...servers.map((server) => server.close())];
    await Promise.all([...closed, tracing?.close()]);
    log.info({}, "stopped");
    process.exit(code);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop({ signal }, 0));
  try {
    await operator.start();
  } catch (error) {
    // it had not listed everything yet when it was asked to end, which is no failure
    if (isStopping) return;
    throw error;
  }
  log.info({}, "started");
  if (own === undefined) operator.consult();
  else void follow(own, operator, log, () => stop({}, 1));
  if (candidacy === undefined) return operator.lead();
  const shard = await candidacy.election.campaign();
  if (shard !== undefined) operator.lead((namespace) => shardOf(namespace, config.shards) === shard);
}

/** Has the pod's own keyring asked as soon as it serves, and ends the process when it does no more. */
async function follow(own: OwnKeyring, operator: ZoppOperator, log: Log, end: () => Promise<void>): Promise<void> {
  if (!(await own.serves())) return;
  operator.consult();
  if (!(await own.gone())) return;
  const err = new ZoppError("KeyringUnavailable", "the keyring of this pod does not listen any more");
  log.error({ err }, "has no keyring any more: ends, and stands by when it is started again");
  await end();
}

function serve(
  { bindAddress: host, healthPort, metricsPort }: OperatorConfig,
  operator: ZoppOperator,
  { registry }: OperatorMetrics,
) {
  return Promise.all([
    serveHealth({ host, port: healthPort, live: () => operator.stuck(), ready: () => operator.notReady() }),
    serveMetrics({ host, port: metricsPort, registry }),
  ]);
}

interface Candidacy {
  readonly election: ShardElection;
  readonly client: ApiClient;
}

/** Undefined where this operator is the only one. */
async function standForElection(
  { leaderElect: place, shards, kubeconfig }: OperatorConfig,
  own: OwnKeyring | undefined,
  log: Log,
  metrics: OperatorMetrics,
): Promise<Candidacy | undefined> {
  if (place === undefined) return undefined;
  const standing = await candidate("zopp-operator", kubeconfig, log);
  // whoever leads must have a keyring that serves
  const mayTake = own && ((withinMs: number) => own.serves(withinMs));
  const election = new ShardElection({ ...standing, place, shards, mayTake });
  for (const { place: metadata, leads } of election.leases) metrics.watchElection(keyOf({ metadata }), leads);
  return { election, client: standing.client };
}

async function readKeyringKey(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new ZoppError("NotFound", `cannot read the keyring's public key ${file}`, { cause });
  }
}

const config = readConfig(process.argv.slice(2));
main(config).catch((err: unknown) => {
  createLogger("operator").error({ err }, "cannot start");
  process.exit(1);
});
