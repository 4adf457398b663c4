// How a cluster gets environment keys: opened on this machine, or wrapped by the keyring of a cluster that has them.
// Which cluster gets which is policy's word, and `cluster add`'s to write.
import { parseEncryptionKey } from "../crds/crypto/keys.js";
import { ZoppError } from "../crds/errors.js";
import type { WorkspaceContent } from "../crds/policy/edit.js";
import type { AcceptedEnvironment } from "../crds/policy/environment.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { ClusterFacts } from "../crds/statement.js";
import type { WorkspaceEnvironment } from "../crds/types.gen.js";
import { type Amended, type EnvironmentAmendment, storeAmendment } from "./amend.js";
import { storeBaseline, type Written } from "./baseline.js";
import { askRecovery, type Opener } from "./epoch-keys.js";
import { offerTo, withKeyring } from "./keyring-call.js";
import { acceptEnvironment } from "./policy.js";
import type { Session } from "./session.js";
import { pathIn } from "./settings.js";
import { withoutWraps, withWraps, wrapFurther } from "./wrapping.js";

/** The flags that say how keys that do not open here are wrapped. */
export interface ThroughOptions {
  readonly through?: string;
  readonly throughContext?: string;
  readonly keyring?: string;
  readonly keyringNamespace?: string;
  readonly recoveryFile?: string;
  readonly base?: readonly string[];
}

/** What was wrapped here, and what a keyring must wrap. */
export interface Wraps {
  readonly amendments: readonly EnvironmentAmendment[];
  readonly left: readonly AcceptedEnvironment[];
  /** The new cluster's kid. */
  readonly to: string;
}

/** Which other clusters could wrap, by the environment's name in policy; none where the recovery key is at hand. */
export type Living = (rule: WorkspaceEnvironment) => readonly string[];

/** The clusters of policy that serve an environment beside the one that is added. */
export function livingClusters(content: WorkspaceContent, name: string, options: ThroughOptions): Living {
  const known = new Set((content.clusters ?? []).map((cluster) => cluster.name));
  if (options.recoveryFile !== undefined) return () => [];
  return ({ clusters = [] }) => clusters.filter((each) => each !== name && known.has(each));
}

/** Wraps what opens here. What does not is left to a keyring, or the recovery key is asked for. Throws NotRecipient. */
export async function wrapAll(
  session: Session,
  workspace: AcceptedWorkspace,
  { name, facts }: { readonly name: string; readonly facts: ClusterFacts },
  rules: readonly WorkspaceEnvironment[],
  given: Opener,
  living: Living,
): Promise<Wraps> {
  const to = parseEncryptionKey(facts.encryptionKey);
  if (to === null) throw new ZoppError("Malformed", "the cluster's encryption key is not usable");
  const amendments: EnvironmentAmendment[] = [];
  const left: AcceptedEnvironment[] = [];
  const former = formerKid(workspace, name, to.kid);
  let opener = given;
  for (const rule of rules) {
    const accepted = await acceptEnvironment(session, workspace, pathIn(workspace.name, rule.name));
    try {
      const content = await wrapFurther(accepted, [to], opener, former);
      if (content !== undefined) amendments.push({ accepted, content });
    } catch (error) {
      if (!(error instanceof ZoppError) || error.code !== "NotRecipient" || opener.recovery !== undefined) throw error;
      if (living(rule).length > 0) {
        left.push(accepted);
        // the former key's wraps go with its line in policy: an environment that names nobody's key is refused
        const content = withoutWraps(accepted, former);
        if (content !== undefined) amendments.push({ accepted, content });
        continue;
      }
      if (session.context.terminal() === undefined)
        throw new ZoppError("NotRecipient", `${error.message}; --recovery-file names the recovery key, which opens it`);
      opener = { ...opener, recovery: await askRecovery(session.context) };
      const content = await wrapFurther(accepted, [to], opener, former);
      if (content !== undefined) amendments.push({ accepted, content });
    }
  }
  return { amendments, left, to: to.kid };
}

/**
 * Has a living keyring wrap what is left: it is offered the workspace that names the new cluster first, since it wraps to
 * nobody else. Throws KeyringUnavailable and what the keyring refuses; then the workspace is written, and adding the
 * cluster again goes on from there.
 */
export async function wrapThrough(
  session: Session,
  { workspace, environments: amended, proposed }: Amended,
  { left, to }: Wraps,
  options: ThroughOptions & { readonly cluster: string; readonly command: string },
): Promise<Pick<Amended, "environments" | "where" | "notes">> {
  if (left.length === 0) return { environments: [], where: [], notes: [] };
  if (proposed) {
    const again = `once the policy is signed in full, \`${options.command}\` again has its keys wrapped`;
    return { environments: [], where: [], notes: [again] };
  }
  const identity = await session.identity();
  const environments: EnvironmentAmendment[] = [];
  for (const each of left) {
    const accepted = amended.find(({ path }) => path === each.path) ?? each;
    const { keyring, keyringNamespace, throughContext } = options;
    const cluster = throughOf(workspace, accepted, options);
    const way = {
      ...(keyring === undefined ? {} : { keyring }),
      ...(keyringNamespace === undefined ? {} : { keyringNamespace }),
    };
    // --context is where the new keyring was found
    const { context: _, ...global } = session.options;
    const reach = throughContext === undefined ? global : { ...global, context: throughContext };
    const there = { ...session, options: reach };
    const wanted = { ...way, workspace, scope: accepted.scope, cluster };
    const wrapped = await withKeyring(there, wanted, async (reached) => {
      await offerTo(reached.keyring, workspace.object);
      return reached.keyring.wrap(accepted.path, to);
    }).catch((error: unknown) => {
      if (!(error instanceof ZoppError)) throw error;
      const text = `${options.cluster} is in the policy but has no key of ${accepted.path} yet; run this again, or with --recovery-file`;
      throw new ZoppError(error.code, `${error.message}; ${text}`, { cause: error });
    });
    environments.push({ accepted, content: withWraps(accepted, wrapped) });
  }
  return storeAmendment(session, { workspace, identity, environments });
}

function throughOf(
  workspace: AcceptedWorkspace,
  { path, scope }: AcceptedEnvironment,
  options: ThroughOptions & { readonly cluster: string },
): string {
  if (options.through !== undefined) return options.through;
  const rule = workspace.object.spec.environments?.find(({ name }) => name === scope);
  const [only = "", another] = (rule?.clusters ?? []).filter((name) => name !== options.cluster);
  if (another === undefined) return only;
  throw new ZoppError("Usage", `environment ${path} has several clusters: --through names the one whose keyring wraps`);
}

/** A baseline for each environment of which the new keyring could not accept all by itself. */
export async function storeBaselines(
  session: Session,
  { workspace, notes }: Amended,
  given: ThroughOptions & {
    readonly rules: readonly WorkspaceEnvironment[];
    /** Those that have just got another version. */
    readonly changed: readonly AcceptedEnvironment[];
  },
): Promise<readonly Pick<Written, "where" | "notes">[]> {
  const { rules, changed, base = [] } = given;
  const written: Pick<Written, "where" | "notes">[] = [];
  // what still waits for signatures will be followed by another version, and the baseline by another too
  if (notes.length > 0) return written;
  for (const { name } of rules) {
    try {
      const environment =
        changed.find(({ scope }) => scope === name) ??
        (await acceptEnvironment(session, workspace, pathIn(workspace.name, name)));
      written.push(await storeBaseline(session, { workspace, environment }, { base }));
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      const text = `no baseline of ${workspace.name}/${name} yet (\`zopp baseline create ${name}\`): ${error.code}: ${error.message}`;
      written.push({ where: [], notes: [text] });
    }
  }
  return written;
}

/** The kid of the key that the policy has for this cluster now, when it is another one: its wraps go. */
function formerKid(workspace: AcceptedWorkspace, name: string, kid: string): readonly string[] {
  const known = workspace.object.spec.clusters?.find((cluster) => cluster.name === name);
  const former = known === undefined ? undefined : parseEncryptionKey(known.encryptionKey)?.kid;
  return former === undefined || former === kid ? [] : [former];
}

/** What to think of when a keyring's key goes out of use. */
export function rekeyNote(keyring: string, path: string): string {
  return `${keyring} had the key of ${path}: if its seed may be in other hands, run \`zopp environment rekey ${path}\` and give the values new ones at their sources`;
}
