// Verifies a bundle: every signature, right, version and approval, against policy and what was accepted before.
// Pure and without I/O: the keyring brings its ledger, a client brings none (or a base to compare with).
import { ZoppError } from "../errors.js";
import { refuseOutdated, rightsIn, ruleFor } from "../policy/environment.js";
import { matchesNamespace } from "../policy/namespaces.js";
import { may } from "../policy/rights.js";
import { refuseForbiddenTarget } from "../policy/target.js";
import { refuseExpired } from "../policy/workspace.js";
import type { WorkspaceEnvironment } from "../types.gen.js";
import { type Accepted, type BundleCase, bindingsOf, type PartVerdict, placeOf } from "./case.js";
import { checkEntry, checkHeader, type JudgedCase } from "./signed.js";
import { type BundleStatements, bundleDigest, bundleStatements } from "./statements.js";

/** A verified bundle: its digest, what of it is new to the ledger, and what a person should hear of. */
export interface Verified {
  readonly digest: string;
  readonly acceptedHeader?: Accepted | undefined;
  readonly acceptedEntries: ReadonlyMap<string, Accepted>;
  /** The decoded sealed bytes of its entries, those that the signatures are over; retired entries have none. */
  readonly sealed: ReadonlyMap<string, Uint8Array>;
  readonly warnings: readonly ZoppError[];
}

/** All that is wrong with a bundle, the gravest first: what waits for approval only comes last. */
export interface Examined extends Verified {
  readonly problems: readonly ZoppError[];
}

/**
 * Verifies a bundle. Throws the first problem: NamespaceNotAllowed, ClusterNotNamed, EnvironmentChanged,
 * EnvironmentOutdated, TargetForbidden, SignatureInvalid, PlaceMismatch, UnknownSigner, UnknownEpoch, NotAuthorised,
 * VersionTooFar, RollbackRefused, EntryMissing, LedgerLost, PolicyExpired, PendingApproval, Malformed.
 */
export function verifyBundle(given: BundleCase): Verified {
  const { problems, ...verified } = examineBundle(given);
  if (problems[0] !== undefined) throw problems[0];
  return verified;
}

/** Like verifyBundle, but collects every problem, for people who want to see all of them at once. */
export function examineBundle(given: BundleCase): Examined {
  const statements = bundleStatements(given.secret, bindingsOf(given.environment));
  const rule = ruleFor(given.workspace, given.environment.scope);
  const digest = bundleDigest(statements);
  const vouched = given.baseline?.bundles.get(placeOf(given.secret)) === digest;
  const collected = collect({ ...given, vouched }, statements, rule);
  const pending = collected.problems.filter(({ code }) => code === "PendingApproval");
  const problems = [...collected.problems.filter(({ code }) => code !== "PendingApproval"), ...pending];
  return { ...collected, problems, digest, sealed: statements.sealed };
}

interface Collected {
  acceptedHeader?: Accepted | undefined;
  readonly acceptedEntries: Map<string, Accepted>;
  readonly warnings: ZoppError[];
  readonly problems: ZoppError[];
}

function collect(given: JudgedCase, statements: BundleStatements, rule: WorkspaceEnvironment): Collected {
  const found: Collected = { acceptedEntries: new Map(), warnings: [], problems: [] };
  const attempt = (check: () => PartVerdict | undefined): Accepted | undefined => {
    try {
      const verdict = check();
      found.warnings.push(...(verdict?.warnings ?? []));
      return verdict?.accepted;
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      found.problems.push(error);
      return undefined;
    }
  };
  attempt(() => refusePlace(given, rule));
  attempt(() => refuseForbiddenTarget(given.secret.spec.target, `bundle ${placeOf(given.secret)}`) ?? undefined);
  attempt(() => refuseEnvironmentChange(given));
  found.acceptedHeader = attempt(() => checkHeader(given, statements.header, rule));
  for (const [key, statement] of statements.entries) {
    const accepted = attempt(() => checkEntry(given, key, statement, rule));
    if (accepted !== undefined) found.acceptedEntries.set(key, accepted);
  }
  attempt(() => refuseVanished(given));
  // what waits for approval would be news: people read it before it is accepted
  const waits = found.problems.some(({ code }) => code === "PendingApproval");
  const news = found.acceptedHeader !== undefined || found.acceptedEntries.size > 0;
  if (news || waits) attempt(() => refuseNews(given, rule));
  return found;
}

function refusePlace(given: BundleCase, rule: WorkspaceEnvironment): undefined {
  const { secret, environment, cluster } = given;
  const place = placeOf(secret);
  if (secret.spec.environment !== environment.path)
    throw new TypeError("a bundle is verified with another environment's policy");
  if (!rule.namespaces.some((pattern) => matchesNamespace(pattern, secret.metadata.namespace))) {
    const allowed = rule.namespaces.join(", ");
    const text = `bundle ${place}: environment ${environment.path} serves ${allowed}, not ${secret.metadata.namespace}`;
    throw new ZoppError("NamespaceNotAllowed", text);
  }
  if (cluster !== undefined && !(rule.clusters ?? []).includes(cluster)) {
    throw new ZoppError(
      "ClusterNotNamed",
      `bundle ${place}: environment ${environment.path} does not name the cluster ${cluster}`,
    );
  }
  return undefined;
}

/** A place is bound to its environment for good; a header whose signer may write both moves it. */
function refuseEnvironmentChange(given: BundleCase): undefined {
  const { secret, ledger, previous, now } = given;
  if (ledger === undefined || ledger.environment === secret.spec.environment) return undefined;
  const signer = previous?.workspace.roster.signers.get(secret.spec.header.by);
  const both = previous !== undefined && signer !== undefined;
  if (both && may(rightsIn(previous.workspace, previous.environment, now), signer.principal.name, "header"))
    return undefined;
  const text = `bundle ${placeOf(secret)} belongs to ${ledger.environment}; ${secret.spec.header.by} may not write there`;
  throw new ZoppError("EnvironmentChanged", text);
}

/** An entry that was accepted and is gone without a tombstone: nothing of the bundle is applied. */
function refuseVanished(given: BundleCase): PartVerdict | undefined {
  const { secret, ledger, environment } = given;
  const gone = [...(ledger?.entries.keys() ?? [])].filter((key) => !Object.hasOwn(secret.spec.data ?? {}, key));
  if (gone.length === 0) return undefined;
  const error = new ZoppError(
    "EntryMissing",
    `bundle ${placeOf(secret)}: ${gone.join(", ")} vanished without a signed tombstone`,
  );
  if (environment.object.spec.rollback === "allow") return { warnings: [error] };
  throw error;
}

/** What holds only for content that the ledger does not know yet. */
function refuseNews(given: JudgedCase, rule: WorkspaceEnvironment): undefined {
  const { workspace, environment, now, secret } = given;
  if (given.acceptsNew === false && given.vouched !== true) {
    throw new ZoppError("LedgerLost", `bundle ${placeOf(secret)}: this keyring's log is not the one that policy names`);
  }
  refuseExpired(workspace, now);
  refuseOutdated(environment, rule);
  return undefined;
}
