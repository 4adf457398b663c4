import t from "tap";
import { isOfShard, leaseOfShard, shardOf } from "./shards.plan.js";

t.test("the shard of a namespace is what another implementation computes too, and never changes", async (t) => {
  // printf %s shop-prod | sha256sum
  t.equal(shardOf("shop-prod", 3), 0x587d35c6 % 3);
  const of = (shards: number) =>
    ["default", "shop-prod", "shop-staging", "a", "b"].map((name) => shardOf(name, shards));
  t.strictSame(of(1), [0, 0, 0, 0, 0]);
  t.equal(shardOf(undefined, 16), 0, "what is in no namespace is the first one's");
});

t.test("shards are of about one size", async (t) => {
  for (const shards of [2, 3, 16]) {
    const sizes = Array<number>(shards).fill(0);
    for (let at = 0; at < 1000 * shards; at++)
      sizes[shardOf(`namespace-${at}`, shards)] = (sizes[shardOf(`namespace-${at}`, shards)] ?? 0) + 1;
    t.ok(
      sizes.every((size) => size > 850 && size < 1150),
      `${sizes}`,
    );
  }
});

t.test("the first shard has the Lease of an operator that works alone", async (t) => {
  const place = { namespace: "zopp-system", name: "zopp-operator" };
  t.strictSame(leaseOfShard(place, 0), place);
  t.strictSame(leaseOfShard(place, 2), { namespace: "zopp-system", name: "zopp-operator-2" });
});

t.test("each path belongs to one shard, by its namespace; events about policy are the first one's too", async (t) => {
  const owners = (path: string) => [0, 1, 2].filter((shard) => isOfShard(path, shard, 3));
  for (const namespace of ["shop-prod", "shop-staging", "default", "kube-system", "a", "b", "c"]) {
    const one = [shardOf(namespace, 3)];
    t.strictSame(owners(`/api/v1/namespaces/${namespace}/secrets/api?fieldManager=x`), one);
    t.strictSame(owners(`/apis/zopp.dev/v1alpha1/namespaces/${namespace}/zoppsecrets/api/status`), one);
    t.strictSame(owners(`/apis/apps/v1/namespaces/${namespace}/controllerrevisions`), one);
    if (namespace !== "default") t.strictSame(owners(`/api/v1/namespaces/${namespace}/events`), one);
  }
  t.strictSame(owners("/api/v1/namespaces/default/events"), [...new Set([0, shardOf("default", 3)])]);
  t.strictSame(owners("/apis/zopp.dev/v1alpha1/zoppworkspaces/acme/status"), [0]);
  t.strictSame(owners("/api/v1/namespaces/shop-prod"), [0], "the namespace itself is in none");
  t.strictSame(
    owners("/apis/zopp.dev/v1alpha1/zoppworkspaces/x/namespaces/b/secrets"),
    [0],
    "only where a namespace stands",
  );
});
