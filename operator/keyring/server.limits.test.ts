// The port's limits: sizes, rates, connections and floods, and that one caller's excess is not another's.
import { once } from "node:events";
import http2 from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { type ConnectError, createClient } from "@connectrpc/connect";
import t, { type Test } from "tap";
import { newSigningKey, type SigningKey } from "../../crds/crypto/identity.js";
import { ErrorInfoSchema } from "../../crds/proto/gen/google/rpc/error_details_pb.js";
import { ServerReflection } from "../../crds/proto/gen/grpc/reflection/v1/reflection_pb.js";
import { eventually } from "../../hack/eventually.js";
import { identityOf } from "../../hack/fixtures.js";
import { callerOf, fate, KEYS, outcomeOf, testKeyring, tlsTo, transportOf } from "./server.case.js";

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

/** A stream of a caller that is open until `end`; gives what came of it at first. */
async function streamOf(t: Test, port: number, key: SigningKey, end: Promise<void>): Promise<string> {
  const reflection = createClient(ServerReflection, await transportOf(t, port, key));
  async function* asking() {
    yield { host: "", messageRequest: { case: "listServices", value: "" } } as const;
    await end;
  }
  const answers = reflection.serverReflectionInfo(asking())[Symbol.asyncIterator]();
  const first = await outcomeOf(answers.next());
  // as it goes on, its end is fetched too
  if (first === "ok") void outcomeOf(answers.next());
  return first;
}

t.test("one key has four streams at once, by however many connections, and its other calls go on", async (t) => {
  const keyring = await testKeyring(t);
  const ends = Array.from({ length: 6 }, () => Promise.withResolvers<void>());
  const open = (at: number, key = KEYS.device) =>
    streamOf(t, keyring.port, key, ends[at]?.promise ?? Promise.resolve());
  const outcomes: string[] = [];
  for (const at of [0, 1, 2, 3, 4]) outcomes.push(await open(at));
  t.same(outcomes, ["ok", "ok", "ok", "ok", "Overloaded"]);
  const device = await callerOf(t, keyring.port, KEYS.device);
  t.equal(await outcomeOf(device.describe({})), "ok", "a call of the same key");
  t.equal(await open(5, KEYS.operator), "ok", "a stream of another one");
  ends[0]?.resolve();
  await eventually(async () => (await open(4)) === "ok");
  for (const { resolve } of ends) resolve();
});

/** A connection on which the keyring may send no byte of an answer, until `read`. */
async function deaf(t: Test, port: number, key: SigningKey) {
  const socket = await tlsTo(port, key);
  await once(socket, "secureConnect");
  const settings = { initialWindowSize: 0 };
  const session = http2.connect("https://keyring", { createConnection: () => socket, settings });
  session.on("error", () => {});
  t.teardown(() => session.destroy());
  return {
    /** Resolves when the keyring has begun to answer. The call's deadline is long gone when somebody reads. */
    async call(path: string, message: string): Promise<void> {
      const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", "grpc-timeout": "1S" };
      const stream = session.request(headers);
      stream.on("error", () => {});
      stream.resume().end(Buffer.from(message, "hex"));
      await once(stream, "response");
    },
    read: () => session.settings({ initialWindowSize: 65_535 }),
  };
}

t.test("calls whose answers are not read count until they are, whatever their deadline was", async (t) => {
  const keyring = await testKeyring(t);
  const { call, read } = await deaf(t, keyring.port, KEYS.device);
  await Promise.all(Array.from({ length: 16 }, () => call("/zopp.v1alpha1.Keyring/Describe", "0000000000")));
  await sleep(1_200);
  const device = await callerOf(t, keyring.port, KEYS.device);
  t.equal(await outcomeOf(device.describe({})), "Overloaded");
  const operator = await callerOf(t, keyring.port, KEYS.operator);
  t.equal(await outcomeOf(operator.describe({})), "ok");
  read();
  await eventually(async () => (await outcomeOf(device.describe({}))) === "ok");
});

t.test("so do streams", async (t) => {
  const keyring = await testKeyring(t);
  const { call, read } = await deaf(t, keyring.port, KEYS.device);
  const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  await Promise.all(Array.from({ length: 4 }, () => call(path, "00000000023a00")));
  await sleep(1_200);
  const open = () => streamOf(t, keyring.port, KEYS.device, Promise.resolve());
  t.equal(await open(), "Overloaded");
  read();
  await eventually(async () => (await open()) === "ok");
});

t.test("one key has eight connections, all have 256, and one that ends makes room", async (t) => {
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

t.test("strangers who hold connections keep nobody out: the oldest of them goes", async (t) => {
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
