// Somebody leaves while everything runs: nothing turns red, what he wrote stays, and nothing new of him is accepted.
import t from "tap";
import { Workbench } from "../../cli/run.case.js";
import { formatToken } from "../../crds/crypto/token.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { digestOfOwners, seedOf, withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { workspaceInForce } from "../testbed.look.js";

const bed = await startTestbed();
t.teardown(() => bed.stop());

const bench = new Workbench(t);
const PLACE = { name: "api", namespace: "shop-prod" };

/** A command of alice's, on the cluster. */
function alice(words: readonly string[], stdin = "") {
  const env = { ZOPP_TOKEN: formatToken(seedOf("alice"), digestOfOwners(bed.workspace)) };
  const cluster = ["--workspace", "acme", "--store", "cluster", "--kubeconfig", bed.controlPlane.kubeconfig];
  return bench.must([...words, ...cluster], { env, stdin });
}

async function bobs(key: string): Promise<ZoppSecret> {
  const { metadata: _, status: __, ...stored } = await bed.bundle();
  return withValue({ ...stored, metadata: PLACE } as ZoppSecret, key, "bob's", bed.writing("bob"));
}

t.test("a person leaves: what he wrote runs on, others write beside it, and he writes nothing more", async (t) => {
  await bed.applyBundle(bed.seal({ A: "alice's" }));
  await bed.settled("Synced");
  await bed.applyBundle(await bobs("B"));
  await bed.settled("Synced");
  await bed.applyBundle(bed.seal({ W: "bob's" }, { name: "web", by: "bob" }));
  const before = await bed.settled("Synced", "web");

  const gone = await alice(["principal", "remove", "bob"]);
  t.match(gone.err, "bob could read acme/shop/production through its keyrings");
  t.match(gone.err, /shop-prod\/api \(B\), shop-prod\/web \(header, W\)/);
  await workspaceInForce(bed);
  t.same((await bed.bundle("web")).status, before.status, "nothing changes for what he alone wrote");

  await alice(["set", "api", "C"], "alice's too");
  await bed.settled("Synced");
  const values = { A: "alice's", B: "bob's", C: "alice's too" };
  t.same(
    (await bed.secret()).data,
    values,
    "a bundle that changes is judged again, by what is remembered of his entry",
  );
  await alice(["set", "web", "X", "--sign-header", "--yes"], "x");
  await bed.settled("Synced", "web");
  t.same((await bed.secret("web")).data, { W: "bob's", X: "x" });

  await bed.applyBundle(await bobs("D"));
  await bed.settled("UnknownSigner");
  t.same((await bed.secret()).data, values, "the last good Secret stays whole");
});

t.test("a token writes on a cluster until it is revoked", async (t) => {
  await bed.applyBundle(bed.seal({ A: "a" }, { name: "job" }));
  await bed.settled("Synced", "job");
  const { out } = await alice(["token", "create", "deployer", "--scope", "shop/production", "--keys", "IMAGE_*"]);
  await workspaceInForce(bed);
  const store = ["--store", "cluster", "--kubeconfig", bed.controlPlane.kubeconfig];
  const job = (value: string) =>
    bench.run(["set", "job", "IMAGE_TAG", ...store], { env: { ZOPP_TOKEN: out.trim() }, stdin: value });
  t.match(await job("v1"), { code: 0 });
  await bed.settled("Synced", "job");
  t.same((await bed.secret("job")).data, { A: "a", IMAGE_TAG: "v1" });
  await alice(["token", "revoke", "deployer"]);
  await workspaceInForce(bed);
  t.match(await job("v2"), { code: 3, err: "UnknownSigner" });
  await alice(["set", "job", "B"], "b");
  await bed.settled("Synced", "job");
  t.same((await bed.secret("job")).data, { A: "a", B: "b", IMAGE_TAG: "v1" });
});
