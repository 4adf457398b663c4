// The port's limits: sizes, rates, connections and floods, and that one caller's excess is not another's.
import { once } from "node:events";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { ConnectError } from "@connectrpc/connect";
import t from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { ErrorInfoSchema } from "../../crds/proto/gen/google/rpc/error_details_pb.js";
import { eventually } from "../../hack/eventually.js";
import { identityOf } from "../../hack/fixtures.js";
import { callerOf, fate, KEYS, outcomeOf, testKeyring, tlsTo } from "./server.case.js";

/** Another address of this machine: each begins only so many handshakes a second. */
const from = (at: number) => ({ localAddress: `127.0.1.${at + 1}` }) as ConnectionOptions;

t.test("sizes: 4 KiB for strangers, 3 MiB for those who are known", async (t) => {
  const keyring = await testKeyring(t);
  const stranger = await callerOf(t, keyring.port, KEYS.stranger);
  t.equal(await outcomeOf(stranger.enrol({ token: "x".repeat(4000) })), "ok");
  t.equal(await outcomeOf(stranger.enrol({ token: "x".repeat(4200) })), "Overloaded");
  const operator = await callerOf(t, keyring.port, KEYS.operator);
  const bundle = (mebibytes: number) => ({ namespace: "a", name: "b", spec: new Uint8Array(mebibytes * 1024 * 1024) });
  t.equal(await outcomeOf(operator.open({ bundles: [bundle(2), bundle(0.9)] })), "ok");
  t.equal(await outcomeOf(operator.open({ bundles: [bundle(2), bundle(1.1)] })), "Overloaded");
});

t.test("strangers together get so many calls a second; those who are known are not held up", async (t) => {
  const keyring = await testKeyring(t);
  const [one, two] = [
    await callerOf(t, keyring.port, KEYS.stranger),
    await callerOf(t, keyring.port, identityOf("trudy").signing),
  ];
  const calls = Array.from({ length: 40 }, (_, at) => outcomeOf((at % 2 === 0 ? one : two).enrol({ token: "t" })));
  const outcomes = await Promise.all(calls);
  t.ok(outcomes.filter((outcome) => outcome === "Overloaded").length >= 20);
  const operator = await callerOf(t, keyring.port, KEYS.operator);
  t.equal(await outcomeOf(operator.describe({})), "ok");
});

t.test("strangers of one address do not take what those of others may have", async (t) => {
  const keyring = await testKeyring(t);
  const honest = await callerOf(t, keyring.port, KEYS.stranger, from(1));
  const flood = await Promise.all([1, 2, 3].map(() => callerOf(t, keyring.port, newSigningKey(), from(0))));
  let isOver = false;
  const flooding = flood.map(async (caller) => {
    while (!isOver) await Promise.all(Array.from({ length: 5 }, () => outcomeOf(caller.enrol({ token: "t" }))));
  });
  const outcomes: string[] = [];
  for (let at = 0; at < 4; at += 1) outcomes.push(await outcomeOf(honest.enrol({ token: "t" })));
  isOver = true;
  await Promise.all(flooding);
  t.same(outcomes, ["ok", "ok", "ok", "ok"]);
});

t.test("one caller has so many calls at once; another one is not held up", async (t) => {
  const gate = Promise.withResolvers<string>();
  const keyring = await testKeyring(t, { describe: () => gate.promise });
  const operator = await callerOf(t, keyring.port, KEYS.operator);
  const calls = Array.from({ length: 20 }, () => outcomeOf(operator.describe({})));
  const refused = await Promise.race(calls);
  t.equal(refused, "Overloaded");
  const device = await callerOf(t, keyring.port, KEYS.device);
  const other = outcomeOf(device.describe({}));
  gate.resolve("");
  t.equal(await other, "ok");
  t.equal((await Promise.all(calls)).filter((outcome) => outcome === "ok").length, 16);
});

t.test("one key has eight connections, all have 256, and one that ends makes room", { timeout: 60_000 }, async (t) => {
  const keyring = await testKeyring(t);
  const sockets: TLSSocket[] = [];
  for (let at = 0; at < 32; at += 1) {
    const key = newSigningKey();
    keyring.roles.set(key.verifyKey.text, "device");
    for (let own = 0; own < 8; own += 1) {
      const socket = await tlsTo(keyring.port, key, from(at));
      sockets.push(socket);
      socket.on("error", () => {});
      await once(socket, "data");
    }
    if (at === 0) t.equal(await fate(await tlsTo(keyring.port, key)), "closed", "the ninth of one key");
  }
  t.equal(await fate(await tlsTo(keyring.port, KEYS.operator)), "closed", "the 257th of all");
  for (const socket of sockets) socket.destroy();
  await eventually(async () => (await fate(await tlsTo(keyring.port, KEYS.operator))) === "open");
});

t.test("strangers who hold connections keep nobody out: the oldest of them goes", { timeout: 60_000 }, async (t) => {
  const keyring = await testKeyring(t);
  const closed: number[] = [];
  for (let at = 0; at < 66; at += 1) {
    const socket = await tlsTo(keyring.port, newSigningKey(), from(at % 4));
    socket.on("error", () => {});
    socket.once("close", () => closed.push(at));
    await once(socket, "data");
    t.teardown(() => socket.destroy());
  }
  await eventually(async () => closed.length >= 2);
  t.same(closed, [0, 1]);
  t.equal(await fate(await tlsTo(keyring.port, KEYS.operator)), "open");
});

t.test(
  "a key that floods is told so, then cut off and kept out, and the operator is served all the while",
  async (t) => {
    const keyring = await testKeyring(t);
    const operator = await callerOf(t, keyring.port, KEYS.operator);
    const device = await callerOf(t, keyring.port, KEYS.device);
    const outcomes: string[] = [];
    // the caller of this test has one connection: once that is cut, its calls lead nowhere
    for (let round = 0; round < 60 && !outcomes.includes("KeyringUnavailable"); round += 1) {
      const calls = Array.from({ length: 40 }, () => outcomeOf(device.describe({})));
      outcomes.push(...(await Promise.all(calls)));
      t.equal(await outcomeOf(operator.describe({})), "ok");
    }
    const count = (outcome: string) => outcomes.filter((each) => each === outcome).length;
    t.ok(count("ok") >= 16, `${count("ok")} calls were answered`);
    t.ok(count("Overloaded") >= 60, "it is told why, but for the answers of the round in which it is cut off");
    t.ok(count("KeyringUnavailable") > 0, "and then the connection is gone");
    t.equal(await fate(await tlsTo(keyring.port, KEYS.device)), "closed", "nor may it come back at once");
  },
);

t.test("a refused call carries the machine-readable reason", async (t) => {
  const keyring = await testKeyring(t);
  const device = await callerOf(t, keyring.port, KEYS.device);
  const errors: unknown[] = [];
  // ten at once: one after the other, a slow machine would stay below the limit
  const ten = () => Array.from({ length: 10 }, () => device.describe({}).catch((error: unknown) => errors.push(error)));
  for (let round = 0; round < 50 && errors.length === 0; round += 1) await Promise.all(ten());
  const [first] = errors;
  t.match(first, { code: 8, rawMessage: "too many calls of this key: wait, then send fewer" });
  t.match((first as ConnectError).findDetails(ErrorInfoSchema), [{ reason: "Overloaded", domain: "zopp.dev" }]);
});
