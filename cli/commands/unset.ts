// `zopp unset`: replaces entries by signed tombstones, so that a keyring knows that they were taken away on purpose.
// The bundle itself stays; deleting its manifest deletes it.
import { retireEntry } from "../../crds/bundle/edit.js";
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
import type { Result } from "../output.js";
import { acceptPolicy, refuseWithout, signerOf } from "../policy.js";
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
  for (const key of keys) refuseWithout(policy, principal.name, "write", now, key);
  const writing = { environment: policy.environment, signingKey: identity.signing, now };
  const { namespace, name } = found.secret.metadata;
  let written = found.secret;
  const retire = (present: ZoppSecret | undefined): ZoppSecret => {
    if (present?.spec.environment !== found.secret.spec.environment)
      throw new ZoppError("ApiConflict", "the bundle was changed meanwhile");
    refuseUnsound(present, policy, [], now);
    const data: Record<string, Entry> = { ...present.spec.data };
    for (const key of keys) {
      if (data[key] === undefined || data[key].retired === true)
        throw new ZoppError("NotFound", `bundle ${namespace}/${name} has no key ${key}`);
      data[key] = retireEntry(present, key, writing);
    }
    written = { ...present, spec: { ...present.spec, data } };
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
