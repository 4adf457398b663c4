import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import t from "tap";
import { eventually } from "../eventually.js";
import { cacheFolder, findBinaries } from "./binaries.js";
import { startControlPlane } from "./control-plane.js";
import { must } from "./kubectl.js";
import { createOperatorPod } from "./operator-pod.js";

const START_MS = 60_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

t.test("two control planes at once, each with its own objects", async (t) => {
  const [one, two] = await Promise.all([startControlPlane(), startControlPlane()]);
  t.teardown(() => Promise.all([one.stop(), two.stop()]));
  t.not(one.url, two.url);
  await must(one.kubectl(["create", "namespace", "only-one"]));
  t.match(await must(one.kubectl(["get", "ns"])), /only-one/);
  t.notMatch(await must(two.kubectl(["get", "ns"])), /only-one/);
  const pids = [...one.pids(), ...two.pids()];
  t.equal(pids.length, 6);

  await t.test("stop leaves no process and no folder, and may be said twice", async (t) => {
    await Promise.all([one.stop(), two.stop()]);
    await one.stop();
    t.strictSame(pids.filter(isAlive), []);
    t.notOk(existsSync(one.folder));
    t.notOk(existsSync(two.folder));
  });
});

t.test("a control plane as zopp needs it", async (t) => {
  const cp = await startControlPlane();
  t.teardown(() => cp.stop());

  await t.test("serves zopp's resources once its definitions are applied", async (t) => {
    await cp.applyCrds();
    t.match(await must(cp.kubectl(["get", "zoppsecrets", "--all-namespaces"])), /^$/);
  });

  await t.test("binds the operator's token to a Pod, for the keyring's audience only", async (t) => {
    const pod = await createOperatorPod(cp, {
      namespace: "zopp-system",
      serviceAccount: "operator",
      name: "operator-0",
    });
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview" };
    const spec = { token: await pod.token(), audiences: ["zopp-keyring"] };
    const status = async (spec: object) => {
      const args = ["create", "--output", "json", "--filename", "-"];
      const text = await must(cp.kubectl(args, { input: JSON.stringify({ ...review, spec }) }));
      return JSON.parse(text).status;
    };
    const { user } = await status(spec);
    t.equal(user.username, "system:serviceaccount:zopp-system:operator");
    t.strictSame(user.extra["authentication.kubernetes.io/pod-uid"], [pod.podUid]);
    t.not((await status({ token: spec.token })).authenticated, true, "not a token for the API server itself");
  });

  await t.test("gives a service account what RBAC gives it, and no more", async (t) => {
    const kubeconfig = await cp.serviceAccountKubeconfig("zopp-system", "operator");
    const before = await cp.kubectl(["get", "secrets", "--namespace", "zopp-system"], { kubeconfig });
    t.equal(before.code, 1);
    t.match(before.stderr, /Forbidden/);
    const binding = ["create", "clusterrolebinding", "reads", "--clusterrole", "admin"];
    await must(cp.kubectl([...binding, "--serviceaccount", "zopp-system:operator"]));
    await eventually(() =>
      must(cp.kubectl(["get", "secrets", "--namespace", "zopp-system"], { kubeconfig })).then(() => true),
    );
  });

  await t.test("collects garbage", async (t) => {
    const owner = await must(cp.kubectl(["create", "configmap", "owner", "--output", "jsonpath={.metadata.uid}"]));
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner }];
    const input = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "owned", ownerReferences } });
    await must(cp.kubectl(["create", "--filename", "-"], { input }));
    await must(cp.kubectl(["delete", "configmap", "owner"]));
    const isGone = async () => (await cp.kubectl(["get", "configmap", "owned"])).stderr.includes("NotFound");
    t.ok(await eventually(isGone, { timeoutMs: START_MS, message: "the owned object is gone" }));
  });

  await t.test("keeps address and objects when the API server is killed and started again", async (t) => {
    await must(cp.kubectl(["create", "namespace", "kept"]));
    const { url } = cp;
    await cp.restartApiServer();
    t.equal(cp.url, url);
    t.match(await must(cp.kubectl(["get", "ns"])), /kept/);
    await cp.stopApiServer();
    t.equal((await cp.kubectl(["get", "ns"])).code, 1);
    await cp.startApiServer();
    t.match(await must(cp.kubectl(["get", "ns"])), /kept/);
  });
});

t.test("a parent that is killed with SIGKILL leaves no process", async (t) => {
  const parent = spawn(process.execPath, [
    join(import.meta.dirname, "main.js"),
    "exec",
    "--",
    "sh",
    "-c",
    PRINT_AND_WAIT,
  ]);
  t.teardown(() => parent.kill("SIGKILL"));
  const [line] = (await once(createInterface(parent.stdout), "line")) as [string];
  const [command, ...rest] = line.split(" ");
  t.teardown(() => isAlive(Number(command)) && process.kill(Number(command)));
  t.equal(rest.length, 3);
  t.ok(rest.map(Number).every(isAlive));
  parent.kill("SIGKILL");
  await eventually(() => !rest.map(Number).some(isAlive), { message: "the control plane's processes have ended" });
});

/** Its own pid, which nobody but the test ends, and those of its siblings. */
const PRINT_AND_WAIT = "echo $$ $ZOPP_CONTROL_PLANE_PIDS; exec sleep 600";

t.test("a broken start says what the program wrote, and leaves nothing", async (t) => {
  const before = process.env["TMPDIR"];
  const folder = mkdtempSync(join(tmpdir(), "zopp-broken-"));
  process.env["TMPDIR"] = folder;
  t.teardown(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    rmSync(folder, { recursive: true });
  });
  const broken = startControlPlane({ apiServerArgs: ["--no-such-flag"] });
  await t.rejects(broken, /kube-apiserver ended.*unknown flag: --no-such-flag/s);
  t.strictSame(readdirSync(folder), []);
});

t.test("where neither programs nor Go are found, it says what to install", async (t) => {
  const empty = mkdtempSync(join(tmpdir(), "zopp-nothing-"));
  t.teardown(() => rmSync(empty, { recursive: true }));
  const env = { HOME: empty, PATH: empty };
  t.equal(cacheFolder(env), join(empty, ".cache", "zopp", "control-plane", "1.37.2"));
  await t.rejects(findBinaries({ env }), /kube-apiserver.*not found in .*install Go.*KUBEBUILDER_ASSETS/s);
  t.notOk(existsSync(cacheFolder(env)), "nothing is made");
  await t.rejects(findBinaries({ env: { ...env, KUBEBUILDER_ASSETS: empty } }), /lacks etcd, kube-apiserver, kubectl/);
});

t.test("an assets folder may lack the controller-manager, and that is said", async (t) => {
  const assets = mkdtempSync(join(tmpdir(), "zopp-assets-"));
  t.teardown(() => rmSync(assets, { recursive: true }));
  for (const name of ["etcd", "kube-apiserver", "kubectl"]) writeFileSync(join(assets, name), "", { mode: 0o755 });
  const lines: string[] = [];
  const found = await findBinaries({ env: { KUBEBUILDER_ASSETS: assets }, log: (line) => lines.push(line) });
  t.equal(found.controllerManager, undefined);
  t.equal(found.apiserver, join(assets, "kube-apiserver"));
  t.match(lines, [/no kube-controller-manager/]);
});

t.test("a build that fails says so, and is not taken for a program afterwards", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "zopp-build-"));
  t.teardown(() => rmSync(home, { recursive: true }));
  const bin = join(home, "bin");
  mkdirSync(bin);
  const seen = join(home, "seen");
  writeFileSync(join(bin, "go"), `#!/bin/sh\necho $GOFLAGS $GOWORK $GOTOOLCHAIN $CGO_ENABLED >${seen}\nexit 3\n`, {
    mode: 0o755,
  });
  const lines: string[] = [];
  const theirs = { GOFLAGS: "-mod=mod", GOWORK: "/their/go.work", GOTOOLCHAIN: "go1.20", CGO_ENABLED: "1" };
  const env = { HOME: home, PATH: bin, ...theirs };
  await t.rejects(findBinaries({ env, log: (line) => lines.push(line) }), /go build .*etcd.* failed \(exit code 3\)/);
  t.match(lines[0], /building etcd, kube-apiserver, .*about \d+ min/);
  t.notOk(existsSync(join(cacheFolder(env), "etcd")));
  t.equal(
    readFileSync(seen, "utf8"),
    "-mod=readonly off local 0\n",
    "a person's settings of Go do not change the build",
  );
});
