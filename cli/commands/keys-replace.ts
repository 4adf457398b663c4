// `zopp keys replace`: another recovery key in the place of one that is in other hands. One change: the policy names the new
// one, and each environment is wrapped to it and not to the old one. What the old one has opened stays open: a rekey follows.
import { resolve } from "node:path";
import { newRecovery } from "../../crds/crypto/age.js";
import { ZoppError } from "../../crds/errors.js";
import { type EnvironmentContent, environmentContent, workspaceContent } from "../../crds/policy/edit.js";
import type { AcceptedEnvironment, Epoch } from "../../crds/policy/environment.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { EnvironmentKey } from "../../crds/types.gen.js";
import { type EnvironmentAmendment, refuseStranger, storeAmendment } from "../amend.js";
import { type Opener, openPrivateKey, readRecovery } from "../epoch-keys.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf } from "../policy-change.js";
import { refuseTakenFile, saveRecovery } from "../recovery-key.js";
import type { Session } from "../session.js";
import { wrapToAll } from "../wrapping.js";

/** The flags of `zopp keys replace`. */
export interface KeysReplaceOptions {
  readonly recoveryFile?: string;
  readonly newRecoveryFile?: string;
}

/** Runs `zopp keys replace [NAME]`. */
export async function run(session: Session, [name]: readonly string[], options: KeysReplaceOptions): Promise<Result> {
  if (options.newRecoveryFile === undefined)
    throw new ZoppError("Usage", "name a file for the new recovery key: --new-recovery-file");
  const file = resolve(session.context.cwd, options.newRecoveryFile);
  refuseTakenFile(file);
  const workspace = await acceptNamedWorkspace(session);
  const old = recoveryOf(workspace, name);
  const identity = await session.identity();
  refuseStranger(workspace, identity);
  const { environments, notes: broken } = await environmentsOf(session, workspace);
  // left as it is, it would be wrapped to a key that the policy no longer names, and be refused by everybody
  if (broken[0] !== undefined) throw new ZoppError("StillNeeded", `mend this first: ${broken[0]}`);
  const recovery =
    options.recoveryFile === undefined ? undefined : await readRecovery(session.context, options.recoveryFile);
  const made = await newRecovery();
  const between = { from: old.recipient, to: made.recipient };
  const amendments: EnvironmentAmendment[] = [];
  for (const accepted of environments)
    amendments.push({ accepted, content: await rewrapped(accepted, between, { identity, recovery }) });
  const content = workspaceContent(workspace.object);
  const named = (content.recovery ?? []).map((each) => (each === old ? { ...each, recipient: made.recipient } : each));
  // before the policy: nothing is ever wrapped to a key that nobody has
  saveRecovery(file, made, workspace.name);
  const { where, notes, proposed } = await storeAmendment(session, {
    workspace,
    identity,
    content: { ...content, recovery: named },
    environments: amendments,
  });
  const paths = environments.map(({ path }) => path);
  return {
    data: { recovery: old.name, recipient: made.recipient, environments: paths, proposed, where },
    names: [old.name],
    human: [`another recovery key ${old.name} opens ${paths.join(", ")} (${where.join(", ")})`],
    notes: [
      ...notes,
      ...paths.map(
        (path) =>
          `the former recovery key opens what ${path} has had until now: \`zopp environment rekey ${path}\`, and new values at their sources`,
      ),
    ],
  };
}

/** The recovery key of that name, or the only one. Throws NotFound, Usage. */
function recoveryOf({ name: workspace, object }: AcceptedWorkspace, name: string | undefined) {
  const { recovery = [] } = object.spec;
  const [first, another] = name === undefined ? recovery : recovery.filter((each) => each.name === name);
  if (first === undefined)
    throw new ZoppError(
      "NotFound",
      `workspace ${workspace} names no recovery key${name === undefined ? "" : ` ${name}`}`,
    );
  if (another === undefined) return first;
  const names = recovery.map((each) => each.name).join(", ");
  throw new ZoppError("Usage", `workspace ${workspace} names several recovery keys: ${names}`);
}

interface Between {
  readonly from: string;
  readonly to: string;
}

/** The environment's content with the new recipient in the place of the old one. Throws NotRecipient, CannotOpen. */
async function rewrapped(
  environment: AcceptedEnvironment,
  between: Between,
  opener: Opener,
): Promise<EnvironmentContent> {
  const keys: EnvironmentKey[] = [];
  for (const epoch of environment.epochs.values()) keys.push(await rewrappedKey(environment, epoch, between, opener));
  return { ...environmentContent(environment.object), keys };
}

async function rewrappedKey(
  environment: AcceptedEnvironment,
  epoch: Epoch,
  { from, to }: Between,
  opener: Opener,
): Promise<EnvironmentKey> {
  const { facts, newest } = epoch;
  if (!newest && !facts.sealed.some((each) => each.to === from)) return facts;
  const raw = await openPrivateKey(environment, epoch, opener);
  const { workspace, project, environment: name } = environment.object.spec;
  try {
    const added = await wrapToAll([to], { workspace, project, environment: name, epoch: facts.epoch }, raw);
    return { ...facts, sealed: [...facts.sealed.filter((each) => each.to !== from), ...added] };
  } finally {
    raw.fill(0);
  }
}
