// `zopp rollback`: puts a bundle back to an earlier state, by new versions that whoever goes back signs: versions only count up.
// What is the same stays untouched. Earlier values are verified, read and sealed anew, since a seal is for one version only.
import { type Policy, placeOf } from "../../crds/bundle/case.js";
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
import {
  type Back,
  confirmAuthors,
  earlierEntries,
  planBack,
  refuseCarrying,
  refuseUnlike,
  vouchedParts,
  withHeaderOf,
} from "../going-back.js";
import type { KeyringOptions } from "../keyring-call.js";
import type { Result } from "../output.js";
import { acceptPolicy, refuseWithout, signerOf } from "../policy.js";
import { readValuesOf } from "../reading.js";
import { sealAll, startOf, unchangedSince } from "../sealing.js";
import type { Session } from "../session.js";
import { refuseEdited, type State, stateAt } from "../states.js";
import { change } from "../store/store.js";

/** The flags of `zopp rollback`. */
export interface RollbackOptions extends KeyringOptions {
  readonly to?: string;
  readonly retire?: boolean;
  readonly yes?: boolean;
  readonly namespace?: string;
  readonly environment?: string;
}

/** Runs `zopp rollback BUNDLE [KEY...] --to REVISION`. */
export async function run(
  session: Session,
  [bundle = "", ...keys]: readonly string[],
  options: RollbackOptions,
): Promise<Result> {
  if (options.to === undefined)
    throw new ZoppError("Usage", "say where to by --to; `zopp history` lists the revisions");
  const { secret } = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, secret, options.environment);
  const policy = await acceptPolicy(session, environmentOf(secret));
  const identity = await session.identity();
  const { principal } = signerOf(policy.workspace, identity);
  const state = await stateAt(session, secret, options.to);
  refuseElsewhere(secret, state);
  refuseEdited(secret, state, policy);
  const back = planBack(secret, state.secret, { keys, retire: options.retire === true });
  const now = session.context.now();
  if (isNothing(back)) {
    refuseUnlike(secret, back, policy, now);
    return report(secret, state, back, [], policy, []);
  }
  refuseNotAllowed(policy, principal.name, back, now);
  const writing = { environment: policy.environment, signingKey: identity.signing, now };
  if (back.header) refuseCarrying(secret, state.secret, policy, writing);
  const parts = await vouchedParts(session, { policy, present: secret, state, back });
  await confirmAuthors(session, state, parts, options.yes === true);
  const { values, notes } =
    back.restored.length === 0
      ? { values: new Map<string, Uint8Array>(), notes: [] }
      : await readValuesOf(session, {
          ...options,
          secret: earlierEntries(secret, state.secret, back.restored),
          policy,
          keys: back.restored,
          earlier: true,
        });
  try {
    const { written, where } = await write(session, { present: secret, state, back, values, policy, writing });
    return report(written, state, back, where, policy, [...notes, ...notesOn(written, policy, now)]);
  } finally {
    for (const value of values.values()) value.fill(0);
  }
}

/** What is written, over which bundle. */
interface Write {
  readonly present: ZoppSecret;
  readonly state: State;
  readonly back: Back;
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly policy: Policy;
  readonly writing: Writing;
}

async function write(session: Session, { present: shown, state, back, values, policy, writing }: Write) {
  let written = shown;
  const keys = [...back.restored, ...back.retired];
  const make = (present: ZoppSecret | undefined): ZoppSecret => {
    const same = unchangedSince(shown, present, keys, back);
    written = putBack(same, state.secret, back, values, policy, writing);
    refuseUnsound(written, policy, keys, writing.now);
    return refuseMisshapen(written);
  };
  const { namespace, name } = shown.metadata;
  const where = await (await session.store()).write([change("ZoppSecret", { namespace, name }, make)]);
  return { written, where };
}

function isNothing({ header, restored, retired }: Back): boolean {
  return !header && restored.length + retired.length === 0;
}

function refuseElsewhere(secret: ZoppSecret, { revision, secret: before }: State): void {
  if (before.spec.environment === secret.spec.environment) return;
  const text = `bundle ${placeOf(secret)} belonged to ${before.spec.environment} in revision ${revision}, and does to ${secret.spec.environment} now`;
  throw new ZoppError("EnvironmentChanged", text);
}

/** Before anything is read: who could not store it need not see it. */
function refuseNotAllowed(policy: Policy, principal: string, back: Back, now: Date): void {
  if (back.header) refuseWithout(policy, principal, "header", now);
  for (const key of [...back.restored, ...back.retired]) refuseWithout(policy, principal, "write", now, key);
  for (const key of back.restored) {
    try {
      refuseWithout(policy, principal, "read", now, key);
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      const text = `${principal} may write ${key} in ${policy.environment.path}, but not read it, and to go back its earlier value is read and sealed anew`;
      throw new ZoppError(error.code, `${text}: let somebody do it who may read, or write the value by \`zopp set\``);
    }
  }
}

function putBack(
  present: ZoppSecret,
  before: ZoppSecret,
  { header, restored, retired }: Back,
  values: ReadonlyMap<string, Uint8Array>,
  policy: Policy,
  writing: Writing,
): ZoppSecret {
  if (header) refuseCarrying(present, before, policy, writing);
  let next = header ? withHeaderOf(present, before) : present;
  if (header) next = { ...next, spec: { ...next.spec, header: signHeader(next, writing) } };
  else next = startOf(present, { place: present.metadata, header: {}, policy, writing, sign: false });
  const tombstones: Record<string, Entry> = {};
  for (const key of retired) tombstones[key] = retireEntry(next, key, writing);
  next = { ...next, spec: { ...next.spec, data: { ...next.spec.data, ...tombstones } } };
  for (const key of restored) {
    const value = values.get(key);
    if (value === undefined)
      throw new ZoppError(
        "NotAuthorised",
        `the keyring did not give the earlier value of ${key}: write it again by \`zopp set ${placeOf(present)} ${key}\``,
      );
    next = sealAll(next, new Map([[key, value]]), { ...writing, expires: before.spec.data?.[key]?.expires });
  }
  return next;
}

function report(
  written: ZoppSecret,
  { revision }: State,
  { header, restored, retired, kept, carried }: Back,
  where: readonly string[],
  policy: Policy,
  notes: readonly string[],
): Result {
  const place = placeOf(written);
  const told = [
    ...(header ? ["signed the header as it was"] : []),
    ...(restored.length === 0 ? [] : [`put ${restored.join(", ")} back`]),
    ...(retired.length === 0 ? [] : [`took ${retired.join(", ")} out`]),
  ];
  const added = `${kept.join(", ")} came later and ${kept.length === 1 ? "stays" : "stay"}; --retire takes out what came later`;
  const stays = `${carried.join(", ")} ${carried.length === 1 ? "is another one" : "are other ones"} now and ${carried.length === 1 ? "stays" : "stay"}: \`zopp generate\` and \`zopp rotation set\` change them`;
  return {
    data: {
      bundle: place,
      environment: policy.environment.path,
      revision,
      header,
      restored: restored.map((key) => ({ key, version: written.spec.data?.[key]?.version })),
      retired,
      kept,
      carried,
      where: where[0],
    },
    names: [`zoppsecret/${place}`],
    human: [
      told.length === 0
        ? `nothing of ${place} has to go back to ${revision}; where a cluster refuses it as RollbackRefused, take the revert back first`
        : `${told.join(", ")}: ${place} of ${policy.environment.path} is as in ${revision} (${where.join(", ")})`,
    ],
    notes: [...(kept.length === 0 ? [] : [added]), ...(carried.length === 0 ? [] : [stays]), ...notes],
  };
}
