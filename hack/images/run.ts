// Owns running an image's program without a container engine: its own files as a read-only root, its own Node and libraries.
// Only the file system is apart: network, processes and user are the machine's. Whole pods are hack/cluster's.
import { tmpdir } from "node:os";
import { median } from "../bench/figures.js";
import { startTestbed } from "../testbed.js";
import type { Program } from "../testbed.policy.js";
import { type OpenedImage, withImage } from "./archive.js";

/**
 * The temporary folder is shared, since a testbed's files lie there. The mounts end with the process. The environment is
 * the image's alone, as in a container: tap's would have Node load tap, which is not there.
 */
const IN_ROOT = `root=$1; shift
mount --bind "$root" "$root" && mount --bind "${tmpdir()}" "$root/tmp" && mount -o remount,bind,ro "$root" &&
exec env -i "$(command -v chroot)" "$root" "$@"`;

/** What an image's entry point is, as a testbed starts it. */
export function inRoot({ root, config }: OpenedImage): Program {
  const [node = "", main = ""] = config.config.Entrypoint ?? [];
  return { main, node: ["unshare", "--mount", "sh", "-c", IN_ROOT, "sh", root, node] };
}

/** How long the programs of the images take from being started to being ready, in milliseconds; the median of three. */
export async function startTimes(archives: {
  readonly operator: string;
  readonly keyring: string;
}): Promise<{ readonly operatorMs: number; readonly keyringMs: number }> {
  return withImage(archives.operator, (operator) =>
    withImage(archives.keyring, async (keyring) => {
      const bed = await startTestbed({ programs: { operator: inRoot(operator), keyring: inRoot(keyring) } });
      try {
        const operatorMs = await inMedian(async () => {
          await bed.operator.stop();
          return () => bed.startOperator();
        });
        const keyringMs = await inMedian(async () => {
          await bed.keyring.stop();
          return () => bed.startKeyring().then(() => bed.keyring.healthy(bed.ports.keyringHealth));
        });
        return { operatorMs, keyringMs };
      } finally {
        await bed.stop();
      }
    }),
  );
}

async function inMedian(prepare: () => Promise<() => Promise<void>>): Promise<number> {
  const taken: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const start = await prepare();
    const begun = performance.now();
    await start();
    taken.push(performance.now() - begun);
  }
  return median(taken);
}
