// What a person signs who signs the header of a bundle that is there: shown before, since somebody else may have written it.
// Signing and storing are the commands' business.
import { type Policy, placeOf } from "../crds/bundle/case.js";
import type { Writing } from "../crds/bundle/edit.js";
import { ZoppError } from "../crds/errors.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import { refuseUnaccepted, refuseUnsound } from "./bundles.js";
import { askYes } from "./confirm.js";
import { bundleDifferences, type FieldChange } from "./diff.bundle.js";
import { lines } from "./diff.shown.js";
import { printable } from "./output.js";
import { signerOf } from "./policy.js";
import type { Session } from "./session.js";
import { statesOf } from "./states.js";
import { unlessRefused } from "./unless-refused.js";

/**
 * Tells on stderr what the signature will cover: what differs from the header that was signed last, or all of it where none is
 * known. Where something does, and a person is there, asks. Throws Interrupted.
 */
export async function showHeader(
  session: Session,
  secret: ZoppSecret,
  policy: Policy,
  isConfirmed: boolean,
): Promise<void> {
  const { context } = session;
  const before = await signedLast(session, secret, policy);
  const fields = fieldsBetween(before, secret);
  const tell = (text: string) => context.stderr.write(`${printable(text)}\n`);
  tell(`${placeOf(secret)}: ${opening(before, fields, policy)}`);
  const [, ...told] = lines({ change: "changed", fields });
  for (const line of told) tell(line);
  const terminal = fields.length === 0 || isConfirmed ? undefined : context.terminal();
  if (terminal !== undefined) await askYes(terminal, "Sign the header as it is now?", "nothing was signed");
}

function opening(before: ZoppSecret | undefined, fields: readonly FieldChange[], { workspace }: Policy): string {
  if (before === undefined) return "no header is known that holds; your signature covers all of this:";
  const { version, by } = before.spec.header;
  const last = `version ${version} by ${workspace.roster.signers.get(by)?.principal.name ?? by}`;
  return fields.length === 0
    ? `the header is as it was signed last, in ${last}`
    : `the header is not as it was signed last, in ${last}:`;
}

/**
 * Throws what is wrong with a header that is signed again, unseen, with all else that its author wrote into it. One that waits for
 * approval must be the signer's own: as the signer's, it could be approved by whoever wrote it.
 */
export function refuseUnseen(secret: ZoppSecret, policy: Policy, { signingKey, now }: Writing): void {
  try {
    refuseOthers(secret, policy, signerOf(policy.workspace, { signing: signingKey }).principal.name, now);
  } catch (error) {
    if (!(error instanceof ZoppError) || error.code !== "PendingApproval") throw error;
    const place = placeOf(secret);
    const otherwise = `signed by you, all of it would be yours: \`zopp approve ${place}\` first, put the file back as it was approved, or look at it and sign it by \`zopp set ${place} --sign-header\``;
    throw new ZoppError(error.code, `${error.message}; ${otherwise}`, { cause: error });
  }
}

/** Throws what is wrong with a header, and that it waits for approval where it is another principal's. */
function refuseOthers(secret: ZoppSecret, policy: Policy, principal: string, now: Date): void {
  const author = policy.workspace.roster.signers.get(secret.spec.header.by)?.principal;
  const refuse = author?.name === principal ? refuseUnsound : refuseUnaccepted;
  refuse(secret, policy, [], now);
}

/** Throws ApiConflict where the header is not what was shown. */
export function refuseOtherHeader(shown: ZoppSecret, present: ZoppSecret | undefined): void {
  if (present !== undefined && fieldsBetween(shown, present).length === 0) return;
  throw new ZoppError("ApiConflict", `the header of bundle ${placeOf(shown)} was changed meanwhile`);
}

function fieldsBetween(before: ZoppSecret | undefined, after: ZoppSecret): readonly FieldChange[] {
  const header = bundleDifferences(before, after).find(({ key }) => key === undefined);
  return header?.fields ?? [];
}

/** The newest header that holds, and does not wait as somebody else's, of the bundle as it is and of the states that are kept: only its version says which one that is. */
async function signedLast(session: Session, secret: ZoppSecret, policy: Policy): Promise<ZoppSecret | undefined> {
  const now = session.context.now();
  const { principal } = signerOf(policy.workspace, await session.identity());
  const holds = (one: ZoppSecret) =>
    one.spec.environment === policy.environment.path &&
    unlessRefused(() => {
      refuseOthers(one, policy, principal.name, now);
      return true;
    }) === true;
  const all = [secret, ...(await keptStates(session, secret))].filter(holds);
  return all.reduce<ZoppSecret | undefined>(
    (best, one) => (best === undefined || one.spec.header.version > best.spec.header.version ? one : best),
    undefined,
  );
}

/** None outside git, and where the cluster's may not be listed: then all of the header is shown. */
async function keptStates(session: Session, secret: ZoppSecret): Promise<readonly ZoppSecret[]> {
  try {
    return (await statesOf(session, secret)).states.map((state) => state.secret);
  } catch (error) {
    if (error instanceof ZoppError) return [];
    throw error;
  }
}
