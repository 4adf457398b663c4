// `zopp keys renew`: a cluster's keyring has another seed; its key takes the place of the old one in policy and environments.
// How it gets that seed is docs/recovery.md's; how a keyring is signed in, cluster-sign.ts'.
import { parseEncryptionKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { Cluster } from "../../crds/types.gen.js";
import { bundlesOf } from "../bundles.js";
import { factsOf, type SignInOptions, signIn } from "../cluster-sign.js";
import { rekeyNote } from "../cluster-wrap.js";
import { againCommands } from "../generated.js";
import type { Result } from "../output.js";
import { acceptEnvironment, acceptNamedWorkspace } from "../policy.js";
import type { Session } from "../session.js";
import { label, pathIn } from "../settings.js";

/** The flags of `zopp keys renew`: the key changes, and nothing else of the cluster. */
export type KeysRenewOptions = Omit<SignInOptions, "environment" | "endpoint" | "replace">;

const ANEW =
  "the new keyring takes no value that the former one made; this has another one made, in every cluster that serves the bundle";
const TAKE_IN = 'kubectl annotate zoppsecrets --all --all-namespaces --overwrite zopp.dev/reconcile="$(date +%s)"';

/** Runs `zopp keys renew CLUSTER`. */
export async function run(session: Session, [text]: readonly string[], options: KeysRenewOptions): Promise<Result> {
  const name = label("cluster", text);
  const workspace = await acceptNamedWorkspace(session);
  const cluster = workspace.object.spec.clusters?.find((each) => each.name === name);
  if (cluster === undefined)
    throw new ZoppError(
      "NotFound",
      `workspace ${workspace.name} names no cluster ${name}: \`zopp cluster add\` signs one in that is new`,
    );
  const facts = await factsOf(session, options);
  if (facts.signingKey === cluster.signingKey && (await isWrappedTo(session, workspace, cluster)))
    throw new ZoppError(
      "NotRenewed",
      `the keyring of ${name} has the key that the policy names for it, and every wrap; if that is the new one already, what is left is \`zopp baseline create\` at most`,
    );
  const signing = { name, workspace, facts, command: `zopp keys renew ${name}` };
  const { data, notes } = await signIn(session, signing, { ...options, environment: [], replace: true });
  const again = await anewOf(session, data.environments);
  return {
    data: { ...data, again: again.commands },
    names: [name],
    human: [
      `cluster ${name} has another key: ${data.fingerprint}`,
      `serves as before: ${data.environments.length === 0 ? "no environment" : data.environments.join(", ")}`,
      `written: ${data.where.join(", ")}`,
    ],
    notes: [
      ...notes,
      `have it applied: until then ${name} takes nothing new; its Secrets stay as they are`,
      `then have the keyring take in what is there, before it is changed: \`${TAKE_IN}\``,
      ...again.notes,
      ...data.environments.map((path) => rekeyNote(`the former keyring of ${name}`, path)),
    ],
  };
}

/** What makes the generated values of environments anew. What cannot be told is a note: the key is signed already. */
async function anewOf(
  session: Session,
  paths: readonly string[],
): Promise<{ readonly commands: readonly string[]; readonly notes: readonly string[] }> {
  try {
    const served = await Promise.all(paths.map((path) => bundlesOf(session, path)));
    const commands = againCommands(served.flat());
    return { commands, notes: commands.map((command) => `${ANEW}: \`${command}\``) };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    const text = `which generated values have to be made anew cannot be told: ${error.code}: ${error.message}`;
    return { commands: [], notes: [`${text}; \`zopp doctor\` lists them once the key is applied`] };
  }
}

/** Whether the newest key of each environment that a cluster serves is wrapped to it: a renewal that was interrupted is not done. */
async function isWrappedTo(
  session: Session,
  workspace: AcceptedWorkspace,
  { name, encryptionKey }: Cluster,
): Promise<boolean> {
  const kid = parseEncryptionKey(encryptionKey)?.kid;
  for (const rule of workspace.object.spec.environments ?? []) {
    if (rule.clusters?.includes(name) !== true) continue;
    const { newest } = await acceptEnvironment(session, workspace, pathIn(workspace.name, rule.name));
    if (!newest.facts.sealed.some(({ to }) => to === kid)) return false;
  }
  return true;
}
