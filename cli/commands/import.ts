// `zopp import`: plain Secrets, or a flat file of keys, become bundles, sealed and signed as by `set`.
// All of them are made and verified before the first is written.
import type { Policy } from "../../crds/bundle/case.js";
import { targetName, targetType } from "../../crds/bundle/target.js";
import type { Identity } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import type { Target, ZoppSecret } from "../../crds/types.gen.js";
import { bundleName, isBundleName, notesOn, refuseMisshapen, refuseUnsound, verifyForReading } from "../bundles.js";
import { openValue } from "../epoch-keys.js";
import { readInput } from "../input.js";
import type { Result } from "../output.js";
import { readPlain } from "../plain.js";
import type { PlainSecret } from "../plain.secret.js";
import { acceptPolicy, refuseWithout, signerOf } from "../policy.js";
import { onlyNamespace, sealAll, startOf } from "../sealing.js";
import type { Session } from "../session.js";
import { environmentPath } from "../settings.js";
import { change, type ObjectName } from "../store/store.js";
import { unlessRefused } from "../unless-refused.js";

/** The flags of `zopp import`. */
export interface ImportOptions {
  readonly environment?: string;
  readonly namespace?: string;
  readonly replace?: boolean;
}

/** Runs `zopp import FILE [BUNDLE]`. */
export async function run(
  session: Session,
  [file = "", bundle]: readonly string[],
  options: ImportOptions,
): Promise<Result> {
  const { context } = session;
  const wanted = bundle === undefined ? undefined : bundleName(bundle, options.namespace);
  const policy = await acceptPolicy(session, environmentPath(options.environment, session.settings));
  const identity = await session.identity();
  const writer: Writer = {
    policy,
    identity,
    principal: signerOf(policy.workspace, identity).principal.name,
    now: context.now(),
    replace: options.replace === true,
  };
  const { secrets, notes } = readPlain(await readInput(context, file), file);
  refuseNaming(secrets, wanted);
  const store = await session.store();
  const imports: Import[] = [];
  for (const secret of secrets) {
    const place = placeOf(secret, wanted, options.namespace, policy);
    refuseTwice(imports, place, secret);
    const one = new Import(secret, place, writer);
    one.make(await store.read("ZoppSecret", place));
    imports.push(one);
  }
  const changes = imports.map((one) => change("ZoppSecret", one.place, (present) => one.make(present)));
  const where = await store.write(changes);
  return report(imports, writer, where, [...notes, ...imports.flatMap((one) => one.notes())]);
}

/** Only one Secret can be told which bundle it becomes; a flat file must be. */
function refuseNaming(secrets: readonly PlainSecret[], wanted: ObjectName | undefined): void {
  const [first, another] = secrets;
  if (wanted === undefined && first?.name === undefined)
    throw new ZoppError("Usage", "keys without a Secret's name: name the bundle, as `zopp import FILE BUNDLE`");
  if (wanted !== undefined && another !== undefined)
    throw new ZoppError("Usage", `one bundle is named for ${secrets.length} Secrets: each becomes one of its own name`);
}

type Place = { readonly namespace: string; readonly name: string };

function placeOf(secret: PlainSecret, wanted: ObjectName | undefined, flag: string | undefined, policy: Policy): Place {
  const asked = wanted?.namespace ?? flag;
  if (asked !== undefined && secret.namespace !== undefined && asked !== secret.namespace)
    throw new ZoppError("Usage", `${secret.title} does not belong to the namespace ${asked}`);
  const namespace = asked ?? secret.namespace ?? onlyNamespace(policy);
  const name = wanted?.name ?? secret.name ?? "";
  if (!isBundleName(namespace) || !isBundleName(name))
    throw new ZoppError("Malformed", `${secret.title}: its name or namespace is none of Kubernetes`);
  return { namespace, name };
}

function refuseTwice(imports: readonly Import[], { namespace, name }: Place, { title }: PlainSecret): void {
  const other = imports.find(({ place }) => place.name === name && place.namespace === namespace);
  if (other !== undefined) throw new ZoppError("Malformed", `${title} and ${other.title} have one name`);
}

/** Who imports, under which policy. */
interface Writer {
  readonly policy: Policy;
  readonly identity: Identity;
  readonly principal: string;
  readonly now: Date;
  /** Seal keys again that the bundle has with another value. */
  readonly replace: boolean;
}

/** One Secret on its way into one bundle. */
class Import {
  readonly place: Place;
  /** What was made last. */
  bundle: ZoppSecret | undefined;
  sealed: readonly string[] = [];
  unchanged: readonly string[] = [];
  isNew = true;
  readonly #secret: PlainSecret;
  readonly #writer: Writer;

  constructor(secret: PlainSecret, place: Place, writer: Writer) {
    this.#secret = secret;
    this.place = place;
    this.#writer = writer;
  }

  get title(): string {
    return this.#secret.title;
  }

  /** The bundle with this Secret's values. May be called again, when somebody else changed the bundle meanwhile. */
  make(present: ZoppSecret | undefined): ZoppSecret {
    try {
      return this.#make(present);
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      throw new ZoppError(error.code, `${this.title}: ${error.message}`, { fields: error.fields });
    }
  }

  #make(present: ZoppSecret | undefined): ZoppSecret {
    const { policy, identity, principal, now } = this.#writer;
    const { environment } = policy;
    this.isNew = present === undefined;
    if (present === undefined) refuseWithout(policy, principal, "header", now);
    else this.#refuseOther(present);
    const writing = { environment, signingKey: identity.signing, now };
    const start = startOf(present, { place: this.place, header: this.#header(), policy, writing, sign: false });
    const values = this.#chosen(present);
    for (const key of values.keys()) refuseWithout(policy, principal, "write", now, key);
    this.sealed = [...values.keys()];
    this.bundle = present !== undefined && values.size === 0 ? present : sealAll(start, values, writing);
    refuseUnsound(this.bundle, policy, this.sealed, now);
    return this.bundle === present ? present : refuseMisshapen(this.bundle);
  }

  #header(): { readonly target?: Target } {
    const { target, name } = this.#secret;
    const renamed = name === undefined || name === this.place.name ? {} : { name };
    const whole = { ...renamed, ...target };
    return Object.keys(whole).length === 0 ? {} : { target: whole };
  }

  /** A bundle that is there keeps its header, so it must be for this Secret already. */
  #refuseOther(present: ZoppSecret): void {
    const { path } = this.#writer.policy.environment;
    const what = `bundle ${this.place.namespace}/${this.place.name}`;
    if (present.spec.environment !== path)
      throw new ZoppError("Usage", `${what} belongs to ${present.spec.environment}, not to ${path}`);
    const { name, target } = this.#secret;
    if (name === undefined) return;
    if (targetName(present) !== name)
      throw new ZoppError("AlreadyExists", `${what} is there and becomes the Secret ${targetName(present)}`);
    if (targetType(present) !== (target.type ?? "Opaque"))
      throw new ZoppError("AlreadyExists", `${what} is there and its Secret is of type ${targetType(present)}`);
  }

  /** The values that are new, or (told so) differ. What this identity cannot open counts as different. */
  #chosen(present: ZoppSecret | undefined): Map<string, Uint8Array> {
    const all = this.#secret.values;
    const isThere = (key: string) => present?.spec.data?.[key]?.sealed !== undefined;
    this.unchanged = [...all].filter(([key, value]) => this.#isSame(present, key, value)).map(([key]) => key);
    const chosen = new Map([...all].filter(([key]) => !this.unchanged.includes(key)));
    const there = [...chosen.keys()].filter(isThere);
    if (there.length === 0 || this.#writer.replace) return chosen;
    const problem = "with other values, or with values that cannot be opened here: --replace seals them again";
    throw new ZoppError("AlreadyExists", `the bundle has ${there.join(", ")} already, ${problem}`);
  }

  #isSame(present: ZoppSecret | undefined, key: string, value: Uint8Array): boolean {
    const { policy, identity, now } = this.#writer;
    if (present?.spec.data?.[key]?.sealed === undefined) return false;
    const opened = unlessRefused(() => {
      verifyForReading(present, policy, [key], now);
      return openValue(present, key, policy.environment, identity);
    });
    return opened !== undefined && Buffer.from(opened).equals(value);
  }

  /** What a person should hear: what was left out, what the bundle lacks, and how the running Secret becomes zopp's. */
  notes(): string[] {
    const { policy, now } = this.#writer;
    const { notes, owners, isLive, name, target } = this.#secret;
    const kept = !this.isNew && Object.keys(target).some((field) => field !== "type");
    const owned = owners.length === 0 ? "" : ` and ${owners.join(", ")} no longer own it`;
    return [
      ...notes,
      ...(kept ? [`Secret ${name}: the bundle was there already, and its labels, annotations and immutable stay`] : []),
      ...(this.bundle === undefined ? [] : notesOn(this.bundle, policy, now)),
      ...(isLive
        ? [`Secret ${name}: zopp takes the running one over once it has zopp.dev/adopt: ${this.place.name}${owned}`]
        : []),
    ];
  }
}

function report(
  imports: readonly Import[],
  { policy }: Writer,
  where: readonly string[],
  notes: readonly string[],
): Result {
  const { path } = policy.environment;
  const lines = imports.map(({ place, sealed, unchanged, isNew }, at) => {
    const did = sealed.length === 0 ? "nothing is new" : `sealed ${sealed.join(", ")}`;
    const rest = unchanged.length === 0 ? "" : `; unchanged ${unchanged.join(", ")}`;
    return `${isNew ? "made" : "kept"} ${place.namespace}/${place.name} of ${path}: ${did}${rest} (${where[at]})`;
  });
  const bundles = imports.map(({ place, bundle, sealed, unchanged, isNew }, at) => ({
    bundle: `${place.namespace}/${place.name}`,
    new: isNew,
    target: bundle === undefined ? place.name : targetName(bundle),
    sealed: sealed.map((key) => ({ key, version: bundle?.spec.data?.[key]?.version })),
    unchanged,
    where: where[at],
  }));
  return {
    data: { environment: path, bundles },
    names: imports.map(({ place }) => `zoppsecret/${place.namespace}/${place.name}`),
    human: lines,
    notes,
  };
}
