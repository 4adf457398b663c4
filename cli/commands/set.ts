// `zopp set`: seals values, signs their entries and writes them to a bundle, which it creates when it is not there.
// Needs no right to read: sealing uses public keys of a policy that chains from a pin.

import type { Policy } from "../../crds/bundle/case.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import {
  bundleName,
  environmentOf,
  findBundle,
  needBundle,
  notesOn,
  refuseMisshapen,
  refuseUnsound,
} from "../bundles.js";
import { refuseOtherHeader, showHeader } from "../header.sign.js";
import type { Result } from "../output.js";
import { acceptPolicy, refuseWithout, signerOf } from "../policy.js";
import { rotationText } from "../rotation.js";
import { type Header, onlyNamespace, sealAll, startOf } from "../sealing.js";
import type { Session } from "../session.js";
import { environmentPath, pathText } from "../settings.js";
import { change } from "../store/store.js";
import { readValues, refuseKeys, type ValueSource, type Values } from "../values.js";
import { expiryOf, oneOf, pairsOf } from "./options.js";

/** The flags of `zopp set`. */
export interface SetOptions extends ValueSource {
  readonly environment?: string;
  readonly namespace?: string;
  readonly expires?: string;
  readonly signHeader?: boolean;
  readonly yes?: boolean;
  readonly target?: string;
  readonly type?: string;
  readonly label?: readonly string[];
  readonly annotation?: readonly string[];
  readonly deletion?: string;
  readonly restart?: string;
}

/** True where the header is signed, and nothing else. */
function isHeaderOnly(keys: readonly string[], { signHeader, dotenv, fromFile, expires }: SetOptions): boolean {
  const isOnly = signHeader === true && keys.length === 0 && dotenv === undefined && fromFile === undefined;
  if (isOnly && expires !== undefined) throw new ZoppError("Usage", "--expires is a value's: name its key");
  return isOnly;
}

/** Runs `zopp set BUNDLE KEY...`. */
export async function run(
  session: Session,
  [bundle = "", ...keys]: readonly string[],
  options: SetOptions,
): Promise<Result> {
  const headerOnly = isHeaderOnly(keys, options);
  if (!headerOnly) refuseKeys(keys, options);
  const { context } = session;
  const wanted = bundleName(bundle, options.namespace);
  const found = await (headerOnly ? needBundle : findBundle)(session, wanted, options.environment);
  const named = options.environment === undefined ? undefined : environmentPath(options.environment, session.settings);
  const path =
    found === undefined ? (named ?? environmentPath(undefined, session.settings)) : environmentOf(found.secret);
  if (named !== undefined && pathText(named) !== pathText(path)) {
    throw new ZoppError("Usage", `bundle ${bundle} belongs to ${pathText(path)}, not to ${pathText(named)}`);
  }
  const policy = await acceptPolicy(session, path);
  const place =
    found === undefined
      ? { name: wanted.name, namespace: wanted.namespace ?? onlyNamespace(policy) }
      : found.secret.metadata;
  const identity = await session.identity();
  const now = context.now();
  const { principal } = signerOf(policy.workspace, identity);
  if (found === undefined || options.signHeader === true) refuseWithout(policy, principal.name, "header", now);
  for (const key of keys) refuseWithout(policy, principal.name, "write", now, key);
  const header = found === undefined ? headerOf(options) : refuseHeaderFlags(options);
  // nobody is asked for a value that could then not be sealed
  if (found !== undefined && options.signHeader !== true) refuseUnsound(found.secret, policy, [], now);
  const signed = options.signHeader === true ? found?.secret : undefined;
  if (signed !== undefined) await showHeader(session, signed, policy, options.yes === true);
  const expires = expiryOf(options.expires, now);
  const { values, notes } = headerOnly ? NO_VALUES : await readValues(context, keys, options);
  const writing = { environment: policy.environment, signingKey: identity.signing, now };
  let written: ZoppSecret | undefined;
  const make = (present: ZoppSecret | undefined): ZoppSecret => {
    if (signed !== undefined) refuseOtherHeader(signed, present);
    const start = startOf(present, { place, header, policy, writing, sign: signed !== undefined });
    written = headerOnly ? start : sealAll(start, values, { ...writing, expires });
    refuseUnsound(written, policy, [...values.keys()], now);
    return refuseMisshapen(written);
  };
  const where = await (await session.store()).write([
    change("ZoppSecret", { namespace: place.namespace, name: place.name }, make),
  ]);
  return report(written, [...values.keys()], policy, where, [
    ...notes,
    ...(written === undefined ? [] : notesOn(written, policy, now)),
    ...(options.signHeader === true ? notesOnJob(written) : []),
  ]);
}

/** Whoever signs a header that is there signs for its job too, and should know what that runs. */
function notesOnJob(written: ZoppSecret | undefined): readonly string[] {
  const rotation = written?.spec.rotation;
  if (rotation === undefined) return [];
  return [`the header that you signed has a job run that gets all values of the bundle: ${rotationText(rotation)}`];
}

const NO_VALUES: Values = { values: new Map(), notes: [] };
const HEADER_FLAGS = ["target", "type", "label", "annotation", "deletion", "restart"] as const;

/** Flags of the header are for new bundles: on an old one they would silently do nothing. */
function refuseHeaderFlags(options: SetOptions): Header {
  const flag = HEADER_FLAGS.find((name) => options[name] !== undefined);
  if (flag === undefined) return {};
  throw new ZoppError("Usage", `--${flag} is for a new bundle; this one is there already`);
}

function headerOf(options: SetOptions): Header {
  const restart = oneOf("--restart", options.restart, ["auto", "none"]);
  const deletionPolicy = oneOf("--deletion", options.deletion, ["Delete", "Retain"]);
  const [labels, annotations] = [pairsOf("--label", options.label), pairsOf("--annotation", options.annotation)];
  const target = {
    ...(options.target === undefined ? {} : { name: options.target }),
    ...(options.type === undefined ? {} : { type: options.type }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(deletionPolicy === undefined ? {} : { deletionPolicy }),
  };
  return { ...(Object.keys(target).length === 0 ? {} : { target }), ...(restart === undefined ? {} : { restart }) };
}

function report(
  written: ZoppSecret | undefined,
  keys: readonly string[],
  policy: Policy,
  where: readonly string[],
  notes: readonly string[],
): Result {
  const { namespace, name } = written?.metadata ?? { namespace: "", name: "" };
  const what = keys.length === 0 ? "signed the header of" : `set ${keys.join(", ")} in`;
  const entries = keys.map((key) => ({ key, version: written?.spec.data?.[key]?.version }));
  return {
    data: { bundle: `${namespace}/${name}`, environment: policy.environment.path, entries, where: where[0] },
    names: [`zoppsecret/${namespace}/${name}`],
    human: [`${what} ${namespace}/${name} of ${policy.environment.path} (${where.join(", ")})`],
    notes,
  };
}
