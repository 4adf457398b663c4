// `zopp unset`: replaces entries by signed tombstones, so that a keyring knows that they were taken away on purpose, and takes
// rules of generated values out of the header.
// The bundle itself stays; deleting its manifest deletes it.
import { retireEntry, signHeader, type Writing } from "../../crds/bundle/edit.js";
import { ZoppError } from "../../crds/errors.js";
import type { Entry, ZoppSecret } from "../../crds/types.gen.js";
import {
  bundleName,
  environmentOf,
  needBundle,
  notesOn,
  refuseMisshapen,
  refuseOther,
  refuseUnsound,
} from "../bundles.js";
import { refuseUnseen } from "../header.sign.js";
import type { Result } from "../output.js";
import { acceptPolicy, refuseWithout, signerOf } from "../policy.js";
import { refuseRotationLacking } from "../rotation.js";
import type { Session } from "../session.js";
import { change } from "../store/store.js";

/** The flags of `zopp unset`. */
export interface UnsetOptions {
  readonly namespace?: string;
  readonly environment?: string;
}

/** Runs `zopp unset BUNDLE KEY...`. */
export async function run(
  session: Session,
  [bundle = "", ...keys]: readonly string[],
  options: UnsetOptions,
): Promise<Result> {
  const found = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, found.secret, options.environment);
  const policy = await acceptPolicy(session, environmentOf(found.secret));
  const identity = await session.identity();
  const now = session.context.now();
  const { principal } = signerOf(policy.workspace, identity);
  const isRule = (key: string) => Object.hasOwn(found.secret.spec.generate ?? {}, key);
  const signsHeader = keys.some(isRule);
  if (signsHeader) refuseWithout(policy, principal.name, "header", now);
  for (const key of keys) if (!isRule(key)) refuseWithout(policy, principal.name, "write", now, key);
  const writing = { environment: policy.environment, signingKey: identity.signing, now };
  const { namespace, name } = found.secret.metadata;
  let written = found.secret;
  const retire = (present: ZoppSecret | undefined): ZoppSecret => {
    if (present?.spec.environment !== found.secret.spec.environment)
      throw new ZoppError("ApiConflict", "the bundle was changed meanwhile");
    if (signsHeader) refuseUnseen(present, policy, writing);
    else refuseUnsound(present, policy, [], now);
    const data: Record<string, Entry> = { ...present.spec.data };
    for (const key of keys) {
      if (isRule(key)) continue;
      if (data[key] === undefined || data[key].retired === true)
        throw new ZoppError("NotFound", `bundle ${namespace}/${name} has no key ${key}`);
      data[key] = retireEntry(present, key, writing);
    }
    written = withoutRules({ ...present, spec: { ...present.spec, data } }, keys.filter(isRule), writing);
    refuseUnsound(written, policy, keys, now);
    return refuseMisshapen(written);
  };
  const where = await (await session.store()).write([change("ZoppSecret", { namespace, name }, retire)]);
  return {
    data: { bundle: `${namespace}/${name}`, environment: policy.environment.path, retired: keys, where: where[0] },
    names: [`zoppsecret/${namespace}/${name}`],
    human: [`took ${keys.join(", ")} out of ${namespace}/${name} (${where.join(", ")})`],
    notes: notesOn(written, policy, now),
  };
}

/** The bundle without rules of generated values, its header signed again; where there are none of them, as it is. */
function withoutRules(secret: ZoppSecret, keys: readonly string[], writing: Writing): ZoppSecret {
  if (keys.length === 0) return secret;
  const rules = Object.entries(secret.spec.generate ?? {}).filter(([key]) => !keys.includes(key));
  const { generate: _, ...spec } = secret.spec;
  const changed = {
    ...secret,
    spec: { ...spec, ...(rules.length === 0 ? {} : { generate: Object.fromEntries(rules) }) },
  };
  refuseRotationLacking(changed);
  return { ...changed, spec: { ...changed.spec, header: signHeader(changed, writing) } };
}
