// The people, objects and clock of one random history, the keyring that lives through it, and the model beside it.
// What happens next is steps.*.ts; each of them makes objects here, so that the notary sees every signature.
import { decodeBase64 } from "../../crds/crypto/encoding.js";
import { openEntry } from "../../crds/crypto/entry.js";
import { newEnvironmentKey } from "../../crds/crypto/identity.js";
import { wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import { type AcceptedEnvironment, readEnvironment } from "../../crds/policy/environment.js";
import { ownersDigest, ownersSet } from "../../crds/policy/roster.js";
import { workspaceStatement } from "../../crds/statement.js";
import type { EnvironmentKey, ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../../crds/types.gen.js";
import { openBundles } from "../../operator/keyring/open.js";
import type { Opened } from "../../operator/keyring/open.types.js";
import type { PolicyBook } from "../../operator/keyring/policy.js";
import { cluster, digestOfOwners } from "../fixtures.js";
import { KeyringWorld, pinned, refusedOf, review, sent } from "../keyring-world.js";
import { type EnvironmentName, introduce, keysOf, kidOf } from "./cast.js";
import {
  entryClaim,
  environmentClaim,
  headerClaim,
  Notary,
  ownersClaim,
  type Place,
  rotationClaim,
  workspaceClaim,
} from "./claims.js";
import type { Random } from "./random.js";
import { Reference } from "./reference.js";

const CALLER = { actor: "operator", evidence: "delegated", request: "r" } as const;
const HOUR = 3600_000;

/** One history. */
export class Scene {
  readonly notary = new Notary();
  readonly model: Reference;
  readonly keyring = new KeyringWorld();
  /** Everything that was made, oldest first. */
  readonly workspaces: ZoppWorkspace[] = [];
  readonly environments: ZoppEnvironment[] = [];
  readonly bundles: ZoppSecret[] = [];
  /** The last ones that were accepted, which honest people go on from. */
  workspace: ZoppWorkspace | undefined;
  readonly standing = new Map<string, ZoppEnvironment>();
  readonly good = new Map<string, ZoppSecret>();
  /** What was sealed, by what it was sealed as. */
  readonly values = new Map<string, string>();
  random: Random;
  now = Date.parse("2026-11-23T10:11:12Z");
  readonly #privateKeys = new Map<string, Uint8Array>();
  readonly #first: ZoppWorkspace;
  #book: PolicyBook;
  #lost = 0;

  constructor(random: Random, first: (scene: Scene) => ZoppWorkspace) {
    this.random = random;
    this.keyring.now = () => new Date(this.now);
    this.#first = first(this);
    const own = keysOf("cluster eu-1");
    const owners = ownersClaim(ownersSet(this.#first.spec));
    this.model = new Reference({
      notary: this.notary,
      kid: kidOf,
      cluster: { kid: own.signing.verifyKey.kid, sealingKid: own.encryption.publicKey.kid, log: this.keyring.log },
      pin: { owners, minVersion: 0 },
      reserved: ["kube-system", "zopp-system"],
    });
    this.#book = this.keyring.start(pinned(this.#first));
    this.passes(0);
  }

  /** Time goes by, for everybody. */
  passes(ms: number): void {
    this.now += ms;
    this.model.now = this.now;
  }

  get time(): Date {
    return new Date(this.now);
  }

  /** When somebody signs: now; by a clock that is days ahead; or, where a version is given, often at that very second. */
  writingTime(version?: number): Date {
    const digits = /^(....)(..)(..)(..)(..)(..)$/.exec(String(version ?? ""));
    const then =
      digits === null ? Number.NaN : Date.parse(`${digits.slice(1, 4).join("-")}T${digits.slice(4).join(":")}Z`);
    if (!Number.isNaN(then) && this.random.percent(60)) return new Date(then);
    return new Date(this.now + (this.random.percent(2) ? 48 * HOUR : 0));
  }

  /** A moment as policy writes it, some hours from now. */
  inHours(hours: number): string {
    return `${new Date(this.now + hours * HOUR).toISOString().slice(0, 19)}Z`;
  }

  /** The line of this keyring, or of another, as owners sign it. */
  clusterLine(name: string) {
    return cluster(name, name === "eu-1" ? this.keyring.log : "log-of-another");
  }

  /** Starts the keyring again, with nothing but what its log says. */
  restart(): void {
    this.keyring.replay();
    this.#book = this.keyring.start(pinned(this.#first));
  }

  /** Somebody deletes log and ledger: the keyring starts with a new one. */
  loseLog(): void {
    this.keyring.facts.length = 0;
    this.keyring.stored.clear();
    this.#lost += 1;
    this.keyring.log = `log-after-${this.#lost}`;
    this.restart();
    const { model } = this;
    model.outside.cluster.log = this.keyring.log;
    model.workspace = undefined;
    for (const memory of [model.environments, model.places, model.waiting]) memory.clear();
  }

  /** Shows the keyring a policy or an environment; gives the code of its refusal. */
  async show(object: ZoppWorkspace | ZoppEnvironment): Promise<string | undefined> {
    await review(this.#book, object);
    return refusedOf(this.#book, object.metadata.name);
  }

  /** Asks the keyring to open a bundle. */
  async open(secret: ZoppSecret): Promise<Opened> {
    const [opened] = await openBundles([sent(secret)], CALLER, this.keyring.opening(this.#book));
    if (opened === undefined) throw new TypeError("no answer");
    return opened;
  }

  /** Versions in force, as the keyring has them. */
  inForce() {
    const names = [...this.model.environments.keys()];
    return {
      workspace: this.#book.workspace("acme")?.version,
      environments: names.map((name) => [name, this.#book.environment(name)?.environment.version]),
    };
  }

  /** A policy that was just made and signed, each signature by whom it says. */
  witnessWorkspace(object: ZoppWorkspace): ZoppWorkspace {
    const { name } = object.metadata;
    const claim = workspaceClaim(name, object.spec);
    for (const { by, value } of object.spec.signatures) this.notary.witness(by, value, claim);
    for (const step of object.spec.rotations ?? [])
      for (const { by, value } of step.signatures) this.notary.witness(by, value, rotationClaim(name, step));
    this.notary.stands(workspaceStatement(name, object.spec).hash, claim);
    this.notary.stands(digestOfOwners(object), ownersClaim(ownersSet(object.spec)));
    for (const { from } of object.spec.rotations ?? []) this.notary.stands(ownersDigest(name, from), ownersClaim(from));
    this.workspaces.push(object);
    return object;
  }

  /** An environment that was just made and signed: the first as its admin, the others as approvers. */
  witnessEnvironment(object: ZoppEnvironment): ZoppEnvironment {
    for (const [at, { by, value }] of object.spec.signatures.entries())
      this.notary.witness(by, value, environmentClaim(object.spec, at > 0));
    this.environments.push(object);
    return object;
  }

  /** A part of a bundle that was just signed by its author. */
  witnessPart(secret: ZoppSecret, key: string | undefined, place: Place): void {
    const { by, signature } = key === undefined ? secret.spec.header : entryOf(secret, key);
    this.notary.witness(by, signature, this.#claim(secret, key, place, false));
  }

  /** A part of a bundle that was just approved by this key. */
  witnessApproval(secret: ZoppSecret, key: string | undefined, place: Place, kid: string): void {
    const { approvals = {} } = key === undefined ? secret.spec.header : entryOf(secret, key);
    this.notary.witness(kid, approvals[kid] ?? "", this.#claim(secret, key, place, true));
  }

  /** A new epoch's key, wrapped to these: `cluster NAME`, or a person's device. */
  epoch(
    scope: EnvironmentName,
    epoch: number,
    binding: EnvironmentKey["binding"],
    to: readonly string[],
  ): EnvironmentKey {
    const { publicKey, privateKey } = freshKey();
    introduce(publicKey.text, publicKey.kid);
    this.#privateKeys.set(publicKey.text, privateKey);
    return this.wrapped(scope, { epoch, binding, public: publicKey.text, sealed: [] }, to);
  }

  /** The same epoch, wrapped to these instead. */
  wrapped(scope: EnvironmentName, key: EnvironmentKey, to: readonly string[]): EnvironmentKey {
    const privateKey = this.#privateKeys.get(key.public);
    if (privateKey === undefined) throw new TypeError("a key of no epoch");
    const context = { workspace: "acme", project: "shop", environment: scope, epoch: key.epoch };
    const sealed = to.map((name) => wrapEnvironmentKey(keysOf(name).encryption.publicKey, context, privateKey));
    return { ...key, sealed };
  }

  /** The values of a bundle, with the keys that were released. */
  valuesOf(secret: ZoppSecret, keys: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, string> {
    const open = ([key, entryKey]: readonly [string, Uint8Array]) => {
      const sealed = decodeBase64(entryOf(secret, key).sealed ?? "") ?? new Uint8Array();
      return [key, Buffer.from(openEntry(entryKey, "x25519", sealed)).toString()] as const;
    };
    return new Map([...keys].map(open));
  }

  #claim(secret: ZoppSecret, key: string | undefined, place: Place, approval: boolean): string {
    if (key === undefined) return headerClaim(place, secret.spec, approval);
    return entryClaim(secret.spec.environment, place, key, entryOf(secret, key), approval);
  }
}

function freshKey() {
  const { public: publicKey, privateKey } = newEnvironmentKey("x25519");
  return { publicKey, privateKey };
}

const read = new WeakMap<ZoppEnvironment, AcceptedEnvironment>();

/** An environment as those who seal for it need it; nothing is judged by that. */
export function toWriteIn(environment: ZoppEnvironment): AcceptedEnvironment {
  const known = read.get(environment) ?? readEnvironment(environment);
  read.set(environment, known);
  return known;
}

/** An entry that is there. */
export function entryOf({ spec }: ZoppSecret, key: string) {
  const entry = spec.data?.[key];
  if (entry === undefined) throw new TypeError(`no entry ${key}`);
  return entry;
}
