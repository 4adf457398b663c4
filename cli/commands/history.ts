// `zopp history`: the states that a bundle was in, and what changed in each: when, which keys, by whose signature. Never values.
import { type Policy, placeOf } from "../../crds/bundle/case.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { bundleName, needBundle, refuseOther, verifyForReading } from "../bundles.js";
import { bundleDifferences } from "../diff.bundle.js";
import { lines, policyOf, withAuthors } from "../diff.shown.js";
import type { Result } from "../output.js";
import type { Session } from "../session.js";
import { refuseEdited, type State, statesOf } from "../states.js";

/** The flags of `zopp history`. */
export interface HistoryOptions {
  readonly namespace?: string;
  readonly environment?: string;
}

/** Runs `zopp history BUNDLE`. */
export async function run(
  session: Session,
  [bundle = ""]: readonly string[],
  options: HistoryOptions,
): Promise<Result> {
  const { secret } = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, secret, options.environment);
  const { states, notes } = await statesOf(session, secret);
  const heard = [...notes];
  const policy = await policyOf(session, secret, {}, heard);
  const now = session.context.now();
  const shown = states.map((state, at) => {
    const parts = withAuthors(bundleDifferences(states[at - 1]?.secret, state.secret), policy);
    const problem = policy && problemOf(secret, state, policy, now);
    return {
      revision: state.revision,
      ...(state.when === undefined ? {} : { when: state.when }),
      ...(bundleDifferences(state.secret, secret).length === 0 ? { present: true } : {}),
      ...(problem === undefined ? {} : { problem: { code: problem.code, message: problem.message } }),
      parts,
    };
  });
  const newestFirst = shown.toReversed();
  return {
    data: { bundle: placeOf(secret), revisions: newestFirst },
    names: newestFirst.map(({ revision }) => revision),
    human:
      shown.length === 0
        ? [await nothingKept(session, secret)]
        : newestFirst.flatMap(({ revision, when = "at a time that is not known", present, problem, parts }) => [
            `${revision}  ${when}${present === true ? "  (now)" : ""}`,
            ...(problem === undefined ? [] : [`  ! ${problem.code}: ${problem.message}`]),
            ...parts.flatMap(lines),
          ]),
    notes: heard,
  };
}

async function nothingKept(session: Session, secret: ZoppSecret): Promise<string> {
  const { kind, title } = await session.store();
  const why = kind === "cluster" ? "; how many states are, the chart's value operator.history says (0: none)" : "";
  return `nothing of ${placeOf(secret)} is kept in ${title} yet${why}`;
}

/** Why a state is none to go back to; undefined = nothing is known against it. */
function problemOf(present: ZoppSecret, state: State, policy: Policy, now: Date): ZoppError | undefined {
  if (state.secret.spec.environment !== policy.environment.path) return undefined; // another policy's business
  try {
    refuseEdited(present, state, policy);
    verifyForReading(state.secret, policy, undefined, now);
    return undefined;
  } catch (error) {
    if (error instanceof ZoppError) return error;
    throw error;
  }
}
