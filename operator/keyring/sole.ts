// One writer for a log whose segments may be deleted: a process says that it has begun, and sees when a later one has said so.
// Where nothing is deleted the names of segments are lock enough: that is log.ts'.
import { randomBytes } from "node:crypto";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { backoffMs, pause } from "../kube/backoff.js";
import type { ApiClient } from "../kube/client.js";
import { orAbsent } from "../kube/errors.js";
import { isWithin, type Moment, moment } from "../kube/moment.js";
import type { Log } from "../kube/observe.js";
import { CONFIG_MAPS, type KubeObject } from "../kube/resources.js";
import { CLUSTER_CONFIG_MAP } from "./publish.js";

/** An answer holds for so long: whoever comes after it has read what was written until then, and finds what comes meanwhile. */
const FRESH_MS = 200;
const RETRY = { firstMs: 50, capMs: 5_000 } as const;

/**
 * The claim of one process to be the only one that writes its key's log: the last one to make it is right. Whoever writes
 * made it before he read the log, so a process that stores a segment and then finds its own claim knows that nobody else
 * had stored, folded and deleted one of that name. Nothing is trusted to it: who can change it can only end a keyring.
 */
export class SoleWriter {
  readonly #client: ApiClient;
  readonly #namespace: string;
  readonly #kid: string;
  readonly #log: Log;
  #known: Moment | undefined;
  readonly #process = randomBytes(16).toString("hex");

  constructor(client: ApiClient, namespace: string, key: VerifyKey, log: Log) {
    this.#client = client;
    this.#log = log;
    this.#namespace = namespace;
    this.#kid = key.kid;
  }

  /** Before the log is read. Throws Api*. */
  async claim(): Promise<void> {
    const metadata = {
      name: CLUSTER_CONFIG_MAP,
      namespace: this.#namespace,
      annotations: { [this.#annotation]: this.#process },
    };
    await this.#client.apply(
      CONFIG_MAPS,
      { apiVersion: "v1", kind: "ConfigMap", metadata },
      // a manager for each key: keyrings of several seeds do not take each other's claims away
      { fieldManager: `zopp-keyring-${this.#kid}`, metadataOnly: true },
    );
  }

  /**
   * Waits for an answer; false when it was waited for no longer. Throws LogForked when another process has made the claim
   * since, or nobody's is left.
   */
  async isStill(signal: AbortSignal): Promise<boolean> {
    for (let failures = 1; !signal.aborted; failures += 1) {
      if (isWithin(FRESH_MS, this.#known)) return true;
      const asked = moment();
      try {
        await this.#check();
        this.#known = asked;
        return true;
      } catch (err) {
        if (err instanceof ZoppError && err.code === "LogForked") throw err;
        this.#log.warn({ err }, "cannot see whether another keyring writes this log; trying again");
        await pause(backoffMs(failures, RETRY), signal);
      }
    }
    return false;
  }

  async #check(): Promise<void> {
    const place = { namespace: this.#namespace, name: CLUSTER_CONFIG_MAP };
    const found = await orAbsent(this.#client.get<KubeObject>(CONFIG_MAPS, place, { metadataOnly: true }));
    const last = found?.metadata.annotations?.[this.#annotation];
    if (last === this.#process) return;
    const what = last === undefined ? "does not say any more which keyring writes this log" : "names another keyring";
    throw new ZoppError(
      "LogForked",
      `ConfigMap ${place.namespace}/${place.name} ${what}: one with this seed began later`,
    );
  }

  get #annotation(): string {
    return `keyring.zopp.dev/${this.#kid}`;
  }
}
