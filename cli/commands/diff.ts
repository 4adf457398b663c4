// `zopp diff`: what differs from a git revision, or what approvers are asked to sign. Names and versions always;
// values only when asked for, and only those that whoever asks may open.
import { type Policy, placeOf } from "../../crds/bundle/case.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { bundleName, environmentOf, needBundle, refuseOther } from "../bundles.js";
import { bundleDifferences } from "../diff.bundle.js";
import { lines, type Showing, type Shown, show } from "../diff.shown.js";
import type { Result } from "../output.js";
import { acceptPolicy } from "../policy.js";
import type { Session } from "../session.js";
import { stateAt } from "../states.js";
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

/** Runs `zopp diff [BUNDLE] [REVISION...]`. */
export async function run(
  session: Session,
  [bundle, ...revisions]: readonly string[],
  options: DiffOptions,
): Promise<Result> {
  refuseMix(revisions, options);
  const store = await session.store();
  const notes: string[] = [];
  if (bundle !== undefined && revisions.length > 0)
    return result(await betweenStates(session, bundle, revisions, { options, notes }), options, notes);
  if (store.kind !== "directory")
    throw new ZoppError(
      "Usage",
      "say which state of which bundle: `zopp diff BUNDLE REVISION`; `zopp history` lists them",
    );
  const directory = store as DirectoryStore;
  const wanted = (objects: readonly Found[]) => bundlesIn(session, objects, bundle, options);
  const present = wanted((await directory.contents()).objects);
  const shown =
    options.approval === true
      ? await waiting(session, present, (await directory.history()).past, wanted, { options, notes })
      : await sinceBase(session, present, wanted((await directory.at(options.base ?? "HEAD")).objects), {
          options,
          notes,
        });
  if (bundle !== undefined && present.size === 0 && shown.length === 0)
    throw new ZoppError("NotFound", `there is no bundle ${bundle} in ${store.title}`);
  return result(shown, options, notes);
}

function refuseMix(revisions: readonly string[], { approval, base }: DiffOptions): void {
  if (approval === true && base !== undefined)
    throw new ZoppError("Usage", "--approval finds its base itself: the last version that waited for nothing");
  if (revisions.length > 2)
    throw new ZoppError("Usage", "a bundle is compared in one revision with another, or with now");
  if (revisions.length > 0 && (approval === true || base !== undefined))
    throw new ZoppError("Usage", "revisions are named after the bundle, or by --base or --approval, not by both");
}

function result(shown: readonly ShownBundle[], options: DiffOptions, notes: readonly string[]): Result {
  return {
    data: { bundles: shown.map(({ place, parts }) => ({ bundle: place, parts })) },
    names: shown.map(({ place }) => `zoppsecret/${place}`),
    human:
      shown.length === 0 ? [nothing(options)] : shown.flatMap(({ place, parts }) => [place, ...parts.flatMap(lines)]),
    notes,
    exit: shown.length === 0 ? 0 : 1,
  };
}

/** From one state of a bundle to another, or to what is there now. */
async function betweenStates(
  session: Session,
  bundle: string,
  [from = "", to]: readonly string[],
  showing: Showing & { readonly options: DiffOptions },
): Promise<ShownBundle[]> {
  const { namespace, environment } = showing.options;
  const { secret } = await needBundle(session, bundleName(bundle, namespace), environment);
  refuseOther(session, secret, environment);
  const before = (await stateAt(session, secret, from)).secret;
  const after = to === undefined ? secret : (await stateAt(session, secret, to)).secret;
  const parts = bundleDifferences(before, after);
  if (parts.length === 0) return [];
  return [{ place: placeOf(secret), parts: await show(session, { before, after }, parts, showing) }];
}

function nothing({ approval }: DiffOptions): string {
  return approval === true ? "nothing waits for an approval" : "no bundle differs";
}

type Bundles = ReadonlyMap<string, ZoppSecret>;
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
