// `zopp diff`: what differs from a git revision, or what approvers are asked to sign. Names and versions always;
// values only when asked for, and only those that whoever asks may open.
import { type Policy, placeOf } from "../../crds/bundle/case.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { environmentOf, refuseOther } from "../bundles.js";
import { bundleDifferences, type Difference } from "../diff.bundle.js";
import { openValue } from "../epoch-keys.js";
import { jsonText, type Result } from "../output.js";
import { acceptPolicy } from "../policy.js";
import type { Session } from "../session.js";
import type { DirectoryStore, Past } from "../store/directory.js";
import { type Found, parseFound } from "../store/store.js";
import { unlessRefused } from "../unless-refused.js";
import { type Part, waitingParts } from "../waiting.js";

/** The flags of `zopp diff`. */
export interface DiffOptions {
  readonly base?: string;
  readonly approval?: boolean;
  readonly values?: boolean;
  readonly namespace?: string;
  readonly environment?: string;
}

/** A bundle in its two versions, of which one may be missing. */
interface Pair {
  readonly before: ZoppSecret | undefined;
  readonly after: ZoppSecret | undefined;
}

/** A difference as it is shown: authors by name where the policy says them, values where they may be. */
interface Shown extends Difference {
  readonly author?: string;
  readonly values?: { readonly before?: string; readonly after?: string };
}

/** Runs `zopp diff [BUNDLE]`. */
export async function run(session: Session, [bundle]: readonly string[], options: DiffOptions): Promise<Result> {
  if (options.approval === true && options.base !== undefined)
    throw new ZoppError("Usage", "--approval finds its base itself: the last version that waited for nothing");
  const store = await session.store();
  if (store.kind !== "directory")
    throw new ZoppError("Usage", "a cluster holds one version of each bundle: run it in a git checkout");
  const directory = store as DirectoryStore;
  const wanted = (objects: readonly Found[]) => bundlesIn(session, objects, bundle, options);
  const present = wanted((await directory.contents()).objects);
  const notes: string[] = [];
  const shown =
    options.approval === true
      ? await waiting(session, present, (await directory.history()).past, wanted, { options, notes })
      : await sinceBase(session, present, wanted((await directory.at(options.base ?? "HEAD")).objects), {
          options,
          notes,
        });
  if (bundle !== undefined && present.size === 0 && shown.length === 0)
    throw new ZoppError("NotFound", `there is no bundle ${bundle} in ${store.title}`);
  return {
    data: { bundles: shown.map(({ place, parts }) => ({ bundle: place, parts })) },
    names: shown.map(({ place }) => `zoppsecret/${place}`),
    human:
      shown.length === 0 ? [nothing(options)] : shown.flatMap(({ place, parts }) => [place, ...parts.flatMap(lines)]),
    notes,
    exit: shown.length === 0 ? 0 : 1,
  };
}

function nothing({ approval }: DiffOptions): string {
  return approval === true ? "nothing waits for an approval" : "no bundle differs";
}

type Bundles = ReadonlyMap<string, ZoppSecret>;
interface Showing {
  readonly options: DiffOptions;
  readonly notes: string[];
}
interface ShownBundle {
  readonly place: string;
  readonly parts: readonly Shown[];
}

/** The bundles by place that are asked for. What cannot be parsed is the business of `verify`. */
function bundlesIn(
  session: Session,
  objects: readonly Found[],
  bundle: string | undefined,
  options: DiffOptions,
): Bundles {
  const bundles = new Map<string, ZoppSecret>();
  for (const { kind, value, where } of objects) {
    if (kind !== "ZoppSecret") continue;
    const secret = parseFound("ZoppSecret", value, where);
    const { namespace, name } = secret.metadata;
    if (bundle !== undefined && bundle !== name && bundle !== placeOf(secret)) continue;
    if (options.namespace !== undefined && options.namespace !== namespace) continue;
    if (bundle !== undefined) refuseOther(session, secret, options.environment);
    else if (options.environment !== undefined && !`/${secret.spec.environment}`.endsWith(`/${options.environment}`))
      continue;
    bundles.set(placeOf(secret), secret);
  }
  return bundles;
}

async function sinceBase(session: Session, present: Bundles, base: Bundles, showing: Showing): Promise<ShownBundle[]> {
  const places = [...new Set([...base.keys(), ...present.keys()])].sort();
  const all: ShownBundle[] = [];
  for (const place of places) {
    const pair = { before: base.get(place), after: present.get(place) };
    const parts = bundleDifferences(pair.before, pair.after);
    if (parts.length > 0) all.push({ place, parts: await show(session, pair, parts, showing) });
  }
  return all;
}

/** What waits, against the newest version in git of which nothing waited: that is what runs meanwhile. */
async function waiting(
  session: Session,
  present: Bundles,
  past: readonly Past[],
  wanted: (objects: readonly Found[]) => Bundles,
  showing: Showing,
): Promise<ShownBundle[]> {
  const all: ShownBundle[] = [];
  for (const [place, after] of present) {
    const policy = await acceptPolicy(session, environmentOf(after));
    const parts = partsOf(session, policy, after);
    if (parts.length === 0) continue;
    const versionIn = (objects: readonly Found[]) =>
      wanted(objects.filter(({ namespace, name }) => `${namespace}/${name}` === place)).get(place);
    const before = newestSettled(session, policy, past, versionIn);
    const keys = new Set(parts.map(({ key }) => key));
    const changed = bundleDifferences(before, after).filter(({ key }) => keys.has(key));
    all.push({ place, parts: await show(session, { before, after }, changed, showing) });
  }
  return all;
}

/** Looks back one commit after the other, and no further than it must. */
function newestSettled(
  session: Session,
  policy: Policy,
  past: readonly Past[],
  versionIn: (objects: readonly Found[]) => ZoppSecret | undefined,
): ZoppSecret | undefined {
  for (const { objects } of past.toReversed()) {
    const old = versionIn(objects);
    if (old !== undefined && isSettled(session, policy, old)) return old;
  }
  return undefined;
}

function partsOf(session: Session, policy: Policy, secret: ZoppSecret): readonly Part[] {
  return waitingParts({ ...policy, secret, now: session.context.now() });
}

function isSettled(session: Session, policy: Policy, secret: ZoppSecret): boolean {
  return unlessRefused(() => partsOf(session, policy, secret))?.length === 0;
}

async function show(
  session: Session,
  { before, after }: Pair,
  parts: readonly Difference[],
  { options, notes }: Showing,
): Promise<readonly Shown[]> {
  const secret = after ?? before;
  if (secret === undefined) return parts;
  const policy = await policyOf(session, secret, options, notes);
  const opened =
    options.values === true && policy !== undefined ? await opener(session, policy, notes) : () => undefined;
  return parts.map((part) => {
    const author = policy?.workspace.roster.signers.get(part.after?.by ?? "")?.principal.name ?? part.after?.by;
    const [one, other] = [before && opened(before, part.key), after && opened(after, part.key)];
    const values = { ...(one === undefined ? {} : { before: one }), ...(other === undefined ? {} : { after: other }) };
    return { ...part, ...(author && { author }), ...(Object.keys(values).length === 0 ? {} : { values }) };
  });
}

/** Without a trusted policy versions are still shown; values never are. */
async function policyOf(
  session: Session,
  secret: ZoppSecret,
  { values }: DiffOptions,
  notes: string[],
): Promise<Policy | undefined> {
  try {
    return await acceptPolicy(session, environmentOf(secret));
  } catch (error) {
    if (!(error instanceof ZoppError) || values === true) throw error;
    notes.push(`${error.code}: ${error.message}`);
    return undefined;
  }
}

type Open = (secret: ZoppSecret, key: string | undefined) => string | undefined;

/** Opens values with the own key where that may be; why it may not be is said once. */
async function opener(session: Session, policy: Policy, notes: string[]): Promise<Open> {
  const identity = await session.identity();
  const now = session.context.now();
  return (secret, key) => {
    if (key === undefined || secret.spec.data?.[key]?.sealed === undefined) return undefined;
    try {
      waitingParts({ ...policy, secret, now }); // all but approvals must hold, which are what is being looked at
      const value = openValue(secret, key, policy.environment, identity);
      const text = jsonText(Buffer.from(value).toString("utf8"));
      value.fill(0);
      return text;
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      const note = `${placeOf(secret)}: ${key} is not shown: ${error.code}: ${error.message}`;
      if (!notes.includes(note)) notes.push(note);
      return undefined;
    }
  };
}

const SIGNS: Readonly<Record<Difference["change"], string>> = {
  added: "+",
  changed: "~",
  "sealed again": "~",
  retired: "-",
  removed: "-",
};

function lines({ key, change, before, after, author, fields = [], values }: Shown): readonly string[] {
  const versions = [before?.version, after?.version].filter((version) => version !== undefined).join(" -> ");
  const by = author === undefined ? "" : ` by ${author}`;
  return [
    `  ${SIGNS[change]} ${key ?? "header"} ${change}, version ${versions}${by}`,
    ...fields.map(({ field, before: was = "nothing", after: is = "nothing" }) => `      ${field}: ${was} -> ${is}`),
    ...(values === undefined ? [] : [`      value: ${values.before ?? "not shown"} -> ${values.after ?? "not shown"}`]),
  ];
}
