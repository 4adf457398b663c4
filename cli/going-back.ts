// What of a bundle goes back to an earlier state, and whether what that state holds was written by somebody who might.
// Reading and storing is the business of `rollback`.
import { type Policy, placeOf } from "../crds/bundle/case.js";
import type { Writing } from "../crds/bundle/edit.js";
import { canonicalFields } from "../crds/crypto/jcs.js";
import { ZoppError } from "../crds/errors.js";
import type { Entry, ZoppSecret } from "../crds/types.gen.js";
import { verifyForReading } from "./bundles.js";
import { baseAt } from "./check.base.js";
import { askYes } from "./confirm.js";
import { bundleDifferences } from "./diff.bundle.js";
import { refuseUnseen } from "./header.sign.js";
import { terminalOf } from "./input.js";
import type { Session } from "./session.js";
import type { State } from "./states.js";
import { againstPart, authorOf, earlierPolicy } from "./vouching.js";

/** What goes back. */
export interface Back {
  readonly header: boolean;
  /** Keys whose earlier value is put back. */
  readonly restored: readonly string[];
  /** Keys that came later, and go. */
  readonly retired: readonly string[];
  /** Keys that came later, and stay. */
  readonly kept: readonly string[];
  /** Fields of the header that are other ones and stay: {@link withHeaderOf}. */
  readonly carried: readonly string[];
}

/**
 * Compares a bundle with an earlier state. With keys, only those go back, and not the header. Throws NotFound for a key
 * that neither of them has.
 */
export function planBack(
  present: ZoppSecret,
  before: ZoppSecret,
  { keys, retire }: { readonly keys: readonly string[]; readonly retire: boolean },
): Back {
  const isLive = ({ spec }: ZoppSecret, key: string) => spec.data?.[key]?.sealed !== undefined;
  const unknown = keys.find((key) => !isLive(present, key) && !isLive(before, key));
  if (unknown !== undefined)
    throw new ZoppError("NotFound", `bundle ${placeOf(present)} has no key ${unknown}, then or now`);
  const differences = bundleDifferences(before, present);
  const differing = differences.flatMap(({ key }) =>
    key === undefined || (keys.length > 0 && !keys.includes(key)) ? [] : [key],
  );
  const later = differing.filter((key) => !isLive(before, key) && isLive(present, key));
  const goes = retire || keys.length > 0;
  const fields =
    keys.length > 0 ? [] : differences.flatMap(({ key, fields = [] }) => (key === undefined ? fields : []));
  return {
    header: fields.some(({ field }) => !isCarried(field)),
    carried: fields.map(({ field }) => field).filter(isCarried),
    restored: differing.filter((key) => isLive(before, key)),
    retired: goes ? later : [],
    kept: goes ? [] : later,
  };
}

const isCarried = (field: string) => /^(generate|rotation)\./.test(field);

/** The bundle with the present header and some entries of an earlier state: each part is signed on its own. */
export function earlierEntries(present: ZoppSecret, before: ZoppSecret, keys: readonly string[]): ZoppSecret {
  const data: Record<string, Entry> = Object.create(null);
  for (const key of keys) {
    const entry = before.spec.data?.[key];
    if (entry !== undefined) data[key] = entry;
  }
  return { ...present, spec: { ...present.spec, data } };
}

/**
 * The bundle with all that an earlier header says, not signed yet. Rules of generated values stay as they are: no value of
 * theirs is kept with a state, and another rule would make a new one. So does the job that they go through: without it, what
 * only it gets would be in the Secret.
 */
export function withHeaderOf(present: ZoppSecret, before: ZoppSecret): ZoppSecret {
  const { environment, header, data, generate, rotation } = present.spec;
  const { target, render, restart } = before.spec;
  return {
    ...present,
    spec: {
      environment,
      ...(target === undefined ? {} : { target }),
      ...(render === undefined ? {} : { render }),
      ...(restart === undefined ? {} : { restart }),
      ...(generate === undefined ? {} : { generate }),
      ...(rotation === undefined ? {} : { rotation }),
      header,
      ...(data === undefined ? {} : { data }),
    },
  };
}

/**
 * Throws unless the rules and the job that stay may be signed for: nobody is shown them. They hold where the present header does, or
 * where they are those of the earlier state, which is vouched for.
 */
export function refuseCarrying(present: ZoppSecret, before: ZoppSecret, policy: Policy, writing: Writing): void {
  const carried = ({ spec: { generate, rotation } }: ZoppSecret) => canonicalFields({ generate, rotation });
  if (carried(present) !== carried(before)) sayingUnlike(present, () => refuseUnseen(present, policy, writing));
}

/** Throws where rules or the job are other ones, and not what was signed: nothing that goes back would mend that. */
export function refuseUnlike(present: ZoppSecret, { carried }: Back, policy: Policy, now: Date): void {
  if (carried.length > 0) sayingUnlike(present, () => verifyForReading(present, policy, [], now));
}

/** Says what helps where rules or the job are not what was signed, since they do not go back; where they wait, that is said already. */
function sayingUnlike(present: ZoppSecret, verify: () => unknown): void {
  try {
    verify();
  } catch (error) {
    if (!(error instanceof ZoppError) || error.code === "PendingApproval") throw error;
    const unlike = `its rules of generated values and its rotation are not those of the earlier state, and do not go back: put the file back in git, or look at them and sign by \`zopp set ${placeOf(present)} --sign-header\``;
    throw new ZoppError(error.code, `${error.message}; ${unlike}`, { cause: error });
  }
}

/** A part that goes back, and whose it is. */
export interface Vouched {
  /** Absent: the header. */
  readonly key: string | undefined;
  /** `principal/device`. */
  readonly author: string;
  /** What the policy of now has against it, where that of then vouches for it. */
  readonly since?: ZoppError | undefined;
}

/**
 * Throws unless every part that goes back holds by the policy of now, or, in git, held by that of then: written by somebody
 * who may write it, and approved. Whoever goes back signs for it: an author whose value waits could then approve it himself,
 * so no policy of then, which asked for fewer approvals, stands in for those of now.
 */
export async function vouchedParts(
  session: Session,
  {
    policy,
    present,
    state,
    back,
  }: { readonly policy: Policy; readonly present: ZoppSecret; readonly state: State; readonly back: Back },
): Promise<readonly Vouched[]> {
  const now = session.context.now();
  const then = await policyThen(session, policy, state);
  const against = (key: string | undefined, by: Policy) => againstPart(state.secret, key, by, now);
  return [...(back.header ? [undefined] : []), ...back.restored].map((key) => {
    const problem = against(key, policy);
    if (problem === undefined) return { key, author: authorOf(state.secret, key, policy) };
    if (problem.code !== "PendingApproval" && then !== undefined && against(key, then) === undefined)
      return { key, author: authorOf(state.secret, key, then), since: problem };
    const what = `bundle ${placeOf(present)}: ${key ?? "the header"} of revision ${state.revision} is not put back`;
    const code = problem.code === "AuthorLeft" ? "UnknownSigner" : problem.code;
    throw new ZoppError(
      code,
      `${what}: ${problem.message}${code === "PendingApproval" ? otherwise(present, key) : ""}`,
    );
  });
}

/**
 * Names whose parts go back, before anything is read or written. Of those that only a policy of then vouches for nobody can
 * tell when they were signed: a person says yes to them. Throws Usage (nobody to ask), Interrupted.
 */
export async function confirmAuthors(
  { context }: Session,
  { revision, secret }: State,
  parts: readonly Vouched[],
  isConfirmed: boolean,
): Promise<void> {
  const name = (key: string | undefined) => key ?? "the header";
  for (const { key, author, since } of parts) {
    const told = since === undefined ? "" : `, by the policy of then; by that of now: ${since.code}`;
    context.stderr.write(`${placeOf(secret)}: ${name(key)} of ${revision} is ${author}'s${told}\n`);
  }
  const doubtful = parts.filter(({ since }) => since !== undefined);
  if (doubtful.length === 0 || isConfirmed) return;
  const question = `Was ${doubtful.map(({ key }) => name(key)).join(", ")} signed while its author might? Git does not prove it.`;
  const terminal = terminalOf(context, "look at the authors that are named, and say so by --yes");
  await askYes(terminal, question, "nothing was put back");
}

/** What helps where a part waits, besides approvals. */
function otherwise(present: ZoppSecret, key: string | undefined): string {
  const state = "go back to a state that was approved";
  return key === undefined ? `; ${state}` : `; ${state}, or write the value by \`zopp set ${placeOf(present)} ${key}\``;
}

/** The policy that git has beside that state, if it is an ancestor of the present one. */
async function policyThen(session: Session, policy: Policy, { revision }: State): Promise<Policy | undefined> {
  const store = await session.store();
  return store.kind === "directory" ? earlierPolicy(policy, await baseAt(session, revision)) : undefined;
}
