// Baselines: which bundles of an environment a new keyring would refuse though they were written by somebody who might,
// and the signed list that lets it have them. Nothing is listed that cannot be checked.
import { bindingsOf, type Policy, placeOf } from "../crds/bundle/case.js";
import { bundleDigest, bundleStatements } from "../crds/bundle/statements.js";
import { examineBundle } from "../crds/bundle/verify.js";
import { canonicalJson } from "../crds/crypto/jcs.js";
import { type ErrorCode, ZoppError } from "../crds/errors.js";
import { judgeBaseline, versionOfLog } from "../crds/policy/baseline.js";
import { newBaseline } from "../crds/policy/edit.js";
import { ruleFor } from "../crds/policy/environment.js";
import { baselineStatement } from "../crds/statement.js";
import type { BaselineAuthor, BaselineBundle, ZoppBaseline, ZoppSecret } from "../crds/types.gen.js";
import { parseBaseline } from "../crds/validate.js";
import { bundlesOf } from "./bundles.js";
import { type Base, baseAt } from "./check.base.js";
import { refuseWithout, signerOf } from "./policy.js";
import type { Session } from "./session.js";
import { change } from "./store/store.js";
import { againstPart, type Voucher, voucherIn } from "./vouching.js";
import { lackingSignatures } from "./waiting.js";

/** What became of a baseline. */
export interface Written {
  readonly bundles: readonly BaselineBundle[];
  readonly authors: readonly BaselineAuthor[];
  readonly where: readonly string[];
  readonly notes: readonly string[];
}

/** What is listed. */
export interface Listing {
  /** Git revisions whose policies let authors write what they may write no more. */
  readonly base?: readonly string[];
  /** Every bundle: for a keyring that lost its log, which takes nothing else. */
  readonly all?: boolean;
}

/** What a new keyring has against a bundle for the time that has passed, and nothing else. */
const OF_AGE: ReadonlySet<ErrorCode> = new Set(["UnknownSigner", "NotAuthorised", "UnknownEpoch", "PendingApproval"]);

/**
 * Signs and stores a baseline of what a new keyring would refuse; nothing is written when that is nothing. Throws UnknownSigner and the like for what cannot be vouched
 * for, NotAuthorised, and as the store.
 */
export async function storeBaseline(
  session: Session,
  policy: Policy,
  { base: revisions = [], all = false }: Listing = {},
): Promise<Written> {
  const identity = await session.identity();
  const now = session.context.now();
  const { principal } = signerOf(policy.workspace, identity);
  const bases: Base[] = [];
  for (const revision of revisions) bases.push(await baseAt(session, revision));
  const policies = [policy, ...bases.flatMap((base) => voucherIn(policy, base) ?? [])];
  const listed = listedOf(await bundlesOf(session, policy.environment.path), { policies, now, all });
  if (listed.bundles.length === 0) return { ...listed, where: [], notes: [] };
  refuseWithout(policy, principal.name, "sign", now);
  const { workspace, project, environment } = policy.environment.object.spec;
  const name = policy.environment.object.metadata.name;
  const store = await session.store();
  const before = await store.read("ZoppBaseline", { name });
  const beginnings = logBeginnings(policy);
  if (before !== undefined && saysTheSame(before, listed) && before.spec.version > Math.max(...beginnings))
    return { ...listed, where: [], notes: missingApprovals(before, policy, now) };
  const since = { workspace: policy.workspace.version, environment: policy.environment.version };
  const content = { workspace, project, environment, since, ...listed };
  const floor = Math.max(before?.spec.version ?? 0, ...beginnings);
  const signed = newBaseline(content, { signingKeys: [identity.signing], now }, floor);
  const candidate = parseBaseline(JSON.parse(JSON.stringify(signed)));
  const notes = missingApprovals(candidate, policy, now);
  const where = await store.write([
    change("ZoppBaseline", { name }, (present) => {
      if (digestOf(present) === digestOf(before)) return { ...present, ...candidate };
      throw new ZoppError("ApiConflict", `baseline ${name} was changed by somebody else meanwhile`);
    }),
  ]);
  return { ...listed, where, notes };
}

/** A baseline that lists the same, and is newer than every log that it is for, is not signed again. */
function saysTheSame({ spec }: ZoppBaseline, { bundles, authors }: Pick<Written, "bundles" | "authors">): boolean {
  const text = (lists: readonly unknown[]) => canonicalJson(JSON.parse(JSON.stringify(lists)));
  return text([spec.bundles, spec.authors ?? []]) === text([bundles, authors]);
}

function digestOf(object: ZoppBaseline | undefined): string | undefined {
  return object === undefined ? undefined : baselineStatement(object.spec).hash;
}

/** A clock that is behind must not make a baseline look older than the logs of the clusters that it is for. */
function logBeginnings({ workspace, environment }: Policy): readonly number[] {
  const serving = ruleFor(workspace, environment.scope).clusters ?? [];
  return (workspace.object.spec.clusters ?? [])
    .filter(({ name }) => serving.includes(name))
    .map(({ log }) => versionOfLog(log));
}

/** Approvals that are missing are a note; whatever else is wrong is thrown. */
export function missingApprovals(candidate: ZoppBaseline, policy: Policy, now: Date): readonly string[] {
  const lacks = lackingSignatures(() => judgeBaseline({ ...policy, candidate, since: 0, now }));
  const command = `\`zopp baseline approve ${policy.environment.scope}\``;
  return lacks === undefined ? [] : [`${lacks.code}: ${lacks.message}; by ${command}`];
}

/** What a new keyring would refuse and a baseline can list, with the keys of authors whom the policy names no more. */
function listedOf(
  secrets: readonly ZoppSecret[],
  { policies, now, all }: { readonly policies: readonly Voucher[]; readonly now: Date; readonly all: boolean },
) {
  const [present] = policies;
  if (present === undefined) throw new TypeError("the present policy comes first");
  const bundles: BaselineBundle[] = [];
  const authors = new Map<string, BaselineAuthor>();
  for (const secret of secrets) {
    const { problems } = examineBundle({ ...present, secret, now });
    const other = problems.find(({ code }) => !OF_AGE.has(code));
    if (other !== undefined) throw other;
    if (problems.length === 0 && !all) continue;
    for (const author of vouchedAuthors(secret, policies, now)) authors.set(author.signingKey, author);
    const { namespace, name } = secret.metadata;
    const digest = bundleDigest(bundleStatements(secret, bindingsOf(present.environment)));
    bundles.push({ namespace, name, digest });
  }
  bundles.sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  const keys = [...authors.values()].sort((a, b) => (a.signingKey < b.signingKey ? -1 : 1));
  return { bundles, authors: keys };
}

/** Throws unless each part of a bundle is good by one of the policies. Gives the authors whom the present one lacks. */
function vouchedAuthors(secret: ZoppSecret, policies: readonly Voucher[], now: Date): readonly BaselineAuthor[] {
  const { data = {}, header } = secret.spec;
  const parts = [{ key: undefined, by: header.by }, ...Object.entries(data).map(([key, { by }]) => ({ key, by }))];
  return parts.flatMap(({ key, by }) => {
    const judged = policies.map((policy) => ({ policy, problem: againstPart(secret, key, policy, now) }));
    const good = judged.find(({ problem }) => problem === undefined);
    if (good === undefined) {
      // what is wrong by a policy that names the author says more than that another does not
      const known = judged.find(({ problem }) => problem?.code !== "AuthorLeft");
      throw unvouched(secret, key, (known ?? judged[0])?.problem);
    }
    const signer = good.policy.workspace.roster.signers.get(by);
    if (signer === undefined || policies[0]?.workspace.roster.signers.has(by)) return [];
    return [{ name: signer.principal.name, signingKey: signer.key.text }];
  });
}

function unvouched(secret: ZoppSecret, key: string | undefined, problem: ZoppError | undefined): ZoppError {
  const what = `bundle ${placeOf(secret)}: ${key ?? "the header"} cannot be vouched for`;
  const next = "name by --base a git revision whose policy let its author write it, or write it anew";
  const code = problem?.code === "AuthorLeft" ? "UnknownSigner" : (problem?.code ?? "UnknownSigner");
  return new ZoppError(code, `${what}: ${problem?.message ?? "its author is not known"}: ${next}`);
}
