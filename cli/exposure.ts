// What a principal could open, from all that a store ever held: by a right to read, by a key of its own, or as the author.
// It counts too much rather than too little: what anybody committed to any branch is taken as if it had been served.
import { type AcceptedEnvironment, readEnvironment, rightsIn } from "../crds/policy/environment.js";
import { may } from "../crds/policy/rights.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import type { Found, Kind, Kinds } from "./store/store.js";
import { parseFound } from "./store/store.js";
import { unlessRefused } from "./unless-refused.js";

/** How a principal could know a value: it had a right to read it, its device held the environment's key, or it wrote it. */
export type Way = "read" | "key" | "wrote";

/** One version of a value that the principal could know. */
export interface Exposed {
  /** `namespace/name` */
  readonly bundle: string;
  readonly environment: string;
  readonly key: string;
  readonly version: number;
  readonly ways: readonly Way[];
  /** Whether it is the value that lies in the store now. */
  readonly current: boolean;
}

/** What the store held at one moment. */
export interface Moment {
  readonly when: Date;
  readonly objects: readonly Found[];
}

/** What is asked. */
export interface ExposureCase {
  readonly workspace: string;
  readonly principal: string;
  /** Oldest first; the last one is what lies in the store now. */
  readonly moments: readonly Moment[];
  /** The workspace, if it chains from the pins or is an ancestor of one that does. */
  trusted(candidate: Kinds["ZoppWorkspace"]): AcceptedWorkspace | undefined;
}

/** What was found. */
export interface Exposure {
  /** Whether any trusted policy ever named the principal. */
  readonly known: boolean;
  /** Current values first, then by bundle, key and version. */
  readonly values: readonly Exposed[];
  /** Objects that could not be read, or are of no trusted policy. */
  readonly skipped: number;
}

interface Seen {
  readonly secret: ZoppSecret;
  readonly key: string;
  readonly version: number;
  readonly to: string;
  readonly by: string;
  readonly ways: Set<Way>;
}

/** Works out what a principal could know. Pure but for `trusted`, which is asked once for each version of the policy. */
export function exposureOf(given: ExposureCase): Exposure {
  const walk = new Walk(given);
  for (const moment of given.moments) walk.see(moment);
  return walk.result();
}

class Walk {
  readonly #given: ExposureCase;
  readonly #parsed = new Map<unknown, Kinds[Kind] | undefined>();
  readonly #workspaces = new Map<unknown, AcceptedWorkspace | undefined>();
  readonly #environments = new Map<unknown, AcceptedEnvironment | undefined>();
  readonly #ids = new Map<unknown, number>();
  readonly #judged = new Set<string>();
  readonly #values = new Map<string, Seen>();
  readonly #devices = { signing: new Set<string>(), encryption: new Set<string>() };
  /** Kids of environment keys that a device of the principal could unwrap. */
  readonly #held = new Set<string>();
  #known = false;

  constructor(given: ExposureCase) {
    this.#given = given;
  }

  see({ when, objects }: Moment): void {
    const workspace = this.#policy(objects);
    const environments = new Map<string, AcceptedEnvironment>();
    for (const environment of this.#all(objects, "ZoppEnvironment")) {
      const read = once(this.#environments, environment, () => unlessRefused(() => readEnvironment(environment)));
      if (read !== undefined) environments.set(read.path, read);
    }
    for (const secret of this.#all(objects, "ZoppSecret")) {
      if (secret.spec.environment.split("/")[0] !== this.#given.workspace) continue;
      const environment = environments.get(secret.spec.environment);
      const triple = [workspace, environment, secret].map((each) => once(this.#ids, each, () => this.#ids.size));
      if (this.#judged.has(triple.join())) continue;
      this.#judged.add(triple.join());
      this.#judge(secret, workspace, environment, when);
    }
  }

  result(): Exposure {
    // a wrapped key stays with whoever could unwrap it, whatever policy says later
    for (const { object, epochs } of [...this.#environments.values()].flatMap((each) => each ?? [])) {
      if (object.spec.workspace !== this.#given.workspace) continue;
      for (const [kid, { facts }] of epochs)
        if (facts.sealed.some(({ to }) => this.#devices.encryption.has(to))) this.#held.add(kid);
    }
    const current = new Set(this.#all(this.#given.moments.at(-1)?.objects ?? [], "ZoppSecret").flatMap(namesIn));
    const values: Exposed[] = [];
    for (const [name, { secret, key, version, to, by, ways }] of this.#values) {
      if (this.#held.has(to)) ways.add("key");
      if (this.#devices.signing.has(by)) ways.add("wrote");
      if (ways.size === 0) continue;
      const { namespace, name: bundle } = secret.metadata;
      const { environment } = secret.spec;
      values.push({
        bundle: `${namespace}/${bundle}`,
        environment,
        key,
        version,
        ways: [...ways].sort(),
        current: current.has(name),
      });
    }
    const skipped = [...this.#parsed.values(), ...this.#workspaces.values()].filter(
      (each) => each === undefined,
    ).length;
    return { known: this.#known, values: values.sort(inOrder), skipped };
  }

  #policy(objects: readonly Found[]): AcceptedWorkspace | undefined {
    const found = this.#all(objects, "ZoppWorkspace").find(({ metadata }) => metadata.name === this.#given.workspace);
    if (found === undefined) return undefined;
    return once(this.#workspaces, found, () => {
      const trusted = this.#given.trusted(found);
      if (trusted !== undefined) this.#learn(trusted);
      return trusted;
    });
  }

  #learn({ roster }: AcceptedWorkspace): void {
    for (const [kid, { principal }] of roster.signers)
      if (principal.name === this.#given.principal) this.#devices.signing.add(kid);
    for (const [kid, recipient] of roster.recipients)
      if (recipient.kind === "device" && recipient.principal.name === this.#given.principal)
        this.#devices.encryption.add(kid);
    this.#known ||= this.#devices.signing.size > 0;
  }

  #judge(
    secret: ZoppSecret,
    workspace: AcceptedWorkspace | undefined,
    environment: AcceptedEnvironment | undefined,
    now: Date,
  ): void {
    for (const [key, { version, to, by }] of Object.entries(secret.spec.data ?? {})) {
      if (to === undefined) continue;
      const seen = once(this.#values, nameIn(secret, key, version), () => ({
        secret,
        key,
        version,
        to,
        by,
        ways: new Set<Way>(),
      }));
      if (workspace === undefined || environment === undefined) continue;
      if (may(rightsIn(workspace, environment, now), this.#given.principal, "read", key)) seen.ways.add("read");
    }
  }

  #all<K extends Kind>(objects: readonly Found[], kind: K): readonly Kinds[K][] {
    return objects.flatMap((found) => {
      if (found.kind !== kind) return [];
      const parsed = once(this.#parsed, found.value, () =>
        unlessRefused(() => parseFound(kind, found.value, found.where)),
      );
      return parsed === undefined ? [] : [parsed as Kinds[K]];
    });
  }
}

function nameIn({ metadata }: ZoppSecret, key: string, version: number): string {
  return `${metadata.namespace}/${metadata.name}/${key} ${version}`;
}

function namesIn(secret: ZoppSecret): readonly string[] {
  return Object.entries(secret.spec.data ?? {}).map(([key, { version }]) => nameIn(secret, key, version));
}

function inOrder(a: Exposed, b: Exposed): number {
  if (a.current !== b.current) return a.current ? -1 : 1;
  const [one, other] = [`${a.bundle}/${a.key}`, `${b.bundle}/${b.key}`];
  return one === other ? b.version - a.version : one < other ? -1 : 1;
}

function once<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  if (!map.has(key)) map.set(key, make());
  return map.get(key) as V;
}
