// The cluster as a store, on a real API server: the same commands, updates only of what was read, refusals by the API.
// What the commands mean is tested on directories.
import t from "tap";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { clusterStatement, signStatement } from "../../crds/statement.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { startControlPlane } from "../../hack/control-plane/control-plane.js";
import { namespaceReader } from "../../hack/namespace-reader.js";
import { connect } from "../../operator/kube/client.js";
import { CONFIG_MAPS, type KubeObject, NAMESPACES, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { Workbench } from "../run.case.js";
import { openCluster } from "./cluster.js";
import { change } from "./store.js";

const PLACE = { namespace: "shop-dev", name: "api" };

t.test("a cluster is a store", async (t) => {
  const controlPlane = await startControlPlane();
  t.teardown(() => controlPlane.stop());
  await controlPlane.applyCrds();
  const { kubeconfig } = controlPlane;
  const client = await connect({ file: kubeconfig, userAgent: "test" });
  t.teardown(() => client.close());
  for (const name of ["shop-dev", "zopp-system"]) await client.create(NAMESPACES, { metadata: { name } });
  const bench = new Workbench(t);
  const cluster = ["--store", "cluster", "--kubeconfig", kubeconfig];
  const read = () => client.get<ZoppSecret & KubeObject>(ZOPP_SECRETS, PLACE);

  await t.test("init, set, get, list, status, verify and unset work on it", async (t) => {
    await bench.init(...cluster);
    const path = ["-e", "acme/shop/dev"];
    await bench.must(["set", "api", "A", ...path, ...cluster], { stdin: "a" });
    await bench.must(["set", "api", "B", "--kubeconfig", kubeconfig], { stdin: "b" });
    t.equal((await bench.must(["get", "api", "A", ...cluster])).out, "a");
    t.match((await bench.must(["list", ...cluster])).out, "shop-dev/api");
    t.match((await bench.must(["status", "api", ...cluster])).out, "check        ok");
    t.match((await bench.must(["verify", ...cluster])).out, "verified 1 bundle");
    await bench.must(["unset", "api", "B", ...cluster]);
    t.match(await read(), { spec: { data: { B: { retired: true } } } });
    t.match((await bench.run(["init", "acme/shop/dev", "--recovery-file", "r.txt", ...cluster])).err, "AlreadyExists");
  });

  await t.test("status shows what the cluster says of a bundle", async (t) => {
    const time = "2026-11-23T10:11:12Z";
    const ready = {
      type: "Ready",
      status: "False",
      reason: "PendingApproval",
      message: "waits",
      lastTransitionTime: time,
      observedGeneration: 1,
    };
    await client.replace(ZOPP_SECRETS, { ...(await read()), status: { conditions: [ready] } } as KubeObject, {
      subresource: "status",
    });
    t.match((await bench.must(["status", ...cluster])).out, /shop-dev\/api .* False +PendingApproval/);
    t.match((await bench.must(["status", "api", ...cluster])).out, "Ready=False PendingApproval: waits");
    await bench.must(["set", "api", "A", ...cluster], { stdin: "again" });
    t.match(await read(), { status: { conditions: [{ reason: "PendingApproval" }] } }, "a write leaves status alone");
  });

  await t.test(
    "a change that somebody else made meanwhile is kept: the write is made again on top of it",
    async (t) => {
      const store = await openCluster({ kubeconfig, env: {} });
      t.teardown(() => store.close());
      let calls = 0;
      const label = (value: string) => (present: ZoppSecret | undefined) => ({
        ...(present as ZoppSecret),
        metadata: { ...(present as ZoppSecret).metadata, labels: { ...present?.metadata.labels, [value]: "yes" } },
      });
      const slow = change("ZoppSecret", PLACE, (present) => {
        calls += 1;
        return label("mine")(present);
      });
      const other = (await read()) as ZoppSecret;
      const racing = client.replace(ZOPP_SECRETS, label("theirs")(other) as unknown as KubeObject);
      await Promise.all([store.write([slow]), racing]);
      t.match(await read(), { metadata: { labels: { mine: "yes", theirs: "yes" } } });
      t.ok(calls >= 1);
      const stale = other.metadata.resourceVersion;
      const never = change("ZoppSecret", PLACE, (present) => ({
        ...(present as ZoppSecret),
        metadata: { ...other.metadata, resourceVersion: stale },
      }));
      await t.rejects(store.write([never]), { code: "ApiConflict" });
    },
  );

  await t.test("cluster add reads the keyring's ConfigMap, and refuses one of another cluster", async (t) => {
    const keyring = identityFromSeed(newSeed());
    const system = await client.get<KubeObject>(NAMESPACES, { name: "kube-system" });
    const publish = (clusterUid: string) => {
      const facts = {
        signingKey: keyring.signing.verifyKey.text,
        encryptionKey: keyring.encryption.publicKey.text,
        log: "log-1",
        clusterUid,
      };
      const data = { ...facts, signature: signStatement(keyring.signing, clusterStatement(facts)) };
      return client.apply(
        CONFIG_MAPS,
        { metadata: { namespace: "zopp-system", name: "zopp-cluster" }, data } as KubeObject,
        { fieldManager: "test" },
      );
    };
    const add = ["cluster", "add", "eu-1", "--yes", "--workspace", "acme", ...cluster];
    t.match((await bench.run(add)).err, "error: NotFound: ");
    await publish("another");
    t.match((await bench.run(add)).err, "error: KeyringMismatch: ");
    await publish(system.metadata.uid ?? "");
    await bench.must(add);
    t.match((await bench.must(["verify", ...cluster])).out, "verified");
    // the same from a directory store: --context and --kubeconfig then say where the keyring is
    const other = new Workbench(t);
    await other.init();
    await other.must(["cluster", "add", "eu-1", "--yes", "--kubeconfig", kubeconfig]);
    t.match(other.read("zopp/acme.yaml"), keyring.signing.verifyKey.text);
  });

  await t.test("an import that the API server refuses half-way says what stands and what does not", async (t) => {
    const other = new Workbench(t);
    const namespaces = ["-n", "shop-dev", "-n", "shop-gone"];
    await other.must(["init", "beta/shop/dev", "--recovery-file", "r.txt", ...namespaces, ...cluster]);
    const secret = (name: string, namespace: string): string =>
      JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, stringData: { A: "1" } });
    const stdin = [secret("one", "shop-dev"), secret("two", "shop-gone"), secret("three", "shop-dev")].join("\n---\n");
    const { err, code } = await other.run(["import", "-", "-e", "beta/shop/dev", ...cluster], { stdin });
    t.equal(code, 4);
    const rest = "not written: ZoppSecret shop-gone/two, ZoppSecret shop-dev/three";
    t.match(err, `written before it: ZoppSecret shop-dev/one; ${rest}`);
    const there = await other.must(["list", "-e", "beta/shop/dev", "-o", "name", ...cluster]);
    t.equal(there.out, "zoppsecret/shop-dev/one\n");
  });

  await t.test(
    "who may list the bundles of one namespace is shown that namespace, and no other is asked for",
    async (t) => {
      const reader = await namespaceReader(controlPlane, "shop-dev");
      const as = ["--store", "cluster", "--kubeconfig", reader, "-o", "name"];
      for (const command of ["status", "list"]) {
        t.equal((await bench.run([command, ...as])).code, 3, "all namespaces are more than it may list");
        t.match((await bench.must([command, "-n", "shop-dev", ...as])).out, /^zoppsecret\/shop-dev\/api$/m);
      }
      t.equal((await bench.must(["status", "shop-dev/api", ...as])).out, "zoppsecret/shop-dev/api\n");
    },
  );

  await t.test("an account without rights and a server that is away are told apart", async (t) => {
    await controlPlane.kubectl(["create", "serviceaccount", "nobody", "-n", "shop-dev"]);
    const weak = await controlPlane.serviceAccountKubeconfig("shop-dev", "nobody");
    const refused = await bench.run(["list", "--store", "cluster", "--kubeconfig", weak]);
    t.equal(refused.code, 3);
    t.match(refused.err, "error: ApiRefused: ");
    await controlPlane.stopApiServer();
    const away = await bench.run(["list", ...cluster]);
    t.equal(away.code, 8);
    t.match(away.err, "error: ApiUnreachable: ");
  });
});
