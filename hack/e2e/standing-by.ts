// Keyrings of one testbed, of which one serves by a Lease: started, told apart, and what they have recorded.
// Does not own what is done to them.
import type { Test } from "tap";
import type { AuditRecord } from "../../operator/keyring/records.js";
import { ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../../operator/kube/resources.js";
import type { Child } from "../child.js";
import type { Testbed } from "../testbed.js";
import { fivePorts, type Ports } from "../testbed.ports.js";
import { readLog } from "./log.js";
import { soleLeader } from "./operators.js";

const LEASE = "zopp-system/zopp-keyring";
/** More than a Lease lasts after its holder is gone. */
const PATIENCE_MS = 60_000;

/** What a keyring is told to stand for election. */
export const ELECTING = { ZOPP_KEYRING_LEADER_ELECT: LEASE } as const;

/** One of several keyrings. */
export interface Standing {
  readonly child: Child;
  readonly ports: Ports;
}

/** Keyrings of the testbed's seed, those that run. Of a testbed whose own one has ended. */
export class Keyrings {
  readonly #bed: Testbed;
  readonly running = new Set<Standing>();

  constructor(bed: Testbed) {
    this.#bed = bed;
  }

  /** Starts one, and waits until it serves or stands by. Where the operator looks for one, unless at a port of its own. */
  async start(own = false): Promise<Standing> {
    const ports = { ...(await fivePorts()), ...(own ? {} : { keyring: this.#bed.ports.keyring }) };
    const keyring = { child: this.#bed.keyringAt(ports, ELECTING), ports };
    this.running.add(keyring);
    void keyring.child.stopped().then(() => this.running.delete(keyring));
    await keyring.child.healthy(ports.keyringHealth, "/startz");
    return keyring;
  }

  /** Waits until one of those that run says that it leads, and no other does, and it serves. */
  async serving(...only: readonly Standing[]): Promise<Standing> {
    const all = only.length > 0 ? only : this.running;
    const found = await soleLeader(all, LEASE, ({ ports }) => ports.keyringMetrics);
    await found.child.healthy(found.ports.keyringHealth, "/readyz", PATIENCE_MS);
    return found;
  }

  /** Ends those that run, one after the other. */
  async stop(): Promise<void> {
    for (const { child } of this.running) await child.stop();
  }
}

/** Fails unless the log is one chain without a gap, in which so many keyrings began and what the bundles hold was released. */
export async function judgeLog(t: Test, bed: Testbed, starts: number, digests: Iterable<string>): Promise<void> {
  const records = await readLog(bed);
  const [first = { index: 0 }] = records;
  t.strictSame(
    records.map(({ index }) => index),
    [...records.keys()].map((at) => first.index + at),
    "no record is lost, and none is there twice",
  );
  t.equal(records.filter(({ action }) => action === "start").length, starts, "each that served has recorded its start");
  // what is applied as a keyring starts comes to it by several watches: an environment can come before its workspace
  const isEarly = ({ action, reason }: AuditRecord) => action === "accept-environment" && reason === "NoPolicy";
  t.strictSame(
    records.filter((record) => record.decision === "refused" && !isEarly(record)),
    [],
    "nothing was refused",
  );
  const released = new Set(records.map(({ action, digest }) => (action === "open" ? digest : undefined)));
  t.strictSame(
    [...digests].filter((digest) => !released.has(digest)),
    [],
    "all that was delivered was recorded",
  );
}

/** The resourceVersion of everything that a keyring writes down. */
export async function recorded({ client }: Testbed): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const resource of [ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS]) {
    const { items } = await client.list(resource, { namespace: "zopp-system", metadataOnly: true });
    for (const { metadata } of items) found.set(metadata.name, metadata.resourceVersion ?? "");
  }
  return found;
}
