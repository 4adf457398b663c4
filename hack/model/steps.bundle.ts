// What people write into bundles, honestly or not, and with which approvals. What others do to bundles that are signed is
// steps.tamper.ts.
import { approveParts } from "../../crds/bundle/approve.js";
import { newBundle, retireEntry, setEntry, signHeader, type Writing } from "../../crds/bundle/edit.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import type { SecretSpec, ZoppEnvironment, ZoppSecret } from "../../crds/types.gen.js";
import {
  DEVICES,
  ENVIRONMENTS,
  type EnvironmentName,
  KEYS,
  namesIn,
  PEOPLE,
  PLACES,
  type Signer,
  STRANGER,
  signingKey,
} from "./cast.js";
import type { Place } from "./claims.js";
import { mayHe } from "./rights.js";
import { type entryOf, type Scene, toWriteIn } from "./scene.js";

/** A bundle, and in words how it came about. */
export interface Written {
  readonly what: string;
  readonly object: ZoppSecret;
}

/** `namespace/name`. */
export function placeText({ namespace, name }: Place): string {
  return `${namespace}/${name}`;
}

/** An environment as somebody has it who writes now: most often the one in force. */
export function environmentFor(scene: Scene, name: EnvironmentName): ZoppEnvironment {
  const { random } = scene;
  const made = scene.environments.filter(({ spec }) => spec.environment === name);
  const present = scene.standing.get(`acme.shop.${name}`);
  return present === undefined || random.percent(4) ? random.pick(made) : present;
}

/** Whose environment a namespace is: as policy says now, or as it was in the beginning. */
export function environmentAt({ random, workspace }: Scene, { namespace }: Place): EnvironmentName {
  const rules = workspace?.spec.environments ?? [];
  const now = rules.find(({ namespaces: [pattern = ""] }) => namespace.startsWith(pattern.replace("*", "")))?.name;
  const names = Object.keys(ENVIRONMENTS) as EnvironmentName[];
  const named = names.find((name) => now === `shop/${name}`);
  if (named !== undefined && random.percent(80)) return named;
  return names.find((name) => ENVIRONMENTS[name] === namespace) ?? "dev";
}

/** Somebody who may, if chance is kind and there is one; else anybody. */
export function writer(scene: Scene, environment: ZoppEnvironment, key?: string): Signer {
  const { random, workspace, model } = scene;
  const anybody = { person: random.pick([...PEOPLE, STRANGER]), device: random.pick(DEVICES) };
  if (workspace === undefined || random.percent(15)) return anybody;
  const where = model.where(workspace.spec, environment.spec);
  const wish = key === undefined ? "header" : "write";
  const able = workspace.spec.principals.filter((principal) => mayHe(where, principal, wish, key));
  if (able.length === 0) return anybody;
  const { name, devices = [] } = random.pick(able);
  return { person: name, device: random.pick(devices.map((one) => one.name)) };
}

/** Signs parts of bundles in one environment; every signature is seen by the notary. */
export class Pen {
  readonly #scene: Scene;
  readonly #writing: Omit<Writing, "signingKey">;

  constructor(scene: Scene, environment: ZoppEnvironment, hoursAhead = 0) {
    this.#scene = scene;
    const now = new Date(scene.now + hoursAhead * 3600_000);
    this.#writing = { environment: toWriteIn(environment), now };
  }

  start(place: Place, by: Signer): ZoppSecret {
    return this.#seen(newBundle({ ...place }, this.#by(by)));
  }

  set(secret: ZoppSecret, key: string, by: Signer): ZoppSecret {
    const { random, values } = this.#scene;
    const value = `value ${values.size}`;
    const expires = random.percent(10) ? { expires: this.#scene.inHours(24) } : {};
    const entry = setEntry(secret, key, utf8(value), { ...this.#by(by), ...expires });
    values.set(entry.sealed ?? "", value);
    return this.#seen(withEntry(secret, key, entry), key);
  }

  retire(secret: ZoppSecret, key: string, by: Signer): ZoppSecret {
    return this.#seen(withEntry(secret, key, retireEntry(secret, key, this.#by(by))), key);
  }

  header(secret: ZoppSecret, changes: Partial<SecretSpec>, by: Signer): ZoppSecret {
    const changed = { ...secret, spec: { ...secret.spec, ...changes } };
    return this.#seen({ ...changed, spec: { ...changed.spec, header: signHeader(changed, this.#by(by)) } });
  }

  /** An approver's signature on these parts; undefined among the keys is the header. */
  approve(secret: ZoppSecret, parts: readonly (string | undefined)[], by: Signer): ZoppSecret {
    const { environment } = this.#writing;
    const key = signingKey(by);
    const keys = parts.filter((part) => part !== undefined);
    const header = keys.length < parts.length;
    const approved = approveParts(secret, { header, keys }, { environment, signingKey: key });
    for (const part of parts)
      this.#scene.witnessApproval(approved, part, this.#place(approved, part), key.verifyKey.kid);
    return approved;
  }

  #by(signer: Signer): Writing {
    return { ...this.#writing, signingKey: signingKey(signer) };
  }

  #seen(secret: ZoppSecret, key?: string): ZoppSecret {
    this.#scene.witnessPart(secret, key, this.#place(secret, key));
    return secret;
  }

  /** Where a signature is for: the bundle, or any of the environment, as the part's epoch binds. */
  #place({ metadata, spec }: ZoppSecret, key?: string): Place {
    const { environment } = this.#writing;
    const to = key === undefined ? undefined : spec.data?.[key]?.to;
    const facts = to === undefined ? environment.newest.facts : environment.epochs.get(to)?.facts;
    const { namespace, name } = metadata;
    return facts?.binding === "environment" ? { namespace: "*", name: "*" } : { namespace, name };
  }
}

/** A bundle with an entry put under a key. */
export function withEntry(secret: ZoppSecret, key: string, entry: ReturnType<typeof entryOf>): ZoppSecret {
  return { ...secret, spec: { ...secret.spec, data: { ...secret.spec.data, [key]: entry } } };
}

/** Somebody writes: a new bundle, values, tombstones, a header, and most often what approvals they need. */
export function write(scene: Scene): Written {
  const { random } = scene;
  const place = random.pick(PLACES);
  const environment = environmentFor(scene, environmentAt(scene, place));
  const pen = new Pen(scene, environment, random.percent(2) ? 48 : 0);
  const present = scene.good.get(placeText(place));
  if (present !== undefined && present.spec.environment !== pathOf(environment)) return rewrite(scene, place);
  const isNew = present === undefined || random.percent(2);
  const words: string[] = [];
  let secret = isNew ? pen.start(place, writer(scene, environment)) : present;
  if (isNew) words.push("starts anew");
  for (const key of KEYS.filter(() => random.percent(35))) {
    const by = writer(scene, environment, key);
    const retires = random.percent(12);
    secret = retires ? pen.retire(secret, key, by) : pen.set(secret, key, by);
    words.push(`${by.person} ${retires ? "removes" : "sets"} ${key}`);
  }
  if (!isNew && random.percent(12)) {
    const by = writer(scene, environment);
    secret = pen.header(secret, { target: { name: `${place.name}-env` } }, by);
    words.push(`${by.person} signs the header`);
  }
  return { what: `${placeText(place)}: ${words.join(", ")}`, object: approved(scene, pen, secret, environment) };
}

/** Puts right what a change of policy broke: every part of a bundle is signed again, for the environment that its place has now. */
export function rewrite(scene: Scene, place = scene.random.pick(PLACES)): Written {
  const environment = environmentFor(scene, environmentAt(scene, place));
  const pen = new Pen(scene, environment);
  const present = scene.good.get(placeText(place)) ?? pen.start(place, writer(scene, environment));
  const headed = pen.header(present, { environment: pathOf(environment) }, writer(scene, environment));
  const keys = Object.keys(present.spec.data ?? {});
  const secret = keys.reduce((one, key) => pen.set(one, key, writer(scene, environment, key)), headed);
  return { what: `${placeText(place)}: all of it is written again`, object: approved(scene, pen, secret, environment) };
}

function pathOf({ spec }: ZoppEnvironment): string {
  return `acme/shop/${spec.environment}`;
}

/** Approves what is new: by all who may, by some, or by people who may not. */
export function approved(scene: Scene, pen: Pen, secret: ZoppSecret, environment: ZoppEnvironment): ZoppSecret {
  const { random, workspace, model } = scene;
  const rule = workspace === undefined ? undefined : model.rule(workspace.spec, environment.spec);
  if (workspace === undefined || rule?.approvals === undefined) return secret;
  const parts = [undefined, ...Object.keys(secret.spec.data ?? {})].filter(() => random.percent(92));
  const persons = random.percent(75) ? namesIn(workspace.spec) : random.some([...PEOPLE, STRANGER]);
  const devices = random.percent(15) ? DEVICES : [random.pick(["laptop", "laptop", "phone"] as const)];
  const signers = persons.flatMap((person) => devices.map((device): Signer => ({ person, device })));
  return signers.reduce((one, by) => pen.approve(one, parts, by), secret);
}
