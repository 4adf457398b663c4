// Bundles whose states are kept, on a real API server: the commands about them as somebody of the policy, and what lies there.
// For history.slow.ts and rollback.slow.ts; what is looked for is theirs.
import type { Test } from "tap";
import { Workbench } from "../../cli/run.case.js";
import { formatToken } from "../../crds/crypto/token.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { CONTROLLER_REVISIONS, type KubeObject } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { digestOfOwners, seedOf, withValue } from "../fixtures.js";
import type { Testbed } from "../testbed.js";

/** A ControllerRevision as zopp makes them. */
export type Revision = KubeObject & { readonly revision: number; readonly data: { readonly spec: ZoppSecret["spec"] } };

/** Looks at, and works with, the states of bundles in shop-prod. */
export function historyWorld(t: Pick<Test, "teardown">, bed: Testbed) {
  const bench = new Workbench(t);

  /** A command on the cluster; a brokered environment is read at the keyring's own port. */
  function zopp(as: string, words: readonly string[]) {
    const env = {
      ZOPP_TOKEN: formatToken(seedOf(as), digestOfOwners(bed.workspace)),
      ZOPP_KEYRING: `127.0.0.1:${bed.ports.keyring}`,
    };
    const cluster = ["--workspace", "acme", "--store", "cluster", "--kubeconfig", bed.controlPlane.kubeconfig];
    return bench.run([...words, ...cluster], { env });
  }

  /** The states of a bundle that lie in the API, oldest first. */
  async function kept(name: string): Promise<readonly Revision[]> {
    const { items } = await bed.client.list<Revision>(CONTROLLER_REVISIONS, { namespace: "shop-prod" });
    const ours = items.filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.name === name));
    return ours.sort((a, b) => a.revision - b.revision);
  }

  function isKept(name: string, count: number): Promise<readonly Revision[]> {
    const states = async () => {
      const found = await kept(name);
      if (found.length !== count) throw new Error(`${found.length} are kept`);
      return found;
    };
    return eventually(states, { timeoutMs: 90_000, message: `${count} states of ${name} are kept` });
  }

  /** The bundle as it is stored, without what the API server adds. */
  async function stored(name: string): Promise<ZoppSecret> {
    const { metadata: _, status: __, ...rest } = await bed.bundle(name);
    return { ...rest, metadata: { name, namespace: "shop-prod" } } as ZoppSecret;
  }

  async function change(name: string, edit: (present: ZoppSecret) => ZoppSecret): Promise<ZoppSecret> {
    await bed.applyBundle(edit(await stored(name)));
    return bed.settled("Synced", name);
  }

  const setting =
    (key: string, value: string, by = "alice") =>
    (present: ZoppSecret) =>
      withValue(present, key, value, bed.writing(by));

  return { zopp, kept, isKept, stored, change, setting };
}
