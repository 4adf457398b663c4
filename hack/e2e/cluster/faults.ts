// What befalls processes on a node: killed, out of memory, hung, asked to end. Each waits until kubelet has noticed and zopp
// is ready again.
import { eventually } from "../../eventually.js";
import type { Part, Site } from "./site.js";

const NOTICED_MS = 120_000;

/** Kills a part's process with SIGKILL. */
export async function kill(site: Site, part: Part): Promise<void> {
  await restarted(site, part, async () => void (await site.type(`kill -KILL ${await site.pid(part)}`)));
}

/** Stops a part's process without ending it: only its probe can tell. */
export async function hang(site: Site, part: Part): Promise<void> {
  await restarted(site, part, async () => void (await site.type(`kill -STOP ${await site.pid(part)}`)));
}

/** Sends SIGTERM twice: the second ends what the first has not ended yet. */
export async function endTwice(site: Site, part: Part): Promise<void> {
  await restarted(site, part, async () => {
    const pid = await site.pid(part);
    await site.type(`kill -TERM ${pid}; sleep 0.05; kill -TERM ${pid} || true`);
  });
}

/** Fills the memory of a part's own cgroup until the kernel kills it. */
export async function exhaust(site: Site, part: Part): Promise<void> {
  await restarted(site, part, async () => {
    const pid = await site.pid(part);
    const eater = "const held = []; for (;;) held.push(Buffer.alloc(1 << 20, 1));";
    const path = `$(sed -n 's/^[0-9]*:memory://p' /proc/${pid}/cgroup)`;
    await site.type(
      [
        // the kernel takes the one with the highest score: not the eater
        `echo 1000 > /proc/${pid}/oom_score_adj`,
        `(echo 0 > /sys/fs/cgroup/memory/${path}/cgroup.procs; exec timeout 60 node -e '${eater}') >/dev/null 2>&1 &`,
        `eater=$!; while kill -0 ${pid} 2>/dev/null; do sleep 0.1; done; kill $eater 2>/dev/null || true`,
      ].join("\n"),
    );
  });
  const { lastState } = await site.container(part);
  if (lastState?.terminated?.reason !== "OOMKilled")
    throw new Error(`${part} ended with ${JSON.stringify(lastState?.terminated)}, not for lack of memory`);
}

async function restarted(site: Site, part: Part, act: () => Promise<void>): Promise<void> {
  const before = (await site.container(part)).restartCount;
  await act();
  await eventually(async () => (await site.container(part)).restartCount > before, {
    timeoutMs: NOTICED_MS,
    message: `kubelet has started ${part} once more`,
  });
  const times = (await site.ready())[part] - before;
  if (times !== 1) throw new Error(`${part} was started ${times} times until it stayed`);
}
