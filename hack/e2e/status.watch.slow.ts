// `zopp status --watch` as a process, on a real API server with a real operator: what it says when something changes.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { formatToken } from "../../crds/crypto/token.js";
import { Child } from "../child.js";
import { eventually } from "../eventually.js";
import { flip, withEntry } from "../fixtures.bundle.js";
import { digestOfOwners, seedOf } from "../fixtures.js";
import { namespaceReader } from "../namespace-reader.js";
import { runProgram } from "../run-program.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf } from "../testbed.look.js";

const ZOPP = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

const bed = await startTestbed();
t.teardown(() => bed.stop());
const kubectl = kubectlOf(bed);
const env = () => ({
  HOME: join(bed.folder, "home"),
  KUBECONFIG: bed.controlPlane.kubeconfig,
  ZOPP_TOKEN: formatToken(seedOf("alice"), digestOfOwners(bed.workspace)),
});

/** Watches until the test is over; with another kubeconfig as that account. */
function watch(t: Test, words: readonly string[] = [], KUBECONFIG = env().KUBECONFIG): Child {
  const args = ["status", "--watch", "--store", "cluster", ...words];
  const child = new Child({ name: "zopp", main: ZOPP, args, env: { ...env(), KUBECONFIG } });
  t.teardown(() => child.stop());
  return child;
}

/** Waits for a line that was not there before. */
function said(child: Child, line: RegExp): Promise<string> {
  const find = () => {
    child.refuseDead();
    return child.lines.find((each) => line.test(each));
  };
  return eventually(find, { timeoutMs: 30_000, message: `zopp status --watch says ${line}` });
}

t.test("each change of a bundle is one line of JSON, its end too", async (t) => {
  await bed.applyBundle(bed.seal({ A: "a" }));
  await bed.settled("Synced");
  const child = watch(t, ["-o", "json"]);
  t.match(JSON.parse(await said(child, /"shop-prod\/api".*"Synced"/)), { bundle: "shop-prod/api", problems: [] });
  const good = bed.seal({ A: "a" }, { name: "bad" });
  await bed.applyBundle(withEntry(good, "A", { signature: flip(good.spec.data?.["A"]?.signature ?? "") }));
  const bad = JSON.parse(await said(child, /"shop-prod\/bad".*"reason":"SignatureInvalid"/));
  t.match(bad.problems, [{ code: "SignatureInvalid" }]);
  await kubectl("delete", "zs", "bad");
  await said(child, /^\{"bundle":"shop-prod\/bad","gone":true\}$/);
  const lines = child.lines.filter((line) => line.includes('"shop-prod/api"'));
  t.equal(lines.length, 1, "a bundle that did not change is not said again");
});

t.test("to people it says in words what is wrong, and what to do next", async (t) => {
  const child = watch(t);
  await said(child, /^shop-prod\/api .* ok +True +Synced$/);
  const good = bed.seal({ A: "a" }, { name: "bad" });
  await bed.applyBundle(withEntry(good, "A", { signature: flip(good.spec.data?.["A"]?.signature ?? "") }));
  await said(child, /^shop-prod\/bad: SignatureInvalid: the cluster: /);
  await said(child, /^shop-prod\/bad: SignatureInvalid: this machine: /);
  await said(child, /^ {2}next: find who changed it/);
  t.equal(await child.stop("SIGINT"), 130);
});

t.test("who may list one namespace watches that one", async (t) => {
  const reader = await namespaceReader(bed.controlPlane, "shop-prod");
  const child = watch(t, ["-n", "shop-prod"], reader);
  await said(child, /^shop-prod\/api .* ok +True +Synced$/);
  t.notOk(child.lines.some((line) => line.includes("trying again")));
});

t.test("a directory, a form that is no line, and an account that may not look are refused", async (t) => {
  const run = (more: Readonly<Record<string, string>>, ...words: string[]) =>
    runProgram([process.execPath, ZOPP, "status", "--watch", ...words], {
      env: { PATH: process.env["PATH"], ...env(), ...more },
      cwd: bed.folder,
    });
  t.match(await run({}, "--store", bed.folder), { code: 2, stderr: /--watch is for a cluster/ });
  t.match(await run({}, "--store", "cluster", "-o", "yaml"), { code: 2, stderr: /-o json/ });
  t.match(await run({}, "--store", "cluster", "--expiring", "1d"), { code: 2, stderr: /exclude/ });
  await kubectl("create", "serviceaccount", "nobody");
  const KUBECONFIG = await bed.controlPlane.serviceAccountKubeconfig("shop-prod", "nobody");
  const refused = await run({ KUBECONFIG }, "--store", "cluster");
  t.match(refused.stderr, /ApiRefused/);
  t.not(refused.code, 0);
});
