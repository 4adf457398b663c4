// Approvals from end to end: what waits changes nothing that runs, and what an approver signs on the cluster is applied.
import { fileURLToPath } from "node:url";
import t from "tap";
import { formatToken } from "../../crds/crypto/token.js";
import { amendWorkspace, workspaceContent } from "../../crds/policy/edit.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { eventually } from "../eventually.js";
import { digestOfOwners, seedOf, withTombstone, withValue } from "../fixtures.js";
import { runProgram } from "../run-program.js";
import { startTestbed } from "../testbed.js";
import { workspaceInForce } from "../testbed.look.js";
import { signing } from "../testbed.policy.js";

const ZOPP = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

const bed = await startTestbed();
t.teardown(() => bed.stop());

/** Runs zopp on the cluster as a person of the policy. */
async function zopp(as: string, ...words: readonly string[]) {
  const token = formatToken(seedOf(as), digestOfOwners(bed.workspace));
  const env = {
    PATH: process.env["PATH"],
    HOME: bed.folder,
    KUBECONFIG: bed.controlPlane.kubeconfig,
    ZOPP_TOKEN: token,
  };
  const place = ["--store", "cluster", "--workspace", "acme"];
  return runProgram([process.execPath, ZOPP, ...words, ...place], { env, cwd: bed.folder });
}

const started = bed.seal({ PASSWORD: "one", USER: "app" });

t.test("owners ask for an approval: what was accepted before runs on", async (t) => {
  await bed.applyBundle(started);
  await bed.settled("Synced");
  const content = workspaceContent(bed.workspace);
  const approvals = { required: 1, approvers: ["group:sre"] };
  const environments = (content.environments ?? []).map((rule) => ({ ...rule, approvals }));
  await bed.amendPolicy({ workspace: amendWorkspace(bed.workspace, { ...content, environments }, signing()) });
  await workspaceInForce(bed);
  const ran = await zopp("bob", "approve", "--environment", "shop/production");
  t.equal(ran.code, 0, ran.stderr);
  await bed.settled("Synced");
});

t.test("while one value waits the whole bundle waits, and the Secret stays as it was", async (t) => {
  const { resourceVersion } = (await bed.secret()).metadata;
  const changed = withValue(withTombstone(started, "USER", bed.writing()), "PASSWORD", "two", bed.writing());
  await bed.applyBundle(changed);
  const message = readyOf((await bed.settled("PendingApproval")).status)?.message ?? "";
  t.match(message, /lacks 1 of 1 approvals \(by bob, carol\)/);
  const own = await zopp("alice", "approve", "shop-prod/api");
  t.equal(own.code, 3, own.stderr);
  const part = await zopp("bob", "approve", "shop-prod/api", "PASSWORD");
  t.equal(part.code, 0, part.stderr);
  t.match(part.stderr, /PendingApproval: bundle shop-prod\/api: spec\.data\.USER lacks 1 of 1 approvals/);
  await bed.settled("PendingApproval");
  const secret = await bed.secret();
  t.strictSame(secret.data, { PASSWORD: "one", USER: "app" });
  t.equal(secret.metadata.resourceVersion, resourceVersion, "nobody wrote to it");
});

t.test("once all of it is approved it is applied", async (t) => {
  const ran = await zopp("carol", "approve", "shop-prod/api");
  t.equal(ran.code, 0, ran.stderr);
  t.match(ran.stdout, /approved USER, version \d+ by alice/);
  await eventually(async () => (await bed.secret()).data?.["PASSWORD"] === "two");
  t.strictSame((await bed.secret()).data, { PASSWORD: "two" });
  await bed.settled("Synced");
});
