// What is measured: one zopp on one API server, with an X-Wing and an X25519 environment, and bundles of five values.
// How it is measured is in the files beside this one.
import { parseEncryptionKey } from "../../crds/crypto/keys.js";
import { wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import { newEnvironment } from "../../crds/policy/edit.js";
import { type AcceptedEnvironment, readEnvironment } from "../../crds/policy/environment.js";
import type { ZoppEnvironment, ZoppSecret } from "../../crds/types.gen.js";
import { NAMESPACES, ZOPP_ENVIRONMENTS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { bundledPrograms } from "../bundle.js";
import { bundle, environmentKey, identityOf } from "../fixtures.js";
import { packageRoot } from "../package-root.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { signing, type TestbedOptions } from "../testbed.policy.js";
import { parted } from "./cores.js";
import { gcOptions } from "./gc.options.js";

/** How entries are sealed. */
export type Sealing = "xwing" | "x25519";

/** Values per bundle. */
export const VALUES = 5;
const IN_FLIGHT = 32;
/** Namespaces of an environment are its sealing, a dash, and whatever a run calls itself. */
const RULES = [
  { name: "shop/production", namespaces: ["xwing-*"], clusters: ["eu-1"] },
  { name: "shop/compact", namespaces: ["x25519-*"], clusters: ["eu-1"] },
  { name: "shop/rekeyed", namespaces: ["rekeyed-*"], clusters: ["eu-1"] },
];

/** A running zopp with both environments. */
export interface World {
  readonly testbed: Testbed;
  readonly environments: Readonly<Record<Sealing, AcceptedEnvironment>>;
  /** Which cores the control plane has, and which all else. */
  readonly cores: string;
}

/** What a world may have of its own. */
export type WorldOptions = Pick<TestbedOptions, "apart" | "kubeconfig" | "programs">;

/** Starts it, as bundled for the images; the operator is stopped again, so that bundles can be laid out before it looks. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { operator, keyring } = bundledPrograms(packageRoot());
  const testbed = await startTestbed({
    namespaces: ["xwing-start"],
    workspace: { environments: RULES },
    programs: { operator: { main: operator }, keyring: { main: keyring } },
    ...options,
  });
  const compact = environmentNamed(testbed, "compact", "x25519");
  await testbed.apply(ZOPP_ENVIRONMENTS, compact);
  await testbed.operator.stop();
  await testbed.keyring.stop();
  const cores = await parted(testbed.controlPlane);
  await testbed.startKeyring({ NODE_OPTIONS: gcOptions() });
  return { testbed, environments: { xwing: testbed.environment, x25519: readEnvironment(compact) }, cores };
}

/** An environment of the workspace, its key wrapped to the keyring, and to alice where people open by themselves. */
export function environmentNamed(
  { cluster }: Testbed,
  name: string,
  kem: Sealing,
  access: "brokered" | "direct" = "brokered",
): ZoppEnvironment {
  const scope = { workspace: "acme", project: "shop", environment: name };
  const recipients = [parseEncryptionKey(cluster.encryptionKey)];
  if (access === "direct") recipients.push(identityOf("alice").encryption.publicKey);
  const { privateKey, public: publicKey } = environmentKey[kem];
  const sealed = recipients.map((recipient) => {
    if (recipient === null) throw new Error("the keyring published no encryption key");
    return wrapEnvironmentKey(recipient, { ...scope, epoch: 1 }, privateKey);
  });
  const keys = [{ epoch: 1, binding: "object" as const, public: publicKey.text, sealed }];
  return newEnvironment({ ...scope, access, keys }, signing());
}

/** The name of the n-th bundle. */
export function nameOf(at: number): string {
  return `bundle-${String(at).padStart(5, "0")}`;
}

/** Five values of ordinary length. */
export function valuesOf(mark: string): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: VALUES }, (_, at) => [`KEY_${at}`, `${mark}-${"v".repeat(24)}-${at}`]),
  );
}

/** What is laid out, where it is not ordinary. */
export interface LayOutOptions {
  /** What a bundle of this name holds. */
  readonly values?: (name: string) => Readonly<Record<string, string>>;
  /** Told of each bundle. */
  readonly made?: (bundle: ZoppSecret) => void;
}

/** Makes a namespace with sealed, signed bundles in it; nothing else looks at them yet. */
export function layOut(
  { testbed, environments }: World,
  sealing: Sealing,
  namespace: string,
  count: number,
  options: LayOutOptions = {},
): Promise<void> {
  return layOutOf(testbed, environments[sealing], { namespace, count, ...options });
}

/** The same for any environment. */
export async function layOutOf(
  testbed: Testbed,
  environment: AcceptedEnvironment,
  { namespace, count, values = valuesOf, made }: LayOutOptions & { readonly namespace: string; readonly count: number },
): Promise<void> {
  await testbed.apply(NAMESPACES, { metadata: { name: namespace } });
  const now = new Date();
  await inParallel(count, async (at) => {
    const name = nameOf(at);
    const sealed = bundle(environment, values(name), { namespace, name, now });
    made?.(sealed);
    await testbed.client.create(ZOPP_SECRETS, sealed, { metadataOnly: true });
  });
}

/** One signed bundle of five values. */
export function sealedBundle(
  environment: AcceptedEnvironment,
  { mark, ...place }: { readonly namespace: string; readonly name: string; readonly mark: string; readonly now: Date },
): ZoppSecret {
  return bundle(environment, valuesOf(mark), place);
}

/** Does something for 0 … count-1, thirty-two at once. */
export async function inParallel(
  count: number,
  work: (at: number) => Promise<unknown>,
  inFlight = IN_FLIGHT,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) await work(at);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}
