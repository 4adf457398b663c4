// Values that the keyring makes: has them made, and keeps them in the bundle's status.
// They stand in the status before anything is opened: what is lost on the way there was never accepted, and is made again.
// A job that brings a new value to where it is checked runs in between (rotation.ts).
import { placeOf } from "../../crds/bundle/case.js";
import { asZoppError, type ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { GeneratedValues, GenerateQuery, KeyringClient, Waiting } from "../keyring/client.types.js";
import type { ApiClient } from "../kube/client.js";
import { type KubeObject, ZOPP_SECRETS } from "../kube/resources.js";
import type { Freshest } from "./freshest.js";
import { fittingValues, isDue, valuesDigest } from "./generate.plan.js";
import { issuerKeys, issuersIn } from "./issuer.plan.js";

/** The field manager of generated values, which are nobody else's to write. */
export const GENERATED_MANAGER = "zopp-operator-generated";

/** What having values made needs. */
export interface GenerateDeps {
  readonly client: Pick<ApiClient, "apply">;
  readonly keyring: Pick<KeyringClient, "generate">;
  readonly bundles: Pick<Freshest<ZoppSecret>, "get" | "put" | "drop">;
  readonly now: () => Date;
}

/** A bundle and the object that it was parsed from: what is kept is kept over that one. */
export interface SeenBundle {
  readonly key: string;
  readonly bundle: ZoppSecret;
  readonly seen: ZoppSecret;
}

/** The values of a bundle's rules, as they stand in its status from now on; undefined where it has no rules. */
export interface MadeValues {
  readonly generated: GeneratedValues | undefined;
  /** The bundle that they stand in. */
  readonly seen: ZoppSecret;
  /** Those that are due, and stay as long as their CA does not sign. */
  readonly waiting: readonly Waiting[];
}

/** Has values made; or says why there are none. `onlyMissing`: those that fit their rules stay, also where they are over. */
export async function makeValues(
  { key, bundle, seen }: SeenBundle,
  deps: GenerateDeps,
  signal: AbortSignal,
  onlyMissing = false,
): Promise<MadeValues | ZoppError> {
  const { spec, metadata } = bundle;
  if (spec.generate === undefined) return { generated: undefined, seen, waiting: [] };
  const { generated: present = {}, applied } = seen.status ?? {};
  // what is not in the Secret yet may never have been accepted: whether it still will be is the keyring's to say
  const isApplied = applied === valuesDigest(bundle, present);
  if (isApplied && !isDue(bundle, { generated: present }, deps.now(), issuersIn(deps.bundles, bundle)))
    return { generated: present, seen, waiting: [] };
  try {
    const { namespace, name } = metadata;
    const issuers = sentIssuers(bundle, deps.bundles);
    let kept = seen;
    let generated: GeneratedValues = present;
    let waiting: readonly Waiting[] = [];
    // the keyring makes as many as it has time for: what there is is kept before more is asked for
    for (const _ of Object.keys(spec.generate)) {
      const answer = await deps.keyring.generate({ namespace, name, spec, generated, issuers }, signal);
      waiting = answer.waiting;
      const next = onlyMissing ? { ...answer.generated, ...fittingValues(bundle, present) } : answer.generated;
      if (valuesDigest(bundle, next) === valuesDigest(bundle, generated)) break;
      kept = await keep(kept, next, deps);
      generated = next;
    }
    return { generated, seen: kept, waiting };
  } catch (error) {
    const known = asZoppError(error, `having values made for bundle ${placeOf(bundle)}`);
    if (known.code === "ApiConflict") deps.bundles.drop(key);
    return known;
  }
}

/** The bundles whose CAs sign certificates of this one, as they are there. */
function sentIssuers(bundle: ZoppSecret, bundles: GenerateDeps["bundles"]): GenerateQuery["issuers"] {
  return [...issuerKeys(bundle)].flatMap((key) => {
    const { metadata, spec, status } = bundles.get(key) ?? {};
    if (metadata === undefined || spec === undefined) return [];
    return [{ namespace: metadata.namespace, name: metadata.name, spec, generated: status?.generated }];
  });
}

/**
 * Keeps values, and the name of the Job that they wait for. Only over exactly the object that was looked at: what another
 * operator kept meanwhile is not written over.
 */
export async function keep(
  seen: ZoppSecret,
  generated: GeneratedValues,
  deps: GenerateDeps,
  rotation = seen.status?.rotation,
): Promise<ZoppSecret> {
  const { namespace, name, uid, resourceVersion } = seen.metadata;
  const kept = { generated, ...(rotation === undefined ? {} : { rotation }) };
  const object = { metadata: { namespace, name, uid, resourceVersion }, status: kept } as KubeObject;
  const options = { fieldManager: GENERATED_MANAGER, subresource: "status", metadataOnly: true } as const;
  const answer = await deps.client.apply<KubeObject>(ZOPP_SECRETS, object, options);
  const metadata = { ...seen.metadata, resourceVersion: answer.metadata.resourceVersion };
  const now = { ...seen, metadata, status: { ...seen.status, ...kept } };
  deps.bundles.put(now);
  return now;
}
