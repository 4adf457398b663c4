// Policy and the bundles that need it arrive together, as whoever applies a folder of git sends them: what is refused for
// policy that comes while the refusal is being written is looked at again.
import t from "tap";
import { amendWorkspace, workspaceContent } from "../../crds/policy/edit.js";
import type { ZoppWorkspace } from "../../crds/types.gen.js";
import type { Asked } from "../faulting-proxy.js";
import { identityOf, person, withValue } from "../fixtures.js";
import { startProxiedTestbed } from "../testbed.proxied.js";

const principals = [person("alice"), person("bob")];
const alone = [{ subject: "alice", role: "admin" as const, scope: "*" }];
const { bed, proxy } = await startProxiedTestbed(t, {
  keyringDirect: true,
  workspace: { principals, groups: [], grants: alone },
});

/** The workspace that follows the one in force, in which bob administers too. */
function withBob(): ZoppWorkspace {
  const { workspace } = bed;
  const grants = [...alone, { subject: "bob", role: "admin" as const, scope: "shop" }];
  const by = { signingKeys: [identityOf("alice").signing], now: new Date() };
  return amendWorkspace(workspace, { ...workspaceContent(workspace), grants }, by);
}

t.test("a bundle that was refused while its policy came is Ready without anybody's help", async (t) => {
  const before = bed.seal({ A: "by alice" });
  await bed.applyBundle(before);
  await bed.settled("Synced");
  const waits = Promise.withResolvers<void>();
  proxy.fault(({ method, path }: Asked) => {
    if (method === "GET" || !/zoppsecrets\/api\/status$/.test(path)) return undefined;
    waits.resolve();
    return { kind: "delay", ms: 2_000 };
  });
  await bed.applyBundle(withValue(before, "A", "by bob", bed.writing("bob")));
  await waits.promise;
  proxy.lift();
  await bed.amendPolicy({ workspace: withBob() });
  await bed.settled("Synced");
  t.strictSame((await bed.secret()).data, { A: "by bob" });
});
