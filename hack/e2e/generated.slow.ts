// Values that the keyring makes, on a real API server with real processes: how they come, change by themselves and stay, and what
// whoever writes status, or has the operator's token, does to them in vain.
import { createPublicKey, sign, verify } from "node:crypto";
import t from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import type { GenerateRule, SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { silentLog } from "../../operator/kube/observe.js";
import { EVENTS, type KubeObject, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { withHeader } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { quiet, readMetrics, versions } from "../testbed.look.js";

const bed = await startTestbed();
t.teardown(() => bed.stop());

const LONG = { timeoutMs: 30_000 };
const PASSWORD: GenerateRule = { version: 1, kind: "password", length: 32 };
const ROTATED: GenerateRule = { ...PASSWORD, rotateEvery: "8s", previous: "OLD_PASSWORD" };

type Values = NonNullable<SecretStatus["generated"]>;
type Said = KubeObject & { readonly reason: string; readonly involvedObject: { readonly name: string } };

/** A bundle with these rules in force; gives what its Secret holds. */
async function born(name: string, generate: Readonly<Record<string, GenerateRule>>, render = {}) {
  await bed.applyBundle(bed.seal({ DB_USER: "shop" }, { name, generate, render }));
  await bed.settled("Synced", name);
  return (await bed.secret(name)).data ?? {};
}

async function valuesOf(name: string): Promise<Values> {
  return (await bed.bundle(name)).status?.generated ?? {};
}

/** Writes a status as whoever may. */
async function forge(name: string, change: (values: Values) => Values): Promise<void> {
  await eventually(async () => {
    const { status, ...found } = await bed.bundle(name);
    const forged = { ...found, status: { ...status, generated: change(status?.generated ?? {}) } };
    return bed.client.replace(ZOPP_SECRETS, forged as KubeObject, { subresource: "status" });
  });
}

/** Signs the bundle that is there with other rules, and waits for them. */
async function ruled(name: string, generate: Readonly<Record<string, GenerateRule>>): Promise<void> {
  const { metadata: _, status: __, ...rest } = await bed.bundle(name);
  const stored = { ...rest, metadata: { name, namespace: "shop-prod" } } as ZoppSecret;
  await bed.applyBundle(withHeader(stored, { generate }, bed.writing()));
  await bed.settled("Synced", name);
}

async function reasons(name: string): Promise<readonly string[]> {
  const { items } = await bed.client.list<Said>(EVENTS, { namespace: "shop-prod" });
  return items.filter(({ involvedObject }) => involvedObject.name === name).map(({ reason }) => reason);
}

t.test("the Secret gets what was made, with public halves and templates; git's object does not change", async (t) => {
  const generate: Readonly<Record<string, GenerateRule>> = {
    DB_PASSWORD: PASSWORD,
    "jwt.key": { version: 1, kind: "ed25519", public: "jwt.pub" },
    SESSION: { version: 1, kind: "uuid" },
  };
  const data = await born("api", generate, { URL: "postgres://[[ DB_USER ]]:[[ DB_PASSWORD ]]@db" });
  t.match(data["DB_PASSWORD"], /^[A-Za-z0-9]{32}$/);
  t.equal(data["URL"], `postgres://shop:${data["DB_PASSWORD"]}@db`);
  const message = Buffer.from("signed with the private half");
  const signature = sign(null, message, data["jwt.key"] ?? "");
  t.ok(verify(null, message, createPublicKey(data["jwt.pub"] ?? ""), signature));
  const { status, metadata } = await bed.bundle();
  t.equal(status?.entries, 6);
  t.equal(metadata.generation, 1, "nobody writes spec");
  t.notMatch(JSON.stringify(status), data["DB_PASSWORD"] ?? "");
  t.ok(bed.keyring.lines.some((line) => line.includes('"action":"generate"') && line.includes("shop-prod/api")));
  t.notOk(
    bed.keyring.lines.some((line) => line.includes(data["DB_PASSWORD"] ?? "")),
    "and the log has no value",
  );
});

t.test("private keys that take longer than a call are made a few at a time", async (t) => {
  const rule: GenerateRule = { version: 1, kind: "rsa", bits: 4096 };
  const generate = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`key-${at}`, rule]));
  await bed.applyBundle(bed.seal({}, { name: "many", generate }));
  await bed.settled("Synced", "many", "shop-prod", 120_000);
  const { data = {} } = await bed.secret("many");
  t.equal(new Set(Object.values(data)).size, 12);
  const made = bed.keyring.lines.filter((line) => line.includes('"generate"') && line.includes("shop-prod/many"));
  t.ok(
    made.length > 1 && made.every((line) => line.includes('"done"')),
    "each part is on record, and none was cut off",
  );
});

t.test("a restart of both makes nothing, opens nothing and writes nothing", async (t) => {
  const before = await versions(bed, "shop-prod");
  await bed.operator.stop();
  await bed.keyring.stop();
  await bed.startKeyring();
  await bed.keyring.healthy(bed.ports.keyringHealth);
  await bed.startOperator();
  await quiet(bed);
  t.strictSame(await versions(bed, "shop-prod"), before);
  t.equal((await readMetrics(bed.ports.metrics)).sum("zopp_open_total"), 0);
});

t.test("a value changes by itself when its time is over, and the one before stays under its own key", async (t) => {
  const first = await born("rotated", { DB_PASSWORD: ROTATED });
  t.equal(first["OLD_PASSWORD"], first["DB_PASSWORD"], "as long as there was none before, both are the same");
  const seen: string[] = [first["DB_PASSWORD"] ?? ""];
  while (seen.length < 3) {
    const data = await eventually(async () => {
      const { data: now } = await bed.secret("rotated");
      return now?.["DB_PASSWORD"] !== seen.at(-1) && now;
    }, LONG);
    t.equal(data["OLD_PASSWORD"], seen.at(-1));
    seen.push(data["DB_PASSWORD"] ?? "");
  }
  await eventually(async () => (await reasons("rotated")).includes("Rotated"));
  t.notOk((await reasons("rotated")).includes("Repaired"));
  await ruled("rotated", { DB_PASSWORD: { ...ROTATED, rotateEvery: "1d" } });
  const kept = (await bed.secret("rotated")).data;
  await quiet(bed);
  t.strictSame((await bed.secret("rotated")).data, kept, "another span alone makes no other value");
});

t.test("a wiped status keeps the Secret and makes nothing; put back, or signed for again, all is well", async (t) => {
  const { DB_PASSWORD: before } = await born("wiped", { DB_PASSWORD: PASSWORD });
  const backup = await valuesOf("wiped");
  await forge("wiped", () => ({}));
  const { status } = await bed.settled("GeneratedLost", "wiped");
  t.match(readyOf(status)?.message, /status\.generated\.DB_PASSWORD.*zopp generate BUNDLE KEY --again/);
  t.equal((await bed.secret("wiped")).data?.["DB_PASSWORD"], before);
  await bed.operator.stop();
  await bed.startOperator();
  await quiet(bed);
  t.strictSame(await valuesOf("wiped"), {});
  await forge("wiped", () => backup);
  await bed.settled("Synced", "wiped");
  t.equal((await bed.secret("wiped")).data?.["DB_PASSWORD"], before);
  await forge("wiped", () => ({}));
  await bed.settled("GeneratedLost", "wiped");
  await ruled("wiped", { DB_PASSWORD: { ...PASSWORD, version: 2 } });
  t.not((await bed.secret("wiped")).data?.["DB_PASSWORD"], before);
});

t.test("a bundle that was deleted and applied again gets no other password by itself", async () => {
  const secret = bed.seal({}, { name: "again", generate: { DB_PASSWORD: PASSWORD } });
  await bed.applyBundle(secret);
  await bed.settled("Synced", "again");
  await bed.client.delete(ZOPP_SECRETS, { namespace: "shop-prod", name: "again" });
  await eventually(() => bed.applyBundle(secret));
  await bed.settled("GeneratedLost", "again");
});

t.test("whoever may write status puts nothing into the Secret", async (t) => {
  await born("victim", { DB_PASSWORD: { ...ROTATED, rotateEvery: "5s" } });
  const old = await valuesOf("victim");
  await eventually(
    async () => (await valuesOf("victim"))["DB_PASSWORD"]?.version !== old["DB_PASSWORD"]?.version,
    LONG,
  );
  await ruled("victim", { DB_PASSWORD: ROTATED, OTHER: PASSWORD });
  await ruled("victim", { DB_PASSWORD: { ...ROTATED, rotateEvery: "1d" }, OTHER: PASSWORD });
  const { data } = await bed.secret("victim");
  const good = await valuesOf("victim");
  const foreign = await valuesOf("api");
  const forgeries: readonly (readonly [what: string, reason: string, change: (values: Values) => Values])[] = [
    ["the value before", "RollbackRefused", (values) => ({ ...values, ...old })],
    ["a value of another bundle", "SignatureInvalid", (values) => ({ ...values, ...only(foreign, "DB_PASSWORD") })],
    [
      "the value of another key",
      "SignatureInvalid",
      (values) => ({ ...values, ...under(values, "OTHER", "DB_PASSWORD") }),
    ],
    [
      "a time of long ago, to have it rotated",
      "SignatureInvalid",
      (values) => changed(values, { made: "2020-01-01T00:00:00Z" }),
    ],
    ["no value before", "GeneratedLost", (values) => changed(values, { previous: undefined })],
  ];
  for (const [what, reason, change] of forgeries) {
    await forge("victim", change);
    await bed.settled(reason, "victim");
    t.strictSame((await bed.secret("victim")).data, data, what);
    await forge("victim", () => good);
    await bed.settled("Synced", "victim");
  }
  t.strictSame((await bed.secret("victim")).data, data);
});

const only = (values: Values, key: string): Values => under(values, key, key);
function under(values: Values, from: string, to: string): Values {
  const value = values[from];
  return value === undefined ? {} : { [to]: value };
}
function changed(values: Values, changes: object): Values {
  return { ...values, DB_PASSWORD: { ...values["DB_PASSWORD"], ...changes } as Values[string] };
}

t.test("a rule that nobody with the right signed makes nothing", async () => {
  await bed.applyBundle(bed.seal({}, { name: "unsigned", generate: { DB_PASSWORD: PASSWORD }, by: "mallory" }));
  await bed.settled("UnknownSigner", "unsigned");
  const secret = bed.seal({}, { name: "edited", generate: { DB_PASSWORD: PASSWORD } });
  const weaker = { ...secret.spec, generate: { DB_PASSWORD: { ...PASSWORD, alphabet: "ab", length: 64 } } };
  await bed.applyBundle({ ...secret, spec: weaker });
  await bed.settled("SignatureInvalid", "edited");
});

t.test("whoever has the operator's token rotates nothing before its time, and plays nothing back", async (t) => {
  const before = await born("forced", { DB_PASSWORD: { ...ROTATED, rotateEvery: "1h" } });
  const { spec, status } = await bed.bundle("forced");
  const operator = connectKeyring({
    address: `127.0.0.1:${bed.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: newSigningKey(),
    token: () => bed.token(),
    log: silentLog,
  });
  t.teardown(() => operator.close());
  const place = { namespace: "shop-prod", name: "forced", spec };
  const generated = status?.generated ?? {};
  t.strictSame((await operator.generate({ ...place, generated })).made, []);
  await t.rejects(operator.generate(place), { code: "GeneratedLost" });
  await t.rejects(operator.generate({ ...place, generated: changed(generated, { made: "2020-01-01T00:00:00Z" }) }), {
    code: "SignatureInvalid",
  });
  t.match(await operator.open(place), { ok: false, error: { code: "GeneratedLost" } });
  t.strictSame((await bed.secret("forced")).data, before);
});
