// The service Audit of a keyring that runs: who sees which records, and that what is shown is the log that was stored.
import t, { type Test } from "tap";
import { readCheckpoint } from "../../crds/audit/checkpoint.js";
import { leafHash, MerkleTree, verifyConsistency, verifyInclusion } from "../../crds/audit/merkle.js";
import { parseRecord, type RecordFilter } from "../../crds/audit/records.js";
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { eventually } from "../../hack/eventually.js";
import { acmeContent, identityOf, person } from "../../hack/fixtures.js";
import { startTestbed, type Testbed } from "../../hack/testbed.js";
import { silentLog } from "../kube/observe.js";
import { ZOPP_WORKSPACES } from "../kube/resources.js";
import { connectKeyring } from "./client.js";
import type { KeyringClient, ListedRecord, RecordPage } from "./client.types.js";

const { grants = [], principals } = acmeContent();
const ENDED = "2026-01-01T00:00:00Z";
const WORKSPACE = {
  principals: [...principals, person("erin"), person("frank"), person("grace"), person("heidi")],
  grants: [
    ...grants,
    { subject: "carol", role: "audit", scope: "*" } as const,
    { subject: "heidi", role: "audit", scope: "*" } as const,
    { subject: "erin", role: "audit", scope: "shop/production" } as const,
    { subject: "frank", role: "audit", scope: "billing" } as const,
    { subject: "grace", role: "audit", scope: "*", expires: ENDED } as const,
  ],
};

function clientOf(t: Test, bed: Testbed, name: string): KeyringClient {
  const client = connectKeyring({
    address: `127.0.0.1:${bed.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: identityOf(name).signing,
    log: silentLog,
  });
  t.teardown(() => client.close());
  return client;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: unknown) => (error instanceof ZoppError ? error.code : String(error)),
  );
}

/** All pages of a log; a key has fifty calls a second, and these tests may be quicker. */
async function listAll({ audit }: KeyringClient, filter: RecordFilter = {}, hashes = false): Promise<ListedRecord[]> {
  const found: ListedRecord[] = [];
  for (let from = 0; ; ) {
    const page = await eventually(() => audit.list(from, filter, hashes));
    found.push(...page.records);
    if (page.next >= page.size) return found;
    from = page.next;
  }
}

const shown = (records: readonly ListedRecord[]) =>
  records.flatMap((each) => ("line" in each ? [parseRecord(each.line)] : []));

t.test("on a real API server", async (t) => {
  const bed = await startTestbed({ workspace: WORKSPACE });
  t.teardown(() => bed.stop());
  await bed.applyBundle(bed.seal({ A: "x", B: "y" }, { name: "api" }));
  await bed.settled("Synced", "api");
  const key = parseVerifyKey(bed.keyringKey);
  if (key === null) throw new TypeError("no key");
  const carol = clientOf(t, bed, "carol");

  await t.test("an auditor of everything sees all records, which are the log that the checkpoint signs", async (t) => {
    const records = await listAll(carol);
    const tree = new MerkleTree();
    for (const each of records) tree.append("line" in each ? leafHash(each.line) : each.hash);
    const checkpoint = readCheckpoint(await carol.audit.checkpoint(), key);
    t.same(checkpoint.root, tree.root(checkpoint.size));
    t.equal(checkpoint.log, bed.cluster.log);
    const actions = new Set(shown(records).map(({ action }) => action));
    for (const action of ["start", "enrol", "accept-workspace", "accept-environment", "open"])
      t.ok(actions.has(action), action);
  });

  await t.test("each released key says its version, whether it was new or not", async (t) => {
    const [record] = shown(await listAll(carol, { action: "open", secret: "api" }));
    const { data } = bed.seal({ A: "x" }).spec;
    t.match(record, {
      evidence: "delegated",
      keys: ["A", "B"],
      environment: "acme/shop/production",
      decision: "released",
    });
    t.ok(record?.entries?.["A"]?.version && data !== undefined);
  });

  await t.test(
    "an auditor of one environment sees its records, and of the others only hashes, which make the same tree",
    async (t) => {
      const erin = clientOf(t, bed, "erin");
      const records = await listAll(erin, {}, true);
      const actions = new Set(shown(records).map(({ action }) => action));
      t.same([...actions].sort(), ["accept-environment", "open"]);
      const tree = new MerkleTree();
      for (const each of records) tree.append("line" in each ? leafHash(each.line) : each.hash);
      const { size, root } = readCheckpoint(await erin.audit.checkpoint(), key);
      t.same(tree.root(size), root);
    },
  );

  for (const [name, why] of [
    ["alice", "an owner and admin without the role"],
    ["ci", "a service that submits"],
    ["frank", "an auditor of another project"],
    ["grace", "an auditor whose grant has ended"],
  ] as const) {
    await t.test(`${why} sees nothing`, async (t) => {
      const { audit } = clientOf(t, bed, name);
      const calls = [audit.list(0, {}), audit.checkpoint(), audit.proof({ index: 0 }, 0), audit.tail(0, {}, () => {})];
      t.same(await Promise.all(calls.map(codeOf)), [
        "NotAuthorised",
        "NotAuthorised",
        "NotAuthorised",
        "NotAuthorised",
      ]);
    });
  }

  await t.test("the operator's own key reads no log", async (t) => {
    const operator = clientOf(t, bed, "nobody");
    t.equal(await codeOf(operator.audit.list(0, {})), "Unauthenticated");
  });

  await t.test("filters choose by who, what, where and when", async (t) => {
    const heidi = clientOf(t, bed, "heidi"); // who has called nothing yet
    const all = shown(await listAll(heidi));
    const count = async (filter: RecordFilter) => shown(await listAll(heidi, filter)).length;
    t.equal(await count({ action: "open" }), all.filter(({ action }) => action === "open").length);
    t.equal(
      await count({ principal: "system:serviceaccount:zopp-system:zopp" }),
      all.filter(({ actor }) => actor.startsWith("system:")).length,
    );
    t.equal(await count({ secret: "shop-prod/api" }), await count({ secret: "api" }));
    t.equal(await count({ secret: "pi" }), 0, "no part of a name");
    t.ok((await count({ environment: "shop/production" })) > 0);
    t.equal(await count({ environment: "staging" }), 0);
    t.equal(await count({ decision: "released" }), all.filter(({ decision }) => decision === "released").length);
    t.equal(await count({ until: ENDED }), 0);
    const isWhole = async () => (await count({ since: ENDED })) === shown(await listAll(heidi)).length;
    await eventually(isWhole, { message: "all are since then" });
    t.equal(await codeOf(heidi.audit.list(0, { since: "yesterday" })), "Malformed");
  });

  await t.test("proofs hold: a record is in the log, and the log only grew", async (t) => {
    const before = readCheckpoint(await carol.audit.checkpoint(), key);
    await bed.applyBundle(bed.seal({ A: "x" }, { name: "web" }));
    await bed.settled("Synced", "web");
    const now = readCheckpoint(await carol.audit.checkpoint(), key);
    t.ok(now.size > before.size);
    const [first] = await listAll(carol);
    const leaf = leafHash(first !== undefined && "line" in first ? first.line : "");
    const { size, root } = now;
    t.ok(verifyInclusion({ index: 0, size, leaf, root }, await carol.audit.proof({ index: 0 }, size)));
    const grown = await carol.audit.proof({ from: before.size }, size);
    t.ok(verifyConsistency({ from: before.size, fromRoot: before.root, size, root }, grown));
    t.equal(await codeOf(carol.audit.proof({ index: size }, size)), "LogPruned");
  });

  await t.test("a tail tells what is stored while it runs", async (t) => {
    const { size } = await carol.audit.list(Number.MAX_SAFE_INTEGER, {});
    const pages: RecordPage[] = [];
    const stop = new AbortController();
    const running = carol.audit.tail(size, { action: "open" }, (page) => void pages.push(page), stop.signal);
    await bed.applyBundle(bed.seal({ A: "x" }, { name: "late" }));
    t.ok(
      await eventually(() =>
        shown(pages.flatMap(({ records }) => records)).some(({ object }) => object === "shop-prod/late"),
      ),
    );
    stop.abort();
    await codeOf(running);
  });

  await t.test("one auditor follows the log four times at once, and keeps nobody else from it", async (t) => {
    const stop = new AbortController();
    const from = (await carol.audit.list(Number.MAX_SAFE_INTEGER, {})).size;
    // each by a connection of its own, as whoever would keep the keyring busy does
    const follow = (name: string) => codeOf(clientOf(t, bed, name).audit.tail(from, {}, () => {}, stop.signal));
    const tails = Array.from({ length: 5 }, () => follow("carol"));
    t.equal(await Promise.race(tails), "Overloaded");
    t.equal(await codeOf(carol.audit.checkpoint()), "ok", "her other calls go on");
    const erin = clientOf(t, bed, "erin");
    const seen: RecordPage[] = [];
    const other = codeOf(erin.audit.tail(from, {}, (page) => void seen.push(page), stop.signal));
    await bed.applyBundle(bed.seal({ A: "x" }, { name: "followed" }));
    await eventually(() => seen.length > 0);
    stop.abort();
    await Promise.all([...tails, other]);
  });

  await t.test("a refused policy is a record for each version that is refused, whoever may see it", async (t) => {
    const refusals = async () => shown(await listAll(carol, { action: "accept-workspace", decision: "refused" }));
    const object = await bed.client.get<never>(
      { group: "zopp.dev", version: "v1alpha1", plural: "zoppworkspaces", kind: "ZoppWorkspace", namespaced: false },
      { name: "acme" },
    );
    const { spec, ...rest } = object as { spec: { version: number } };
    for (const more of [1, 2]) {
      const version = spec.version + more;
      await bed.client.apply(
        { group: "zopp.dev", version: "v1alpha1", plural: "zoppworkspaces", kind: "ZoppWorkspace", namespaced: false },
        {
          ...rest,
          apiVersion: "zopp.dev/v1alpha1",
          kind: "ZoppWorkspace",
          metadata: { name: "acme" },
          spec: { ...spec, version },
        } as never,
        { fieldManager: "test", force: true },
      );
      t.ok(await eventually(async () => (await refusals()).some((record) => record.version === version)));
    }
    t.match(await refusals(), [{ object: "acme", reason: /./, digest: /^[0-9a-f]{64}$/ }, { object: "acme" }]);
  });

  await t.test(
    "what was refused in the name of a workspace that is not served is seen by who audits all",
    async (t) => {
      await bed.apply(ZOPP_WORKSPACES, { ...bed.workspace, metadata: { name: "evil" } });
      const sees = async (records: ReturnType<typeof listAll>) =>
        shown(await records).some(({ object, reason }) => object === "evil" && reason === "NotPinned");
      t.ok(await eventually(() => sees(listAll(carol))));
      t.notOk(await sees(listAll(clientOf(t, bed, "erin"))), "but not by who audits one environment");
    },
  );
});
