// Signs a bundle's header with another rotation, or none. What it says is its command's business.
import { placeOf } from "../crds/bundle/case.js";
import { signHeader } from "../crds/bundle/edit.js";
import { canonicalFields } from "../crds/crypto/jcs.js";
import { ZoppError } from "../crds/errors.js";
import type { SecretSpec, ZoppSecret } from "../crds/types.gen.js";
import {
  bundleName,
  environmentOf,
  needBundle,
  notesOn,
  refuseMisshapen,
  refuseOther,
  refuseUnsound,
} from "./bundles.js";
import { refuseUnseen } from "./header.sign.js";
import { acceptPolicy, refuseWithout, signerOf } from "./policy.js";
import { refuseRotationLacking } from "./rotation.js";
import type { Session } from "./session.js";
import { change } from "./store/store.js";

/** A bundle as it was written, and what is said of that. */
export interface SignedRotation {
  readonly secret: ZoppSecret;
  /** The rotation was there already, and nothing was signed. */
  readonly isSame: boolean;
  readonly place: string;
  readonly where: readonly string[];
  readonly data: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

/** Throws StillNeeded for a value that only the job gets now, and that the Secret would get. */
function refusePublishing(present: ZoppSecret, rotation: SecretSpec["rotation"]): void {
  const { data = {}, rotation: before } = present.spec;
  const published = before?.keys?.find((key) => rotation?.keys?.includes(key) !== true && data[key]?.sealed);
  if (published === undefined) return;
  const place = placeOf(present);
  throw new ZoppError(
    "StillNeeded",
    `bundle ${place}: ${published}, which only the job gets, would be in the Secret: \`zopp unset ${place} ${published}\` first`,
  );
}

/** Gives a bundle the rotation that `make` makes of what is there. `right` is what its signer needs, said before anything else. */
export async function signRotation(
  session: Session,
  bundle: string,
  options: { readonly environment?: string; readonly namespace?: string },
  right: "sign" | "header",
  make: (present: ZoppSecret) => SecretSpec["rotation"],
): Promise<SignedRotation> {
  const now = session.context.now();
  const found = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, found.secret, options.environment);
  const policy = await acceptPolicy(session, environmentOf(found.secret));
  const identity = await session.identity();
  refuseWithout(policy, signerOf(policy.workspace, identity).principal.name, right, now);
  const writing = { environment: policy.environment, signingKey: identity.signing, now };
  let secret = found.secret;
  let isSame = false;
  const rewrite = (present: ZoppSecret | undefined): ZoppSecret => {
    if (present?.spec.environment !== found.secret.spec.environment)
      throw new ZoppError("ApiConflict", "the bundle was changed meanwhile");
    refuseUnseen(present, policy, writing);
    const { rotation: before, ...spec } = present.spec;
    const rotation = make(present);
    isSame = canonicalFields({ rotation: before }) === canonicalFields({ rotation });
    secret = present;
    if (isSame) return secret;
    refusePublishing(present, rotation);
    const changed = { ...present, spec: { ...spec, ...(rotation === undefined ? {} : { rotation }) } };
    refuseRotationLacking(changed);
    secret = refuseMisshapen({ ...changed, spec: { ...changed.spec, header: signHeader(changed, writing) } });
    refuseUnsound(secret, policy, [], now);
    return secret;
  };
  const where = await (await session.store()).write([change("ZoppSecret", found.secret.metadata, rewrite)]);
  const place = placeOf(secret);
  return {
    secret,
    isSame,
    place,
    where,
    data: { bundle: place, environment: secret.spec.environment, changed: !isSame, where: where[0] },
    notes: notesOn(secret, policy, now),
  };
}
