// `zopp policy offer`: brings the store's signed policy to keyrings straight away, before GitOps does or where nothing does.
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { Cluster } from "../../crds/types.gen.js";
import type { KeyringClient } from "../../operator/keyring/client.types.js";
import { offerTo, withKeyring } from "../keyring-call.js";
import { problemLine, type Result } from "../output.js";
import { acceptNamedWorkspace, environmentName, readEnvironmentObject } from "../policy.js";
import type { Session } from "../session.js";
import { pathIn } from "../settings.js";

/** The flags of `zopp policy offer`. */
export interface PolicyOfferOptions {
  readonly cluster?: readonly string[];
  readonly keyring?: string;
  readonly keyringNamespace?: string;
}

/** An object, and what a keyring said to it. */
interface Said {
  readonly object: string;
  readonly version?: number;
  readonly error?: ZoppError;
}

interface Offered {
  readonly cluster: string;
  readonly said: readonly Said[];
}

/** Runs `zopp policy offer`. */
export async function run(session: Session, _args: readonly string[], options: PolicyOfferOptions): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const all = (workspace.object.spec.clusters ?? []).map(({ name }) => name);
  if (all.length === 0) throw new ZoppError("NoRecipient", `workspace ${workspace.name} names no cluster`);
  const { cluster: names = all, ...way } = options;
  const offered: Offered[] = [];
  for (const cluster of names) {
    const wanted = { ...way, workspace, cluster };
    const said = await withKeyring(session, wanted, (reached) => offerAll(session, workspace, reached)).catch(
      (error: unknown) => [{ object: `zoppworkspace/${workspace.name}`, error: asZoppError(error, "offering") }],
    );
    offered.push({ cluster, said });
  }
  const failed = offered.flatMap(({ said }) => said.flatMap(({ error }) => error ?? []));
  const lines = offered.flatMap(({ cluster, said }) => said.map((each) => `${cluster}: ${inWords(each)}`));
  return {
    data: { offered: offered.map(({ cluster, said }) => ({ cluster, objects: said.map(plain) })) },
    names: offered.map(({ cluster }) => cluster),
    human: [...lines, ...new Set(failed.map(({ kind }) => `  next: ${kind.next}`))],
    exit: failed[0]?.kind.exit ?? 0,
  };
}

/** The workspace, then the environments that the cluster serves, each with its baseline where it has one. */
async function offerAll(
  session: Session,
  workspace: AcceptedWorkspace,
  { keyring, cluster }: { readonly keyring: KeyringClient; readonly cluster: Cluster },
): Promise<readonly Said[]> {
  const said: Said[] = [await offer(keyring, `zoppworkspace/${workspace.name}`, workspace.object)];
  // nothing builds on a workspace that is not in force there
  if (said[0]?.error !== undefined) return said;
  const store = await session.store();
  for (const { name: scope, clusters } of workspace.object.spec.environments ?? []) {
    if (clusters?.includes(cluster.name) !== true) continue;
    const path = pathIn(workspace.name, scope);
    const name = environmentName(path);
    // judged there, not here: who leaves may have approved it, and what a keyring has accepted stays in force
    said.push(await offer(keyring, `zoppenvironment/${name}`, await readEnvironmentObject(session, path)));
    const baseline = await store.read("ZoppBaseline", { name });
    if (baseline !== undefined) said.push(await offer(keyring, `zoppbaseline/${name}`, baseline));
  }
  return said;
}

async function offer(keyring: KeyringClient, object: string, signed: Parameters<typeof offerTo>[1]): Promise<Said> {
  try {
    const { version } = await offerTo(keyring, signed);
    return { object, version };
  } catch (thrown) {
    const error = asZoppError(thrown, "offering");
    if (error.code === "KeyringUnavailable") throw error;
    return { object, error };
  }
}

function inWords({ object, version, error }: Said): string {
  return error === undefined ? `${object} version ${version} is in force` : `${object}: ${problemLine(error)}`;
}

function plain({ object, version, error }: Said) {
  return error === undefined ? { object, version } : { object, refused: error.code, message: error.message };
}
