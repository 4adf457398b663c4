// The commands about people on a cluster as their store, on a real API server. What they mean is tested on directories.
import t from "tap";
import type { ZoppEnvironment, ZoppWorkspace } from "../crds/types.gen.js";
import { startControlPlane } from "../hack/control-plane/control-plane.js";
import { connect } from "../operator/kube/client.js";
import { NAMESPACES, ZOPP_ENVIRONMENTS, ZOPP_WORKSPACES } from "../operator/kube/resources.js";
import { Workbench } from "./run.case.js";

t.test("people come, are granted something and go again in a cluster", async (t) => {
  const controlPlane = await startControlPlane();
  t.teardown(() => controlPlane.stop());
  await controlPlane.applyCrds();
  const client = await connect({ file: controlPlane.kubeconfig, userAgent: "test" });
  t.teardown(() => client.close());
  await client.create(NAMESPACES, { metadata: { name: "shop-dev" } });
  const bench = new Workbench(t);
  const cluster = ["--workspace", "acme", "--store", "cluster", "--kubeconfig", controlPlane.kubeconfig];
  const pin = await bench.init(...cluster);
  await bench.must(["set", "api", "TOKEN", "-e", "shop/dev", ...cluster], { stdin: "x" });
  await bench.admit("bob", pin, ...cluster);
  await bench.person("phone", pin);
  bench.write("phone.json", (await bench.must(["whoami", "-o", "json"], { as: "phone" })).out);
  const reads = async (as: string) => {
    const ran = await bench.run(["get", "api", "TOKEN", ...cluster], { as });
    return ran.out === "x";
  };
  await bench.must(["group", "add", "sre", "bob", ...cluster]);
  await bench.must(["grant", "group:sre", "read", "--scope", "shop/dev", ...cluster]);
  await bench.must(["device", "add", "bob", "phone", "--from", "phone.json", ...cluster]);
  t.same([await reads("bob"), await reads("phone")], [true, true]);
  t.match((await bench.must(["principal", "list", ...cluster])).out, /bob .* read on shop\/dev by group:sre/);
  await bench.must(["device", "remove", "bob", "phone", ...cluster]);
  t.same([await reads("bob"), await reads("phone")], [true, false]);
  await bench.must(["grant", "bob", "write", "--scope", "shop", ...cluster]);
  await bench.must(["revoke", "bob", "write", "--scope", "shop", ...cluster]);

  const made = await bench.must(["token", "create", "ci", "--scope", "shop/dev", ...cluster]);
  const job = { as: "runner", env: { ZOPP_TOKEN: made.out.trim() } };
  await bench.must(["set", "api", "CI", ...cluster], { ...job, stdin: "v1" });
  t.equal((await bench.run(["get", "api", "CI", ...cluster], job)).out, "");
  await bench.must(["token", "revoke", "ci", ...cluster]);
  t.match((await bench.run(["set", "api", "CI", ...cluster], { ...job, stdin: "v2" })).err, "UnknownSigner");

  await bench.must(["principal", "remove", "bob", ...cluster]);
  t.notOk(await reads("bob"));
  const workspace = await client.get<ZoppWorkspace>(ZOPP_WORKSPACES, { name: "acme" });
  t.same(
    workspace.spec.principals.map(({ name }) => name),
    ["alice"],
  );
  const environment = await client.get<ZoppEnvironment>(ZOPP_ENVIRONMENTS, { name: "acme.shop.dev" });
  t.equal(environment.spec.keys[0]?.sealed.length, 2, "wrapped to alice and the recovery key");
  t.match(await bench.run(["group", "remove", "sre", ...cluster]), { code: 7, err: "the grant read on shop/dev" });
  await bench.must(["revoke", "group:sre", "read", "--scope", "shop/dev", ...cluster]);
  await bench.must(["group", "remove", "sre", ...cluster]);
  t.match((await bench.must(["verify", ...cluster])).out, "verified 1 bundle");
});
