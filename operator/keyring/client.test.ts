// The keyring's client against ports that answer well, badly, late, never, or with another key.
import { type AddressInfo, createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import t, { type Test } from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { SecretSpec } from "../../crds/types.gen.js";
import { eventually } from "../../hack/eventually.js";
import { identityOf } from "../../hack/fixtures.js";
import { silentLog } from "../kube/observe.js";
import { connectKeyring } from "./client.js";
import type { KeyringClient, KeyringConnection } from "./client.types.js";
import { failureOf, KEYRING_KEY, KEYS, testKeyring } from "./server.case.js";
import { tlsIdentity } from "./tls.js";

const SPEC: SecretSpec = { environment: "acme/shop/production", header: { version: 1, by: "zk1a", signature: "" } };

function connected(t: Test, address: string, changes: Partial<KeyringConnection> = {}): KeyringClient {
  const keyringKey = KEYRING_KEY.verifyKey.text;
  const client = connectKeyring({ address, keyringKey, identity: KEYS.operator, log: silentLog, ...changes });
  t.teardown(() => client.close());
  return client;
}

function request(name: string, padding = 0) {
  return { namespace: "shop-prod", name, spec: { ...SPEC, render: { A: "x".repeat(padding) } } };
}

t.test("opens that are asked for together travel together, and each gets its own answer", async (t) => {
  const sizes: number[] = [];
  const keyring = await testKeyring(t, { open: (bundles) => void sizes.push(bundles.length) });
  const client = connected(t, keyring.address);
  const names = Array.from({ length: 200 }, (_, at) => `bundle-${at}`);
  const results = await Promise.all(names.map((name) => client.open(request(name))));
  t.same(
    results.map((result) => result.ok && result.digest),
    names,
  );
  t.same(
    results.map((result) => result.ok && [...result.keys.keys()][0]),
    names,
  );
  t.ok(sizes.length <= 5 && Math.max(...sizes) === 64, "at most 64 in a batch, and few batches");
});

t.test("no batch is over 2 MiB, whatever is asked for", async (t) => {
  const bytes: number[] = [];
  const keyring = await testKeyring(t, {
    open: (bundles) => void bytes.push(bundles.reduce((sum, { spec }) => sum + spec.length, 0)),
  });
  const client = connected(t, keyring.address);
  await Promise.all(Array.from({ length: 10 }, (_, at) => client.open(request(`bundle-${at}`, 600_000))));
  t.ok(bytes.length >= 4 && Math.max(...bytes) <= 2 * 1024 * 1024);
});

t.test("values are made for one bundle after the other, and bundles are opened meanwhile", async (t) => {
  let running = 0;
  let atOnce = 0;
  const { promise: opened, resolve: goOn } = Promise.withResolvers<void>();
  const keyring = await testKeyring(t, {
    generate: async () => {
      running += 1;
      atOnce = Math.max(atOnce, running);
      await opened;
      running -= 1;
    },
  });
  const client = connected(t, keyring.address);
  const made = Promise.all(Array.from({ length: 20 }, (_, at) => client.generate(request(`bundle-${at}`))));
  await eventually(() => running > 0);
  t.match(await client.open(request("other")), { ok: true }, "while others wait for theirs");
  goOn();
  await made;
  t.equal(atOnce, 1);
});

t.test("what is sent is the spec, as UTF-8 JSON", async (t) => {
  const sent: string[] = [];
  const keyring = await testKeyring(t, {
    open: (bundles) => void sent.push(...bundles.map(({ spec }) => Buffer.from(spec).toString("utf8"))),
  });
  await connected(t, keyring.address).open({ ...request("api"), spec: { ...SPEC, render: { A: "grüße" } } });
  t.same(sent, [JSON.stringify({ ...SPEC, render: { A: "grüße" } })]);
});

t.test(
  "a key that is not known enrols by itself, once for all who wait, and again when it was forgotten",
  async (t) => {
    const tokens: string[] = [];
    const keyring = await testKeyring(t, {
      enrol: (token) => {
        tokens.push(token);
        keyring.roles.set(KEYS.stranger.verifyKey.text, "operator");
        return 3600;
      },
    });
    const client = connected(t, keyring.address, {
      identity: KEYS.stranger,
      token: async () => `token-${tokens.length}`,
    });
    const results = await Promise.all(["a", "b", "c"].map((name) => client.open(request(name))));
    t.ok(results.every(({ ok }) => ok));
    t.same(tokens, ["token-0"]);
    keyring.roles.delete(KEYS.stranger.verifyKey.text);
    t.ok((await client.open(request("a"))).ok, "the keyring was restarted and has forgotten the key");
    t.same(tokens, ["token-0", "token-1"]);
  },
);

t.test("enrolment is renewed before it ends", async (t) => {
  let enrolments = 0;
  const keyring = await testKeyring(t, {
    enrol: () => {
      enrolments += 1;
      return enrolments === 1 ? 60 : 3600;
    },
  });
  const client = connected(t, keyring.address, { token: async () => "t" });
  await client.describe();
  t.equal(enrolments, 1);
  await eventually(async () => {
    await client.describe();
    return enrolments === 2;
  });
  await client.describe();
  t.equal(enrolments, 2, "an hour is not renewed at each call");
});

t.test("a refused enrolment is what every caller hears, and the token is in no message", async (t) => {
  const keyring = await testKeyring(t, {
    enrol: () => Promise.reject(new ZoppError("EnrolmentRefused", "enrolment refused: no")),
  });
  const client = connected(t, keyring.address, { identity: KEYS.stranger, token: async () => "secret-token" });
  const errors = await Promise.all([failureOf(client.open(request("a"))), failureOf(client.describe())]);
  t.same(
    errors.map(({ code }) => code),
    ["EnrolmentRefused", "EnrolmentRefused"],
  );
  t.notMatch(errors.map(String).join(), /secret-token/);
});

t.test("without a token an unknown key hears that it is not enrolled", async (t) => {
  const keyring = await testKeyring(t);
  t.equal(
    (await failureOf(connected(t, keyring.address, { identity: KEYS.stranger }).describe())).code,
    "Unauthenticated",
  );
});

t.test("a port with another key than the pinned one gets not a byte, not even a token", async (t) => {
  const received: Buffer[] = [];
  const impostor = createTlsServer(
    {
      ...(await tlsIdentity(identityOf("impostor").signing)),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    },
    (socket) => {
      socket.on("data", (data: Buffer) => received.push(data));
      socket.on("error", () => {});
    },
  );
  await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => impostor.close(resolve)));
  const address = `127.0.0.1:${(impostor.address() as AddressInfo).port}`;
  const asked: string[] = [];
  const client = connected(t, address, {
    token: async () => {
      asked.push("token");
      return "t";
    },
  });
  const error = await failureOf(client.open(request("api")));
  t.equal(error.code, "KeyringMismatch");
  t.ok(error.message.includes(KEYRING_KEY.verifyKey.kid));
  t.equal((await failureOf(client.describe())).code, "KeyringMismatch", "and again");
  t.same(Buffer.concat(received), Buffer.alloc(0));
  t.ok(asked.length > 0, "the token was at hand, but was not sent");
});

t.test("a pinned key that is none is refused before anything is connected", async (t) => {
  for (const keyringKey of [
    "",
    "ed25519:",
    `x25519:${"A".repeat(43)}=`,
    "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  ]) {
    t.throws(() => connected(t, "127.0.0.1:1", { keyringKey }), { code: "Malformed" });
  }
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

t.test("a call waits for a keyring that begins to listen as another one ends", async (t) => {
  const before = await testKeyring(t);
  const client = connected(t, before.address);
  t.match(await client.open(request("api")), { ok: true });
  await before.close();
  const asked = client.open(request("api"));
  await setTimeout(20);
  await testKeyring(t, {}, before.port);
  t.match(await asked, { ok: true });
});

t.test("nothing listens: KeyringUnavailable, and once something does, the same client works", async (t) => {
  const port = await freePort();
  const client = connected(t, `127.0.0.1:${port}`);
  t.equal((await failureOf(client.open(request("api")))).code, "KeyringUnavailable");
  await testKeyring(t, {}, port);
  t.ok(await eventually(async () => (await client.open(request("api"))).ok));
});

t.test("a keyring that restarts: calls fail or work, never hang, and then work again", async (t) => {
  const first = await testKeyring(t);
  const client = connected(t, first.address);
  t.ok((await client.open(request("api"))).ok);
  await first.close();
  t.equal((await failureOf(client.open(request("api")))).code, "KeyringUnavailable");
  await testKeyring(t, {}, first.port);
  t.ok(await eventually(async () => (await client.open(request("api"))).ok));
});

t.test("a keyring that hangs is given up in time, and the next call is a new chance", async (t) => {
  let hangs = true;
  const keyring = await testKeyring(t, { describe: () => (hangs ? new Promise<string>(() => {}) : "") });
  const client = connected(t, keyring.address, { timeoutMs: 2_000 });
  t.equal((await failureOf(client.describe())).code, "KeyringUnavailable");
  hangs = false;
  t.equal((await client.describe()).ready, true);
});

t.test("a port that accepts and never answers is given up in time", async (t) => {
  const sockets = new Set<{ destroy(): void }>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const client = connected(t, `127.0.0.1:${(silent.address() as AddressInfo).port}`, { timeoutMs: 300 });
  t.equal((await failureOf(client.describe())).code, "KeyringUnavailable");
});

t.test("a refusal of one bundle is a result; an error of the whole call fails all that travelled in it", async (t) => {
  const keyring = await testKeyring(t, {
    open: () => Promise.reject(new ZoppError("AuditUnavailable", "nothing is released")),
  });
  const client = connected(t, keyring.address);
  const errors = await Promise.all(["a", "b"].map((name) => failureOf(client.open(request(name)))));
  t.same(
    errors.map(({ code }) => code),
    ["AuditUnavailable", "AuditUnavailable"],
  );
});

t.test("a caller that gives up before its turn is not sent", async (t) => {
  const sent: string[] = [];
  const keyring = await testKeyring(t, { open: (bundles) => void sent.push(...bundles.map(({ name }) => name)) });
  const client = connected(t, keyring.address);
  const left = AbortSignal.abort(new Error("left"));
  const [gone, stayed] = await Promise.allSettled([client.open(request("gone"), left), client.open(request("stayed"))]);
  t.equal(gone.status, "rejected");
  t.equal(stayed.status, "fulfilled");
  t.same(sent, ["stayed"]);
});

t.test("after close nothing is called any more and nothing keeps the process alive", async (t) => {
  const keyring = await testKeyring(t);
  const client = connected(t, keyring.address);
  await client.describe();
  await client.close();
  await eventually(async () => /zopp_keyring_connections 0\n/.test(await keyring.registry.metrics()));
});
