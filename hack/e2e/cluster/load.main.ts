// A person who changes values all the time, and a witness of what became of each: run inside the cluster while zopp is
// upgraded, killed or moved. Says "loaded" once every Secret is there, and one line of JSON (Outcome) at the end.
//   load.main.js NAMESPACE BUNDLES CHANGES_PER_SECOND CHANGES FILE
// Values change so many times at least, and until there is such a file.
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { loadIdentity } from "../../../cli/identity.js";
import { newBundle } from "../../../crds/bundle/edit.js";
import { type AcceptedEnvironment, readEnvironment } from "../../../crds/policy/environment.js";
import type { ZoppEnvironment, ZoppSecret } from "../../../crds/types.gen.js";
import { type ApiClient, connect } from "../../../operator/kube/client.js";
import { type KubeObject, SECRETS, ZOPP_ENVIRONMENTS, ZOPP_SECRETS } from "../../../operator/kube/resources.js";
import { eventually } from "../../eventually.js";
import { withValue } from "../../fixtures.js";

/** What the witness saw. */
export interface Outcome {
  /** Values that were changed, the first ones not counted. */
  readonly changes: number;
  /** Times that a Secret was seen with a new value. */
  readonly applied: number;
  /** Secrets that were written although their value stayed the same. */
  readonly repeated: readonly string[];
  /** Values that nobody had written there, or an older one after a newer. */
  readonly wrong: readonly string[];
  /** Secrets that do not hold the last value. */
  readonly lost: readonly string[];
  /** From the API server's answer to a change until its Secret (or a later one) was seen. */
  readonly longestMs: number;
}

const KEY = "COUNT";
const PATIENCE_MS = 120_000;
const nameOf = (at: number): string => `load-${String(at).padStart(3, "0")}`;

/** One bundle under load: what was written, and what its Secret showed. */
class Subject {
  readonly written: number[] = [];
  bundle: ZoppSecret;
  shown = -1;

  constructor(bundle: ZoppSecret) {
    this.bundle = bundle;
  }

  get last(): number {
    return this.written.length - 1;
  }

  wrote(): void {
    this.written.push(performance.now());
  }

  /** Takes note of a shown value; gives how long the changes up to it had waited. */
  show(value: number): number {
    const oldest = this.written[this.shown + 1] ?? performance.now();
    this.shown = value;
    return performance.now() - oldest;
  }
}

/** Follows the Secrets of a namespace and judges each state it sees. */
class Witness {
  readonly repeated: string[] = [];
  readonly wrong: string[] = [];
  applied = 0;
  longestMs = 0;
  readonly #subjects: ReadonlyMap<string, Subject>;

  constructor(subjects: ReadonlyMap<string, Subject>) {
    this.#subjects = subjects;
  }

  async follow(client: ApiClient, namespace: string): Promise<void> {
    let resourceVersion =
      (await client.list(SECRETS, { namespace, metadataOnly: true })).metadata.resourceVersion ?? "";
    for (;;) {
      const options = { namespace, resourceVersion, timeoutSeconds: 600, quietMs: 600_000 };
      for await (const { type, object } of client.watch<Found>(SECRETS, options)) {
        resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
        if (type === "ADDED" || type === "MODIFIED") this.#see(object);
        else if (type === "DELETED") this.wrong.push(`${object.metadata.name} was deleted`);
      }
    }
  }

  #see({ metadata: { name }, data }: Found): void {
    const subject = this.#subjects.get(name);
    if (subject === undefined) return;
    const value = Number(Buffer.from(data?.[KEY] ?? "", "base64").toString());
    // a value can be seen before the answer to its change has come back: the next one may be on its way
    if (!Number.isInteger(value) || value < subject.shown || value > subject.last + 1) {
      this.wrong.push(`${name} showed ${value} after ${subject.shown}, written up to ${subject.last}`);
    } else if (value === subject.shown) this.repeated.push(`${name}: ${value}`);
    else {
      this.applied += 1;
      this.longestMs = Math.max(this.longestMs, subject.show(value));
    }
  }
}

interface Found extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Writes the next value; a change that the API server did not take is tried until it does. */
async function change(client: ApiClient, subject: Subject, writing: Parameters<typeof withValue>[3]): Promise<void> {
  const next = withValue(subject.bundle, KEY, String(subject.last + 1), { ...writing, now: new Date() });
  await eventually(() => client.apply(ZOPP_SECRETS, next, { fieldManager: "load", force: true }), {
    timeoutMs: PATIENCE_MS,
  });
  subject.bundle = next;
  subject.wrote();
}

async function environmentOf(client: ApiClient): Promise<AcceptedEnvironment> {
  const [environment] = (await client.list<ZoppEnvironment>(ZOPP_ENVIRONMENTS, {})).items;
  if (environment === undefined) throw new Error("the cluster has no ZoppEnvironment");
  return readEnvironment(environment);
}

async function main([namespace = "", bundles, perSecond, least, end = ""]: readonly string[]): Promise<Outcome> {
  const client = await connect({ userAgent: "load" });
  const { stdin, stdout, stderr, env } = process;
  const outside = { argv: [], env, cwd: process.cwd(), stdin, stdout: stderr, stderr };
  const identity = await loadIdentity({ ...outside, terminal: () => undefined, now: () => new Date() });
  const writing = { environment: await environmentOf(client), signingKey: identity.signing, now: new Date() };
  const names = Array.from({ length: Number(bundles) }, (_, at) => nameOf(at));
  const subjects = new Map(names.map((name) => [name, new Subject(newBundle({ namespace, name }, writing))]));
  const witness = new Witness(subjects);
  witness.follow(client, namespace).catch((error: unknown) => {
    stderr.write(`the witness lost sight: ${String(error)}\n`);
    process.exit(1);
  });
  const all = [...subjects.values()];
  const shown = (): boolean => all.every((subject) => subject.shown === subject.last);
  for (const subject of all) await change(client, subject, writing);
  await eventually(shown, { timeoutMs: PATIENCE_MS, message: "every Secret is there" });
  const firsts = witness.applied;
  stdout.write("loaded\n");
  const begun = performance.now();
  let changes = 0;
  for (; changes < Number(least) || !existsSync(end); changes += 1) {
    await sleep(Math.max(0, begun + (changes * 1000) / Number(perSecond) - performance.now()));
    await change(client, all[changes % all.length] as Subject, writing);
  }
  await eventually(shown, { timeoutMs: PATIENCE_MS }).catch(() => undefined);
  const { repeated, wrong, longestMs, applied } = witness;
  const lost = [...subjects].filter(([, { shown, last }]) => shown !== last).map(([name]) => name);
  return { changes, applied: applied - firsts, repeated, wrong, lost, longestMs: Math.round(longestMs) };
}

process.stdout.write(`${JSON.stringify(await main(process.argv.slice(2)))}\n`);
process.exit(0);
