// The keyring's port attacked over real mutual TLS: who gets in, what each may call, and where the limits are.
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { ConnectionOptions } from "node:tls";
import { Code, createClient, type Interceptor } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import { Health } from "../../crds/proto/gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../crds/proto/gen/grpc/reflection/v1/reflection_pb.js";
import { Keyring } from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import { eventually } from "../../hack/eventually.js";
import { tlsPair } from "../../hack/fixtures.tls.js";
import { callerOf, fate, KEYS, outcomeOf, sessionOver, testKeyring, tlsTo, transportOf } from "./server.case.js";
import type { Role } from "./server.js";

const CONNECTIONS: Record<string, () => Promise<{ key: keyof typeof KEYS | null; changes: ConnectionOptions }>> = {
  "without a certificate": async () => ({ key: null, changes: {} }),
  "with a certificate of another kind of key": async () => ({ key: null, changes: await tlsPair() }),
  "without a protocol": async () => ({ key: "operator", changes: { ALPNProtocols: [] } }),
  "for HTTP/1.1": async () => ({ key: "operator", changes: { ALPNProtocols: ["http/1.1"] } }),
  "by TLS 1.2": async () => ({ key: "operator", changes: { maxVersion: "TLSv1.2" } }),
};

for (const [what, make] of Object.entries(CONNECTIONS)) {
  t.test(`a connection ${what} is closed before anything is served`, async (t) => {
    const keyring = await testKeyring(t);
    const { key, changes } = await make();
    t.equal(await fate(await tlsTo(keyring.port, key === null ? null : KEYS[key], changes)), "closed");
    t.equal(await fate(await tlsTo(keyring.port, KEYS.operator)), "open", "others are served");
  });
}

t.test("a resumed TLS session is closed, with the first certificate or another one", async (t) => {
  const keyring = await testKeyring(t);
  const first = await tlsTo(keyring.port, KEYS.operator);
  const [session] = (await once(first, "session")) as [Buffer];
  t.equal(await fate(first), "open");
  for (const key of [KEYS.operator, KEYS.stranger, null]) {
    const again = await tlsTo(keyring.port, key, { session });
    await once(again, "secureConnect");
    t.equal(again.isSessionReused(), true, "TLS itself would take it");
    t.equal(await fate(again), "closed");
  }
});

t.test(
  "nothing is compressed: an answer's length says nothing but its length, and there is nothing to unpack",
  async (t) => {
    const keyring = await testKeyring(t);
    const encodings: (string | null)[] = [];
    const noted: Interceptor = (next) => async (request) => {
      const response = await next(request);
      encodings.push(response.header.get("grpc-encoding"));
      return response;
    };
    const wanting = await transportOf(t, keyring.port, KEYS.operator, {}, { interceptors: [noted] });
    await createClient(Keyring, wanting).describe({});
    t.same(encodings, [null], "gzip and brotli were offered");
    const packing = { sendCompression: compressionGzip, compressMinBytes: 0 };
    for (const key of [KEYS.operator, KEYS.stranger]) {
      const sender = createClient(Keyring, await transportOf(t, keyring.port, key, {}, packing));
      await t.rejects(sender.enrol({ token: "x".repeat(100) }), { code: Code.Unimplemented });
    }
  },
);

t.test("a certificate shows a key; only who holds the key gets through the handshake", async (t) => {
  const keyring = await testKeyring(t);
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = privateKey.export({ format: "pem", type: "pkcs8" });
  await t.rejects(tlsTo(keyring.port, KEYS.operator, { key }), { code: "ERR_OSSL_X509_KEY_VALUES_MISMATCH" });
});

const TABLE: Record<Role, Record<"enrol" | "describe" | "open" | "join" | "offer" | "wrap", string>> = {
  stranger: {
    enrol: "ok",
    describe: "Unauthenticated",
    open: "Unauthenticated",
    join: "ok",
    offer: "Unauthenticated",
    wrap: "Unauthenticated",
  },
  workload: {
    enrol: "ok",
    describe: "MethodDenied",
    open: "ok",
    join: "MethodDenied",
    offer: "MethodDenied",
    wrap: "MethodDenied",
  },
  device: { enrol: "MethodDenied", describe: "ok", open: "ok", join: "ok", offer: "ok", wrap: "ok" },
  operator: {
    enrol: "ok",
    describe: "ok",
    open: "ok",
    join: "MethodDenied",
    offer: "MethodDenied",
    wrap: "MethodDenied",
  },
};

for (const [role, expected] of Object.entries(TABLE) as [Role, (typeof TABLE)[Role]][]) {
  t.test(`what a key that is ${role} may call`, async (t) => {
    const keyring = await testKeyring(t);
    const caller = await callerOf(t, keyring.port, KEYS[role]);
    const outcomes = {
      enrol: await outcomeOf(caller.enrol({ token: "t" })),
      describe: await outcomeOf(caller.describe({})),
      open: await outcomeOf(caller.open({ bundles: [] })),
      join: await outcomeOf(caller.join({})),
      offer: await outcomeOf(caller.offer({})),
      wrap: await outcomeOf(caller.wrap({})),
    };
    t.same(outcomes, expected);
  });
}

t.test("health and reflection answer known keys only", async (t) => {
  const keyring = await testKeyring(t);
  for (const [role, expected] of [
    ["operator", "ok"],
    ["device", "ok"],
    ["workload", "MethodDenied"],
    ["stranger", "Unauthenticated"],
  ] as const) {
    const transport = await transportOf(t, keyring.port, KEYS[role]);
    t.equal(await outcomeOf(createClient(Health, transport).check({})), expected, `health for ${role}`);
    const asked = (async function* () {
      yield { messageRequest: { case: "fileContainingSymbol", value: "zopp.v1alpha1.Keyring" } } as const;
    })();
    const reflected = (async () => {
      const kinds: (string | undefined)[] = [];
      for await (const { messageResponse } of createClient(ServerReflection, transport).serverReflectionInfo(asked))
        kinds.push(messageResponse.case);
      return kinds;
    })();
    t.equal(await outcomeOf(reflected), expected, `reflection for ${role}`);
    if (expected === "ok") t.same(await reflected, ["fileDescriptorResponse"]);
  }
});

t.test("what a key may do counts at each call, on a connection that lives on", async (t) => {
  const keyring = await testKeyring(t);
  const caller = await callerOf(t, keyring.port, KEYS.operator);
  t.equal(await outcomeOf(caller.open({ bundles: [] })), "ok");
  keyring.roles.set(KEYS.operator.verifyKey.text, "stranger");
  t.equal(await outcomeOf(caller.open({ bundles: [] })), "Unauthenticated");
  keyring.roles.set(KEYS.operator.verifyKey.text, "operator");
  t.equal(await outcomeOf(caller.open({ bundles: [] })), "ok");
});

t.test("errors carry code and message of ours, and of foreign errors nothing", async (t) => {
  const keyring = await testKeyring(t, {
    describe: () => Promise.reject(new ZoppError("LogForked", "said on purpose", { cause: new Error("cause-secret") })),
    open: () => Promise.reject(new Error("hunter2")),
  });
  const caller = await callerOf(t, keyring.port, KEYS.operator);
  t.equal(await outcomeOf(caller.describe({})), "LogForked");
  await t.rejects(caller.describe({}), { rawMessage: "said on purpose", code: 10 });
  t.equal(await outcomeOf(caller.open({ bundles: [] })), "Internal");
  await t.rejects(caller.open({ bundles: [] }), { rawMessage: "the call Open failed unexpectedly", code: 13 });
});

t.test("only gRPC is spoken", async (t) => {
  const keyring = await testKeyring(t);
  const session = sessionOver(t, await tlsTo(keyring.port, KEYS.operator));
  for (const [path, type] of [
    ["/zopp.v1alpha1.Keyring/Describe", "application/json"],
    ["/zopp.v1alpha1.Keyring/Describe", "application/proto"],
    ["/zopp.v1alpha1.Keyring/Describe", "application/grpc-web"],
    ["/", "application/grpc"],
    ["/zopp.v1alpha1.Keyring/Nothing", "application/grpc"],
  ] as const) {
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": type });
    stream.end("{}");
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    t.not(headers[":status"], 200, `${type} to ${path}`);
    stream.close();
  }
});

t.test("calls, errors and connections are counted", async (t) => {
  const keyring = await testKeyring(t);
  const caller = await callerOf(t, keyring.port, KEYS.device);
  await caller.describe({});
  await outcomeOf(caller.enrol({ token: "t" }));
  const text = await keyring.registry.metrics();
  t.match(text, /zopp_keyring_rpc_seconds_count\{method="Describe",code="ok"\} 1/);
  t.match(text, /zopp_keyring_errors_total\{code="MethodDenied"\} 1/);
  t.match(text, /zopp_keyring_connections 1/);
  (await tlsTo(keyring.port, null)).on("error", () => {});
  await eventually(async () => /zopp_keyring_connections 1\n/.test(await keyring.registry.metrics()));
});

t.test("closing finishes the calls that run, refuses new connections, and waits for no idle one", async (t) => {
  const [gate, called] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()];
  const describe = () => {
    called.resolve();
    return gate.promise;
  };
  const keyring = await testKeyring(t, { describe });
  const [busy, idle] = [await callerOf(t, keyring.port, KEYS.operator), await callerOf(t, keyring.port, KEYS.device)];
  t.equal(await outcomeOf(idle.enrol({ token: "t" })), "MethodDenied");
  const running = busy.describe({});
  await called.promise;
  const closed = keyring.close();
  gate.resolve("done");
  t.equal((await running).notReady, "done");
  await closed;
  t.equal(await fate(await tlsTo(keyring.port, KEYS.operator)), "closed");
});

t.test("closing waits for nobody who connected and never spoke", async (t) => {
  const keyring = await testKeyring(t);
  const socket = await tlsTo(keyring.port, KEYS.stranger);
  await once(socket, "secureConnect");
  await keyring.close();
  socket.destroy();
});
