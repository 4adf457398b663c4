// A keyring's memory and policy without an API server: what was accepted, stored and recorded outlives each start.
// For tests only; the cryptography is real, the log is a list.
import { ZoppError } from "../crds/errors.js";
import type { Pin } from "../crds/policy/pin.js";
import type { ZoppBaseline, ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../crds/types.gen.js";
import { Ledger } from "../operator/keyring/ledger.js";
import type { OpenOptions, SentBundle } from "../operator/keyring/open.types.js";
import type { Trust } from "../operator/keyring/pins.js";
import { PolicyBook } from "../operator/keyring/policy.js";
import { type AuditRecord, type Fact, lineOf } from "../operator/keyring/records.js";
import type { KubeObject } from "../operator/kube/resources.js";
import { acme, digestOfOwners, identityOf } from "./fixtures.js";

/** When these keyrings live: two hours after the fixtures were written. */
export const LATER = new Date("2026-11-23T12:00:00Z");

/** The pin of a workspace's owners. */
export function pinOf(workspace: ZoppWorkspace, changes: Partial<Pin> = {}): Pin {
  return { workspace: workspace.metadata.name, owners: digestOfOwners(workspace), minVersion: 0, ...changes };
}

/** Trust in the fixture workspace's owners. */
export function pinned(workspace: ZoppWorkspace = acme()): Trust {
  return { pins: [pinOf(workspace)], firstUse: false };
}

/** A keyring's policy with a memory that outlives it. */
export class KeyringWorld {
  ledger = new Ledger();
  readonly stored = new Map<string, object>();
  readonly facts: Fact[] = [];
  readonly refusals: Fact[] = [];
  log = "log-1";
  now: () => Date = () => LATER;
  /** Fails the next acceptances, as an audit log that cannot be written does. */
  broken = false;

  /** A keyring that starts now, with what was accepted before. */
  start(trust: Trust = pinned()): PolicyBook {
    const remembered = new Map(
      [...this.stored].map(([digest, object]) => [digest, JSON.parse(JSON.stringify(object))]),
    );
    return new PolicyBook({
      identity: identityOf("cluster eu-1"),
      trust,
      ledger: this.ledger,
      remembered,
      reservedNamespaces: ["kube-system", "zopp-system"],
      log: this.log,
      now: () => this.now(),
      accept: async (object, digest, facts) => {
        if (this.broken) throw new ZoppError("AuditUnavailable", "the log cannot be written");
        this.stored.set(digest, object);
        for (const fact of facts) {
          this.facts.push(fact);
          this.ledger.apply({ index: this.facts.length, time: "", ...fact });
        }
      },
      refuse: (fact) => this.refusals.push(fact),
    });
  }

  /** What opening bundles under a policy needs. What is noted is recorded once somebody waits for it. */
  opening(book: PolicyBook): OpenOptions {
    const noted: Fact[] = [];
    return {
      book,
      ledger: this.ledger,
      cluster: identityOf("cluster eu-1").signing.verifyKey,
      now: () => this.now(),
      note: (fact) => {
        noted.push(fact);
        this.ledger.apply({ index: this.facts.length + noted.length, time: "", ...fact });
      },
      durable: async () => {
        const facts = noted.splice(0);
        if (this.broken) throw new ZoppError("AuditUnavailable", "the log cannot be written");
        this.facts.push(...facts);
      },
      upToDate: async () => {},
      refuse: (fact) => void this.refusals.push(fact),
    };
  }

  /** Forgets the ledger and makes it again from the lines of the log, as a start does. */
  replay(): void {
    this.ledger = new Ledger();
    for (const [index, fact] of this.facts.entries()) {
      this.ledger.apply(JSON.parse(lineOf({ index, time: "", ...fact })) as AuditRecord);
    }
  }
}

function seen(object: ZoppWorkspace | ZoppEnvironment | ZoppBaseline, generation = 1): KubeObject {
  const { metadata } = object;
  return {
    ...object,
    metadata: { ...metadata, uid: `uid-${metadata.name}`, generation, resourceVersion: "5", labels: { app: "x" } },
  } as KubeObject;
}

/** Judges these objects as all that is in the API. */
export async function review(
  book: PolicyBook,
  ...objects: (ZoppWorkspace | ZoppEnvironment | ZoppBaseline)[]
): Promise<void> {
  const of = (kind: string) => objects.filter((object) => object.kind === kind).map((object) => seen(object));
  const [workspaces, environments, baselines] = [of("ZoppWorkspace"), of("ZoppEnvironment"), of("ZoppBaseline")];
  await book.review({ workspaces, environments, baselines });
}

/** A bundle as a caller sends it, for all its keys or those that are named; `text` where its spec is to read otherwise. */
export function sent(secret: ZoppSecret, text = JSON.stringify(secret.spec), keys: string[] = []): SentBundle {
  const { namespace, name } = secret.metadata;
  return { namespace, name, spec: Buffer.from(text), keys };
}

/** Why the object of this name, as it was seen last, is not in force. */
export function refusedOf(book: PolicyBook, name: string): string | undefined {
  return [...book.verdicts("workspaces"), ...book.verdicts("environments")].find((verdict) => verdict.name === name)
    ?.refused?.code;
}

/** Why the baseline of an environment is not in force. */
export function baselineRefused(book: PolicyBook, name: string): string | undefined {
  return book.verdicts("baselines").find((verdict) => verdict.name === name)?.refused?.code;
}
