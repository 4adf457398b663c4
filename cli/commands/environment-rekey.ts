// `zopp environment rekey`: a new epoch of an environment's key, and every value of its bundles sealed to it again.
// Whoever rekeys signs all of it, so nothing is signed whose author's signature cannot be checked. Interrupted, it is run again.
import { type Policy, placeOf } from "../../crds/bundle/case.js";
import { setEntry, signHeader, type Writing } from "../../crds/bundle/edit.js";
import { examineBundle } from "../../crds/bundle/verify.js";
import {
  type DecryptionKey,
  decryptionKeyFromRaw,
  type Identity,
  newEnvironmentKey,
} from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import { type EnvironmentContent, environmentContent } from "../../crds/policy/edit.js";
import { type AcceptedEnvironment, ruleFor } from "../../crds/policy/environment.js";
import type { Entry, ZoppSecret } from "../../crds/types.gen.js";
import { storeAmendment } from "../amend.js";
import { bundlesOf, refuseMisshapen, refuseProblems } from "../bundles.js";
import { type Base, baseAt } from "../check.base.js";
import { type Opener, openPrivateKey, openValueWith, readRecovery } from "../epoch-keys.js";
import { counted, type Result } from "../output.js";
import { acceptPolicy, environmentName, refuseWithout, signerOf } from "../policy.js";
import type { Session } from "../session.js";
import { environmentPath } from "../settings.js";
import { change } from "../store/store.js";
import { againstPart, authorOf, type Voucher, voucherIn } from "../vouching.js";
import { environmentRecipients, wrapToAll } from "../wrapping.js";
import { kemOf } from "./options.js";

/** As many epochs as an environment lists: the oldest go, which only history is sealed to. */
const MAX_EPOCHS = 64;

/** The flags of `zopp environment rekey`. */
export interface EnvironmentRekeyOptions {
  readonly recoveryFile?: string;
  readonly kem?: string;
  readonly base?: readonly string[];
}

/** Runs `zopp environment rekey [PATH]`. */
export async function run(
  session: Session,
  [text]: readonly string[],
  options: EnvironmentRekeyOptions,
): Promise<Result> {
  const path = environmentPath(text, session.settings);
  const policy = await acceptPolicy(session, path);
  const identity = await session.identity();
  const { principal } = signerOf(policy.workspace, identity);
  const now = session.context.now();
  for (const action of ["sign", "header"] as const) refuseWithout(policy, principal.name, action, now);
  const recovery =
    options.recoveryFile === undefined ? undefined : await readRecovery(session.context, options.recoveryFile);
  const bundles = await bundlesOf(session, policy.environment.path);
  const checking = { policy, vouchers: await vouchersOf(session, policy, options), principal: principal.name, now };
  const { kid } = policy.environment.newest.key;
  const isUnfinished = bundles.some((secret) => toSeal(secret, kid, checking).length > 0);
  for (const secret of bundles) {
    const left = refuseUnchecked(secret, checking, isUnfinished ? kid : undefined);
    for (const { key, author } of left)
      session.context.stderr.write(
        `${placeOf(secret)}: ${key ?? "the header"} is ${author}'s, who has left: you sign it\n`,
      );
    for (const [key] of stale(secret, undefined).filter(([key]) => isWaiting(secret, key, checking)))
      session.context.stderr.write(
        `${placeOf(secret)}: ${key} by ${authorOf(secret, key, policy)} waits for approval, and stays as it is: run this again when it is approved\n`,
      );
  }
  const keys = await openEpochs(policy.environment, bundles, { identity, recovery });
  const amended = isUnfinished ? undefined : await storeNewEpoch(session, policy, options, identity);
  const environment = amended?.environments[0] ?? policy.environment;
  const newest = environment.newest.key.kid;
  const values = bundles.reduce((sum, secret) => sum + toSeal(secret, newest, checking).length, 0);
  const tick = counted(session.context, `of ${bundles.length} bundles are sealed again`);
  const changes = bundles.map((found) =>
    change("ZoppSecret", found.metadata, (present) => {
      if (present === undefined) throw new ZoppError("ApiConflict", `bundle ${placeOf(found)} was removed meanwhile`);
      refuseUnchecked(present, { ...checking, policy: { ...policy, environment } }, newest);
      tick();
      return refuseMisshapen(sealedAgain(present, checking, keys, { environment, signingKey: identity.signing, now }));
    }),
  );
  const where = await (await session.store()).write(changes);
  const { epoch, sealed } = environment.newest.facts;
  return {
    data: {
      environment: environment.path,
      epoch,
      recipients: sealed.map(({ to }) => to),
      bundles: bundles.map(placeOf),
      values,
      where: [...new Set([...(amended?.where ?? []), ...where])],
    },
    names: [`zoppenvironment/${environmentName(path)}`],
    human: [
      isUnfinished
        ? `${environment.path} has epoch ${epoch} already: what was still sealed to an older one follows`
        : `${environment.path} has epoch ${epoch} now, for ${sealed.length} recipients`,
      `sealed ${values} values again, in ${bundles.length} bundles`,
    ],
    notes: amended?.notes ?? [],
  };
}

/** What bundles are checked with. */
interface Checking {
  readonly policy: Policy;
  /** What git holds of earlier policies, and of bundles beside them. */
  readonly vouchers: readonly Voucher[];
  /** The name of who rekeys. */
  readonly principal: string;
  readonly now: Date;
}

async function storeNewEpoch(session: Session, policy: Policy, options: EnvironmentRekeyOptions, identity: Identity) {
  const { workspace, environment: accepted } = policy;
  const content = await withNewEpoch(policy, options, session.context.now());
  return storeAmendment(session, { workspace, identity, environments: [{ accepted, content }] });
}

/** What the person names, else what was committed last, if anything was. */
async function vouchersOf(
  session: Session,
  policy: Policy,
  { base }: EnvironmentRekeyOptions,
): Promise<readonly Voucher[]> {
  const bases: Base[] = [];
  try {
    for (const revision of base ?? ["HEAD"]) bases.push(await baseAt(session, revision));
  } catch (error) {
    if (base !== undefined || !(error instanceof ZoppError)) throw error;
  }
  return bases.flatMap((each) => voucherIn(policy, each) ?? []);
}

/** The values that are not sealed to the epoch with this kid; all of them without one. */
function stale(secret: ZoppSecret, kid: string | undefined): readonly (readonly [string, Entry])[] {
  return Object.entries(secret.spec.data ?? {}).filter(([, { to }]) => to !== undefined && to !== kid);
}

/** Those of them that are sealed again. */
function toSeal(secret: ZoppSecret, kid: string | undefined, checking: Checking) {
  return stale(secret, kid).filter(([key]) => !isWaiting(secret, key, checking));
}

/** True for somebody else's value (or header) that waits for approval: signed by whoever rekeys, its author could approve it. */
function isWaiting(
  secret: ZoppSecret,
  key: string | undefined,
  { policy, vouchers, principal, now }: Checking,
): boolean {
  const { workspace, environment } = policy;
  if ((ruleFor(workspace, environment.scope).approvals?.required ?? 0) === 0) return false;
  const by = key === undefined ? secret.spec.header.by : (secret.spec.data?.[key]?.by ?? "");
  const author = workspace.roster.signers.get(by)?.principal.name;
  if (author === principal) return false;
  const judges = author === undefined ? vouchers : [policy];
  return judges.some((each) => againstPart(secret, key, each, now)?.code === "PendingApproval");
}

/**
 * Throws what is wrong with a bundle, or with a value whose author policy no longer names, so that his signature cannot be
 * checked by it: an earlier policy must have named him and find the value good, which must have stood beside it then. Gives
 * what is such a value, and whose.
 */
function refuseUnchecked(secret: ZoppSecret, checking: Checking, kid: string | undefined) {
  const { policy, vouchers, now } = checking;
  refuseProblems(examineBundle({ ...policy, secret, now, lenient: true }));
  const values = stale(secret, kid).map(([key, { by }]) => ({ key, by }));
  return [{ key: undefined, by: secret.spec.header.by }, ...values].flatMap(({ key, by }) => {
    if (policy.workspace.roster.signers.has(by) || isWaiting(secret, key, checking)) return [];
    const voucher = vouchers.find((each) => wasGood(secret, key, each, now));
    if (voucher !== undefined) return [{ key, author: authorOf(secret, key, voucher) }];
    const text = `bundle ${placeOf(secret)}: ${key ?? "the header"} is signed by ${by}, whom the policy does not name any more`;
    const next = "name by --base a git revision that still does and holds it as it is, or write it anew";
    throw new ZoppError("UnknownSigner", `${text}: ${next}`);
  });
}

/** True when an earlier policy names the author of a value or the header that stood beside it, and lets him write it. */
function wasGood(secret: ZoppSecret, key: string | undefined, then: Voucher, now: Date): boolean {
  const problem = againstPart(secret, key, then, now);
  return problem === undefined || problem.code === "PendingApproval";
}

/** The environment's content with a new epoch, for all whom the policy lets have it now. */
async function withNewEpoch(policy: Policy, { kem }: EnvironmentRekeyOptions, now: Date): Promise<EnvironmentContent> {
  const { environment, workspace } = policy;
  const { newest, scope } = environment;
  const content = environmentContent(environment.object);
  const { spec } = workspace.object;
  const named = ruleFor(workspace, scope).clusters ?? [];
  const clusters = (spec.clusters ?? []).filter(({ name }) => named.includes(name));
  const { access, grants = [] } = content;
  const recipients = environmentRecipients(spec, { access, scope, grants, clusters }, now);
  const { privateKey, public: made } = newEnvironmentKey(kem === undefined ? newest.key.kem : kemOf(kem));
  const epoch = newest.facts.epoch + 1;
  const path = { workspace: content.workspace, project: content.project, environment: content.environment, epoch };
  const sealed = await wrapToAll(recipients, path, privateKey);
  privateKey.fill(0);
  const key = { epoch, binding: newest.facts.binding, public: made.text, sealed };
  return { ...content, keys: [...content.keys, key].slice(-MAX_EPOCHS) };
}

type EpochKeys = ReadonlyMap<string, DecryptionKey>;

/** The keys of all epochs that a value is sealed to, by kid. Throws NotRecipient, CannotOpen, UnknownEpoch. */
async function openEpochs(
  environment: AcceptedEnvironment,
  bundles: readonly ZoppSecret[],
  opener: Opener,
): Promise<EpochKeys> {
  const keys = new Map<string, DecryptionKey>();
  for (const [, { to = "" }] of bundles.flatMap((secret) => stale(secret, undefined))) {
    const epoch = environment.epochs.get(to);
    if (epoch === undefined || keys.has(to)) continue; // an unknown one is a problem of its bundle
    const raw = await openPrivateKey(environment, epoch, opener);
    keys.set(to, decryptionKeyFromRaw(epoch.key.kem, raw));
    raw.fill(0);
  }
  return keys;
}

/** Whoever rekeys also takes over the header of an author who left: a new keyring would not know him. */
function sealedAgain(secret: ZoppSecret, checking: Checking, keys: EpochKeys, writing: Writing): ZoppSecret {
  const { environment } = writing;
  const data: Record<string, Entry> = { ...secret.spec.data };
  for (const [key, { to = "", expires }] of toSeal(secret, environment.newest.key.kid, checking)) {
    const opens = keys.get(to);
    if (opens === undefined)
      throw new ZoppError("ApiConflict", `bundle ${placeOf(secret)}: ${key} was changed meanwhile`);
    const value = openValueWith(secret, key, environment, opens);
    data[key] = setEntry(secret, key, value, { ...writing, expires });
    value.fill(0);
  }
  const stays =
    checking.policy.workspace.roster.signers.has(secret.spec.header.by) || isWaiting(secret, undefined, checking);
  const header = stays ? secret.spec.header : signHeader(secret, writing);
  return { ...secret, spec: { ...secret.spec, header, ...(secret.spec.data === undefined ? {} : { data }) } };
}
