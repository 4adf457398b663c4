// What a keyring says of itself: its keys, its log, and what it made of each workspace and environment.
// Pure: from the book to the message.
import type { Identity } from "../../crds/crypto/identity.js";
import { ruleFor } from "../../crds/policy/environment.js";
import type { Joins } from "./joins.js";
import type { LogEnd } from "./log.types.js";
import type { PolicyBook } from "./policy.js";
import type { Kind, Reviewed, Verdict } from "./policy.types.js";

/** What is described. */
export interface Described {
  readonly identity: Identity;
  readonly end: LogEnd;
  readonly notReady: string | null;
  readonly book: PolicyBook;
  readonly joins: Joins;
  /** What is in the API now: verdicts on other objects are of the past. */
  readonly present: Reviewed;
}

/** The fields of a DescribeResponse. */
export function describe({ identity, end, notReady, book, joins, present }: Described) {
  const told = (of: Kind) => {
    const names = new Set(present[of].map(({ metadata }) => metadata.name));
    const verdicts = book.verdicts(of).filter(({ name }) => names.has(name));
    return [...verdicts, ...withoutVerdict(book.namesInForce(of), verdicts)];
  };
  return {
    signingKey: identity.signing.verifyKey.text,
    encryptionKey: identity.encryption.publicKey.text,
    log: end.log,
    logSize: BigInt(end.size),
    notReady: notReady ?? "",
    workspaces: told("workspaces").map((verdict) => ({
      ...stateOf(verdict, book.workspace(verdict.name), false),
      joinRequests: [...joins.of(verdict.name)],
    })),
    environments: told("environments").map((verdict) => {
      const served = book.environment(verdict.name);
      return stateOf(verdict, served?.environment, served !== undefined && demandsApprovals(served));
    }),
    baselines: told("baselines").map((verdict) => stateOf(verdict, book.environment(verdict.name)?.baseline, false)),
  };
}

function demandsApprovals({ workspace, environment }: NonNullable<ReturnType<PolicyBook["environment"]>>): boolean {
  const known = workspace.object.spec.environments?.some(({ name }) => name === environment.scope) ?? false;
  return known && (ruleFor(workspace, environment.scope).approvals?.required ?? 0) > 0;
}

/** What is in force and was not judged since the start, or has no object any more: it decides all the same. */
function withoutVerdict(names: readonly string[], verdicts: readonly Verdict[]): readonly Verdict[] {
  const judged = new Set(verdicts.map(({ name }) => name));
  return names.filter((name) => !judged.has(name)).map((name) => ({ name, uid: "", generation: 0 }));
}

function stateOf(
  verdict: Verdict,
  accepted: { readonly version: number; readonly digest: string } | undefined,
  approvals: boolean,
) {
  const { name, uid, generation, refused } = verdict;
  return {
    name,
    uid,
    generation: BigInt(generation),
    acceptedVersion: BigInt(accepted?.version ?? 0),
    acceptedDigest: accepted?.digest ?? "",
    refusedCode: refused?.code ?? "",
    refusedMessage: refused?.message ?? "",
    approvals,
  };
}
