// Looks at what the watches have not shown: a target, and whether its bundle is still there.
// What follows from it is secret.plan.ts'.
import { targetName } from "../../crds/bundle/target.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { ApiClient } from "../kube/client.js";
import { orAbsent } from "../kube/errors.js";
import { type KubeObject, SECRETS, ZOPP_SECRETS } from "../kube/resources.js";
import type { BundleMemory } from "./secret.memory.js";
import { decide, type Situation, type Step } from "./secret.plan.js";
import { type SeenSecret, seenSecret } from "./target.seen.js";

/** What looking needs. */
export interface LookDeps {
  readonly client: Pick<ApiClient, "get" | "list">;
  readonly memory: Pick<BundleMemory, "looked">;
}

/**
 * One metadata GET for a target that the watch of our Secrets does not show, and what is decided then. A Secret that has
 * vanished may have gone with its bundle, and which of both ends is seen first is chance: so the bundle is asked for too.
 * Undefined when it is not there any more.
 */
export async function lookIfNeeded(
  key: string,
  situation: Situation,
  step: Step,
  deps: LookDeps,
  signal: AbortSignal,
): Promise<{ readonly step: Step; readonly target: Situation["target"] } | undefined> {
  if (step.do !== "look") return { step, target: situation.target };
  const { bundle, status } = situation;
  const target = await look(bundle, deps, signal);
  if (target === "absent" && status?.target !== undefined && !(await isThere(bundle, deps, signal))) return undefined;
  const next = decide({ ...situation, target });
  // what is being deleted stands under the name as before
  const isGoing = next.do === "refuse" && next.error.code === "TargetTerminating";
  if (!isGoing) deps.memory.looked(key, next.do === "refuse");
  return { step: next, target };
}

async function look(bundle: ZoppSecret, { client }: LookDeps, signal: AbortSignal): Promise<SeenSecret | "absent"> {
  const place = { namespace: bundle.metadata.namespace, name: targetName(bundle) };
  const found = await orAbsent(client.get<KubeObject>(SECRETS, place, { metadataOnly: true, signal }));
  return found === undefined ? "absent" : seenSecret(found);
}

/** False when the bundle is gone, goes, or is another one of that name. A list of one: the right to read one is not needed. */
async function isThere({ metadata }: ZoppSecret, { client }: LookDeps, signal: AbortSignal): Promise<boolean> {
  const { namespace, name, uid } = metadata;
  const one = { namespace, fieldSelector: `metadata.name=${name}`, metadataOnly: true, signal };
  const { items } = await client.list(ZOPP_SECRETS, one);
  return items.some((found) => found.metadata.uid === uid && found.metadata.deletionTimestamp === undefined);
}
