#!/usr/bin/env node
// The operator's process: settings, wiring and the order of shutdown; nothing else.
// What it does is in operator.ts and controllers/.
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { identityFromSeed, newSeed } from "../crds/crypto/identity.js";
import { ZoppError } from "../crds/errors.js";
import { VERSION } from "../crds/version.js";
import { type OperatorConfig, readConfig } from "./config.js";
import { serveHealth, serveMetrics } from "./health.js";
import { connectKeyring } from "./keyring/client.js";
import { connect } from "./kube/client.js";
import { createLogger } from "./log.js";
import { operatorMetrics } from "./metrics.js";
import { ZoppOperator } from "./operator.js";

/** How long what is active may take after SIGTERM; Kubernetes ends the pod after 30 s. */
const GRACE_MS = 25_000;

async function main(config: OperatorConfig): Promise<void> {
  const log = createLogger("operator", config.logLevel);
  const metrics = operatorMetrics({ component: "operator", version: VERSION });
  // the base class reads the default kubeconfig: let it be ours
  if (config.kubeconfig !== undefined) process.env["KUBECONFIG"] = config.kubeconfig;
  const client = await connect({
    file: config.kubeconfig,
    userAgent: `zopp-operator/${VERSION}`,
    hooks: metrics.client,
  });
  const keyring = connectKeyring({
    address: config.keyring,
    keyringKey: await readKeyringKey(config.keyringKey),
    identity: identityFromSeed(newSeed()).signing,
    token: async () => (await readFile(config.tokenFile, "utf8")).trim(),
    log,
  });
  const operator = new ZoppOperator({ ...config, client, keyring, log, metrics, instance: hostname() });
  const host = config.bindAddress;
  const health = await serveHealth({
    host,
    port: config.healthPort,
    live: () => operator.stuck(),
    ready: () => operator.notReady(),
  });
  const numbers = await serveMetrics({ host, port: config.metricsPort, registry: metrics.registry });
  log.info(
    { version: VERSION, healthPort: health.port, metricsPort: numbers.port, namespaces: config.namespaces ?? "*" },
    "starting",
  );
  const stop = async (signal: string) => {
    log.info({ signal }, "stopping");
    setTimeout(() => process.exit(1), GRACE_MS).unref();
    await operator.stop();
    await keyring.close();
    await Promise.all([client.close(), health.close(), numbers.close()]);
    log.info({}, "stopped");
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(signal));
  await operator.start();
  log.info({}, "started");
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
