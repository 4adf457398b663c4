import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { Ledger } from "../../operator/keyring/ledger.js";
import { EVENTS, type KubeObject, SECRETS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { readLog } from "./log.js";

const BUNDLES = 100;
const KILLS = 20;
const EDITS_PER_KILL = 5;
const LONGEST_WAIT_MS = 400;
const PATIENCE_MS = 120_000;

const nameOf = (at: number): string => `bundle-${String(at).padStart(3, "0")}`;

interface SeenEvent extends KubeObject {
  readonly involvedObject: { readonly uid?: string; readonly name?: string };
  readonly reason: string;
  readonly message: string;
}

t.test("kill -9 of operator or keyring at random moments of a first sync loses nothing", async (t) => {
  const bed = await startTestbed();
  t.teardown(() => bed.stop());
  await bed.operator.stop();
  const wanted = new Map<string, ZoppSecret>();
  const values = new Map<string, string>();
  const edited = new Map<string, number>();
  const put = async (name: string, secret: ZoppSecret, value: string): Promise<void> => {
    await bed.applyBundle(secret);
    wanted.set(name, secret);
    values.set(name, value);
  };
  for (let at = 0; at < BUNDLES; at += 1)
    await put(nameOf(at), bed.seal({ A: "first", B: "fixed" }, { name: nameOf(at) }), "first");
  const firsts = new Map(wanted);
  const edit = async (name: string, value: string): Promise<void> => {
    const present = wanted.get(name);
    edited.set(name, (edited.get(name) ?? 0) + 1);
    if (present !== undefined) await put(name, withValue(present, "A", value, bed.writing()), value);
  };

  await bed.startOperator();
  for (let round = 0; round < KILLS; round += 1) {
    await sleep(Math.random() * LONGEST_WAIT_MS);
    await (round % 2 === 0 ? bed.operator : bed.keyring).stop("SIGKILL");
    for (let at = 0; at < EDITS_PER_KILL; at += 1)
      await edit(nameOf(Math.floor(Math.random() * BUNDLES)), `round-${round}-${at}`);
    if (round % 2 === 0) await bed.startOperator();
    else await bed.startKeyring();
  }
  await edit(nameOf(0), "last");

  for (const [name, value] of values) {
    await bed.settled("Synced", name, "shop-prod", PATIENCE_MS);
    const { data } = await bed.secret(name);
    t.strictSame(data, { A: value, B: "fixed" }, `${name} is right`);
  }

  await t.test("the segments are one unbroken chain, and whatever was applied was accepted before", async (t) => {
    const records = await readLog(bed);
    t.strictSame(
      records.map(({ index }) => index),
      [...records.keys()],
      "every record is at its index",
    );
    t.equal(
      records.filter(({ action }) => action === "start").length,
      KILLS / 2 + 1,
      "each start of the keyring is recorded",
    );
    const ledger = new Ledger();
    for (const record of records) ledger.apply(record);
    for (const [name, secret] of wanted) {
      const place = ledger.place(`shop-prod/${name}`);
      t.equal(
        place?.entries.get("A")?.version,
        secret.spec.data?.["A"]?.version,
        `${name}: the ledger holds what is applied`,
      );
      const { status } = await bed.bundle(name);
      const release = records.find(({ digest, decision }) => digest === status?.digest && decision === "released");
      const written = await writtenAt(name);
      t.ok(
        release !== undefined && Date.parse(release.time) < written + 1000,
        `${name}: released by record ${release?.index} before it was written`,
      );
    }
  });

  await t.test("no event is said twice", async (t) => {
    const { items } = await bed.client.list<SeenEvent>(EVENTS, { namespace: "shop-prod" });
    for (const [name, edits] of edited) {
      const updates = items.filter(
        ({ involvedObject, reason }) => involvedObject.name === name && reason === "Updated",
      );
      t.ok(updates.length <= edits, `${name}: ${updates.length} updates told of ${edits} edits`);
    }
    const others = items.filter(({ reason }) => reason !== "Updated" && reason !== "Recovered");
    // a refusal of other content is news: on a slow machine outages are long enough to be told
    for (const [what, said] of Map.groupBy(others, (one) => `${one.involvedObject.name} ${one.reason}`)) {
      const edits = edited.get(what.split(" ")[0] ?? "") ?? 0;
      t.ok(said.length <= edits + 1, `${what}: told ${said.length} times of ${edits} edits`);
    }
  });

  await t.test("what was accepted is remembered beyond the deletion of a bundle", async (t) => {
    const old = firsts.get(nameOf(0));
    if (old === undefined) throw new Error("there is no first bundle");
    await bed.client.delete(ZOPP_SECRETS, { namespace: "shop-prod", name: nameOf(0) });
    await eventually(
      async () =>
        (await bed.client.list(SECRETS, { namespace: "shop-prod", metadataOnly: true })).items.every(
          ({ metadata }) => metadata.name !== nameOf(0),
        ),
      { timeoutMs: PATIENCE_MS, message: "deleting a bundle deletes its Secret" },
    );
    await bed.applyBundle(old);
    await bed.settled("RollbackRefused", nameOf(0), "shop-prod", PATIENCE_MS);
    t.pass("an older version, written again from nothing, is refused");
  });

  /** When our field manager last wrote a Secret; the API server tells seconds. */
  async function writtenAt(name: string): Promise<number> {
    const { metadata } = await bed.client.get<KubeObject>(
      SECRETS,
      { namespace: "shop-prod", name },
      { metadataOnly: true },
    );
    const managed = (metadata.managedFields ?? []) as { manager?: string; time?: string }[];
    return Date.parse(managed.find(({ manager }) => manager === "zopp-operator")?.time ?? "");
  }
});
