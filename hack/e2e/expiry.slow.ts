// Values that come to their end, on a real API server with real processes: what is said, how often, and that nothing goes.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { formatToken } from "../../crds/crypto/token.js";
import { amendWorkspace, workspaceContent } from "../../crds/policy/edit.js";
import { conditionOf, readyOf } from "../../operator/kube/conditions.js";
import { EVENTS, type KubeObject } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { digestOfOwners, seedOf, withValue } from "../fixtures.js";
import { runProgram } from "../run-program.js";
import { startTestbed } from "../testbed.js";
import { quiet, readMetrics, versions, workspaceInForce } from "../testbed.look.js";
import { signing } from "../testbed.policy.js";

const ZOPP = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
/** So short that a test lives through all of it. */
const WARNING = "ZOPP_OPERATOR_EXPIRY_WARNING";

const bed = await startTestbed({ env: { [WARNING]: "4s" } });
t.teardown(() => bed.stop());

const LONG = { timeoutMs: 30_000 };
const after = (seconds: number) => `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`;

type Said = KubeObject & { readonly reason: string; readonly involvedObject: { readonly name: string } };

/** What Events said of ends, of one bundle. */
async function said(name: string): Promise<readonly string[]> {
  const { items } = await bed.client.list<Said>(EVENTS, { namespace: "shop-prod" });
  const about = items.filter(
    ({ involvedObject, reason }) => involvedObject.name === name && reason.startsWith("Expire"),
  );
  return about.map(({ reason }) => reason).sort();
}

async function expiringOf(name: string) {
  const { status } = await bed.bundle(name);
  return conditionOf(status, "Expiring");
}

/** A bundle whose value TOKEN ends, and another one that does not. */
function ending(name: string, expires: string) {
  const secret = bed.seal({ KEPT: "kept", TOKEN: "tok" }, { name });
  return withValue(secret, "TOKEN", "tok", { ...bed.writing(), expires });
}

t.test(
  "a value is told of ahead of its end and at its end, once each; its Secret stays and the bundle is Ready",
  async (t) => {
    await bed.applyBundle(ending("api", after(12)));
    const { status } = await bed.settled("Synced");
    t.ok(status?.expires);
    const { metadata } = await bed.secret();
    const condition = await eventually(async () => {
      const found = await expiringOf("api");
      return found?.reason === "Expired" ? found : undefined;
    }, LONG);
    t.match(condition.message, /zopp set.*zopp expire.*TOKEN \(/);
    await quiet(bed);
    t.strictSame(await said("api"), ["Expired", "ExpiresWithinADay"]);
    t.equal(readyOf((await bed.bundle()).status)?.status, "True");
    const now = await bed.secret();
    t.strictSame(now.data, { KEPT: "kept", TOKEN: "tok" });
    t.equal(now.metadata.resourceVersion, metadata.resourceVersion, "nobody wrote it");
    t.equal((await readMetrics(bed.ports.metrics)).sum("zopp_entries_expiring", { reason: "Expired" }), 1);
  },
);

t.test("a restart says nothing again, writes nothing and opens nothing", async (t) => {
  await bed.operator.stop();
  const before = await versions(bed, "shop-prod");
  await bed.startOperator();
  await quiet(bed);
  t.strictSame(await versions(bed, "shop-prod"), before);
  const metrics = await readMetrics(bed.ports.metrics);
  t.equal(metrics.sum("zopp_open_total"), 0);
  t.equal(metrics.sum("zopp_entries_expiring", { reason: "Expired" }), 1, "and is counted all the same");
});

t.test(
  "what comes to its end while no operator runs, or is warned of earlier now, is said by the next one",
  async (t) => {
    const expires = after(30);
    await bed.applyBundle(ending("meanwhile", expires));
    await bed.applyBundle(ending("far", after(7 * 86_400)));
    for (const name of ["meanwhile", "far"]) await bed.settled("Synced", name);
    t.equal(await expiringOf("far"), undefined);
    await bed.operator.stop();
    await eventually(() => Date.now() > Date.parse(expires), LONG);
    t.notOk((await said("meanwhile")).includes("Expired"));
    await bed.startOperator([], { [WARNING]: "14d" });
    await eventually(async () => (await said("meanwhile")).includes("Expired"));
    await eventually(async () => (await expiringOf("far"))?.reason === "ExpiresSoon");
  },
);

t.test("a stage that is taken back and comes again has one Event; a new value ends it", async (t) => {
  for (const [warning, reason] of [
    ["4s", undefined],
    ["14d", "ExpiresSoon"],
  ] as const) {
    await bed.operator.stop();
    await bed.startOperator([], { [WARNING]: warning });
    await eventually(async () => (await expiringOf("far"))?.reason === reason);
  }
  await quiet(bed);
  t.strictSame(await said("far"), ["ExpiresSoon"]);
  const renewed = withValue(ending("far", after(90)), "TOKEN", "new", {
    ...bed.writing(),
    expires: after(90 * 86_400),
  });
  await bed.applyBundle(renewed);
  await eventually(async () => (await expiringOf("far")) === undefined);
  await eventually(async () => (await bed.secret("far")).data?.["TOKEN"] === "new");
});

t.test(
  "through a keyring, who reads and writes gives a value another end; who writes only is told how else",
  async (t) => {
    const content = workspaceContent(bed.workspace);
    const clusters = (content.clusters ?? []).map((each) => ({ ...each, endpoint: `127.0.0.1:${bed.ports.keyring}` }));
    await bed.amendPolicy({ workspace: amendWorkspace(bed.workspace, { ...content, clusters }, signing()) });
    await workspaceInForce(bed);
    await bed.applyBundle(bed.seal({ IMAGE_TAG: "v1", DB_USER: "shop" }, { name: "web" }));
    await bed.settled("Synced", "web");
    const expire = (as: string, ...words: readonly string[]) =>
      runProgram(
        [process.execPath, ZOPP, "expire", "shop-prod/web", ...words, "--store", "cluster", "--workspace", "acme"],
        {
          env: {
            PATH: process.env["PATH"],
            HOME: join(bed.folder, as),
            KUBECONFIG: bed.controlPlane.kubeconfig,
            ZOPP_TOKEN: formatToken(seedOf(as), digestOfOwners(bed.workspace)),
          },
          cwd: bed.folder,
        },
      );
    const before = (await bed.bundle("web")).spec.data;
    const ci = await expire("ci", "IMAGE_TAG", "--in", "90d");
    t.equal(ci.code, 3, ci.stderr);
    t.match(ci.stderr, /NotAuthorised: ci may not read IMAGE_TAG.*zopp set shop-prod\/web IMAGE_TAG --expires/);
    t.strictSame((await bed.bundle("web")).spec.data, before);
    const bob = await expire("bob", "IMAGE_TAG", "--in", "10d");
    t.equal(bob.code, 0, bob.stderr);
    await eventually(async () => (await expiringOf("web"))?.reason === "ExpiresSoon");
    await bed.settled("Synced", "web");
    t.strictSame((await bed.secret("web")).data, { IMAGE_TAG: "v1", DB_USER: "shop" });
    t.ok(
      bed.keyring.lines.some((line) => line.includes('"action":"read"') && line.includes('"bob/')),
      "and it is recorded",
    );
    t.equal((await expire("bob", "IMAGE_TAG", "--never")).code, 0);
    await eventually(async () => (await expiringOf("web")) === undefined);
  },
);
