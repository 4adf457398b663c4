// What the client sends, and what becomes of every kind of answer, over real sockets on loopback.

import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect as connectSocket, type Socket } from "node:net";
import t, { type Test } from "tap";
import { ZoppError } from "../../crds/errors.js";
import { type ApiClient, type ConnectOptions, connectTo, type WatchOptions } from "./client.js";
import { apiStatus } from "./errors.js";
import {
  CONFIG_MAPS,
  keyOf,
  NAMESPACES,
  pathOf,
  placeOfKey,
  SECRETS,
  SERVICE_ACCOUNTS,
  ZOPP_SECRETS,
} from "./resources.js";
import { answer, line, object, type Script, type ScriptedServer, scriptedServer, statusOf } from "./scripted-server.js";

async function make(
  t: Test,
  script: Script,
  options: ConnectOptions = {},
): Promise<{ server: ScriptedServer; client: ApiClient }> {
  const server = await scriptedServer(script);
  const client = connectTo(server.endpoint, options);
  t.teardown(async () => {
    await client.close();
    await server.down();
  });
  return { server, client };
}

async function failure(promise: Promise<unknown>): Promise<ZoppError> {
  const error = await promise.then(() => null).catch((caught: unknown) => caught);
  if (!(error instanceof ZoppError)) throw new TypeError("expected a ZoppError");
  return error;
}

const WATCH: WatchOptions = { namespace: "shop", resourceVersion: "5", timeoutSeconds: 60, quietMs: 5000 };

t.test("paths name group, version, namespace, object and subresource, and escape what is put in", async (t) => {
  t.equal(pathOf(SECRETS, { namespace: "shop", name: "a" }), "/api/v1/namespaces/shop/secrets/a");
  t.equal(pathOf(SECRETS), "/api/v1/secrets");
  t.equal(pathOf(NAMESPACES, { name: "shop" }), "/api/v1/namespaces/shop");
  const status = pathOf(ZOPP_SECRETS, { namespace: "shop", name: "a" }, "status");
  t.equal(status, "/apis/zopp.dev/v1alpha1/namespaces/shop/zoppsecrets/a/status");
  t.equal(pathOf(SECRETS, { namespace: "a/../b", name: "x?y" }), "/api/v1/namespaces/a%2F..%2Fb/secrets/x%3Fy");
  t.throws(() => pathOf(SECRETS, { name: "a" }), TypeError);
  for (const key of ["shop/a", "acme"]) t.equal(keyOf({ metadata: placeOfKey(key) }), key);
});

t.test("each verb sends its method, query, type and body", async (t) => {
  const { server, client } = await make(t, (_, response) => answer(response, 200, object("a", 1)), {
    userAgent: "zopp-test",
  });
  const place = { namespace: "shop", name: "a" };
  await client.get(SECRETS, place, { metadataOnly: true });
  await client.list(SECRETS, { namespace: "shop", labelSelector: "a=b", limit: 5, continue: "x y" });
  await client.create(CONFIG_MAPS, { metadata: place });
  await client.create(SERVICE_ACCOUNTS, { metadata: place }, { subresource: "token" });
  await client.apply(
    ZOPP_SECRETS,
    { metadata: place },
    { fieldManager: "zopp", subresource: "status", metadataOnly: true },
  );
  await client.apply(SECRETS, { metadata: place }, { fieldManager: "zopp", force: false });
  await client.replace(CONFIG_MAPS, { metadata: { ...place, resourceVersion: "7" } });
  await client.delete(SECRETS, place, { uid: "u", propagationPolicy: "Foreground" });
  const path = "/api/v1/namespaces/shop";
  t.same(
    server.received.map((one) => `${one.method} ${one.path} ${[...one.query].join(" ")}`.trim()),
    [
      `GET ${path}/secrets/a`,
      `GET ${path}/secrets labelSelector,a=b limit,5 continue,x y`,
      `POST ${path}/configmaps`,
      `POST ${path}/serviceaccounts/a/token`,
      "PATCH /apis/zopp.dev/v1alpha1/namespaces/shop/zoppsecrets/a/status fieldManager,zopp force,true",
      `PATCH ${path}/secrets/a fieldManager,zopp force,false`,
      `PUT ${path}/configmaps/a`,
      `DELETE ${path}/secrets/a`,
    ],
  );
  const [get, list, create, , status, , , remove] = server.received;
  t.match(get?.headers, { accept: /PartialObjectMetadata;/, "user-agent": "zopp-test" });
  t.equal(list?.headers.accept, "application/json");
  t.same(JSON.parse(create?.body ?? ""), { apiVersion: "v1", kind: "ConfigMap", metadata: place });
  t.match(status?.headers, { "content-type": "application/apply-patch+yaml", accept: /PartialObjectMetadata;/ });
  t.match(JSON.parse(status?.body ?? ""), { apiVersion: "zopp.dev/v1alpha1", kind: "ZoppSecret" });
  t.match(JSON.parse(remove?.body ?? ""), { propagationPolicy: "Foreground", preconditions: { uid: "u" } });
});

t.test("connections are kept: a hundred requests use no more than the pool", async (t) => {
  const { server, client } = await make(t, (_, response) => answer(response, 200, object("a", 1)), { connections: 4 });
  await Promise.all(Array.from({ length: 100 }, () => client.get(SECRETS, { namespace: "shop", name: "a" })));
  t.equal(server.received.length, 100);
  t.ok(server.sockets() <= 4, `${server.sockets()} sockets`);
});

t.test("an answer that is no success becomes its error, without its message", async (t) => {
  const counted: string[] = [];
  const hooks = { requested: (method: string, code: string) => void counted.push(`${method} ${code}`) };
  const script: Script = (_, response) =>
    answer(response, 429, statusOf(429, "TooManyRequests"), { "retry-after": "2" });
  const { client } = await make(t, script, { hooks });
  const error = await failure(
    client.apply(SECRETS, { metadata: { namespace: "shop", name: "a" } }, { fieldManager: "z" }),
  );
  t.equal(error.code, "Overloaded");
  t.match(error.message, /^cannot apply secrets shop\/a: /);
  t.same(apiStatus(error), { status: 429, reason: "TooManyRequests", retryAfterMs: 2000 });
  t.notMatch(JSON.stringify([error.message, error.cause]), /hunter2/);
  t.same(counted, ["PATCH 429"]);
});

const broken: Record<string, Script> = {
  "a cut before the answer": (_, response) => response.destroy(),
  "a cut inside the body": (_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write('{"metadata":', () => response.destroy());
  },
  "a success that is not JSON": (_, response) => void response.writeHead(200).end("<html>hunter2"),
  "an answer that does not come": () => {},
};
for (const [title, script] of Object.entries(broken)) {
  t.test(`${title} is ApiUnreachable`, async (t) => {
    const { client } = await make(t, script, { timeoutMs: 50 });
    const error = await failure(client.get(SECRETS, { namespace: "shop", name: "a" }));
    t.equal(error.code, "ApiUnreachable");
    t.notMatch(error.message, /hunter2/);
  });
}

t.test("a server that refuses connections and comes back is used again", async (t) => {
  const { server, client } = await make(t, (_, response) => answer(response, 200, object("a", 1)));
  const place = { namespace: "shop", name: "a" };
  await client.get(SECRETS, place);
  await server.down();
  const error = await failure(client.get(SECRETS, place));
  t.equal(error.code, "ApiUnreachable");
  t.ok(["ECONNREFUSED", "UND_ERR_SOCKET", "ECONNRESET"].includes(apiStatus(error)?.reason ?? ""));
  await server.up();
  t.match(await client.get(SECRETS, place), { metadata: { name: "a" } });
});

t.test("a proxy of the kubeconfig is gone through", async (t) => {
  const { server } = await make(t, (_, response) => answer(response, 200, object("a", 1)));
  const asked: string[] = [];
  const proxy = createServer().listen(0, "127.0.0.1");
  proxy.on("connect", (request: IncomingMessage, socket: Socket) => {
    asked.push(request.url ?? "");
    const onward = connectSocket(Number(server.endpoint.server.port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
  });
  await once(proxy, "listening");
  const client = connectTo({ ...server.endpoint, proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
  t.teardown(async () => {
    await client.close();
    proxy.close();
    proxy.closeAllConnections();
  });
  t.match(await client.get(SECRETS, { namespace: "shop", name: "a" }), { metadata: { name: "a" } });
  t.same(asked, [server.endpoint.server.host]);
});

t.test("a caller's abort ends the request", async (t) => {
  const { client } = await make(t, () => {});
  const abort = new AbortController();
  const pending = failure(client.get(SECRETS, { namespace: "shop", name: "a" }, { signal: abort.signal }));
  abort.abort();
  t.equal((await pending).code, "ApiUnreachable");
});

t.test("a client that was closed refuses to send", async (t) => {
  const { client } = await make(t, (_, response) => answer(response, 200, {}));
  await client.close();
  await t.rejects(client.get(SECRETS, { namespace: "shop", name: "a" }), TypeError);
});

t.test("credentials are read again after a 401, and a new certificate takes new sockets", async (t) => {
  let reads = 0;
  const server = await scriptedServer((one, response) => {
    const fresh = one.headers.authorization === "Bearer token-2";
    answer(response, fresh ? 200 : 401, fresh ? object("a", 1) : {});
  });
  const credentials = async () => {
    reads += 1;
    return { headers: { authorization: `Bearer token-${reads}` }, tls: { servername: `name-${reads}` } };
  };
  const client = connectTo({ ...server.endpoint, credentials }, { connections: 1 });
  t.teardown(() => Promise.all([client.close(), server.down()]));
  const place = { namespace: "shop", name: "a" };
  const error = await failure(client.get(SECRETS, place));
  t.equal(error.code, "ApiRefused");
  await client.get(SECRETS, place);
  await client.get(SECRETS, place);
  t.equal(reads, 2, "once at first, once after the 401");
  t.equal(server.sockets(), 2);
});

t.test("an account that gives no credentials says so", async (t) => {
  const server = await scriptedServer(() => {});
  t.teardown(() => server.down());
  const credentials = async () => {
    throw new ZoppError("NotFound", "cannot read /token");
  };
  const client = connectTo({ ...server.endpoint, credentials });
  t.equal((await failure(client.get(SECRETS, { namespace: "shop", name: "a" }))).message, "cannot read /token");
});

async function watched(client: ApiClient, options: WatchOptions = WATCH): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const event of client.watch(CONFIG_MAPS, options))
    seen.push(`${event.type} ${event.object.metadata.name}`);
  return seen;
}

t.test("a watch gives events as they come, and ends when the server ends it", async (t) => {
  const { server, client } = await make(t, (_, response) => {
    response.write(line("ADDED", object("a", 6)));
    response.end(line("MODIFIED", object("a", 7)));
  });
  t.same(await watched(client, { ...WATCH, labelSelector: "x", metadataOnly: true }), ["ADDED a", "MODIFIED a"]);
  const { query, headers } = server.received[0] as { query: URLSearchParams; headers: object };
  t.equal(query.toString(), "labelSelector=x&watch=true&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=60");
  t.match(headers, { accept: /PartialObjectMetadata;/ });
});

t.test("a watch cut in the middle of a line ends, without that line", async (t) => {
  const { client } = await make(t, (_, response) => {
    response.write(line("ADDED", object("a", 6)));
    response.write(line("ADDED", object("b", 7)).slice(0, 30), () => setImmediate(() => response.destroy()));
  });
  t.same(await watched(client), ["ADDED a"]);
});

t.test("a silent watch ends after quietMs", async (t) => {
  const { client } = await make(t, (_, response) => void response.write(line("ADDED", object("a", 6))));
  t.same(await watched(client, { ...WATCH, quietMs: 30 }), ["ADDED a"]);
});

t.test("an aborted watch ends", async (t) => {
  const { client } = await make(t, (_, response) => void response.write(line("ADDED", object("a", 6))));
  const abort = new AbortController();
  const seen: string[] = [];
  for await (const event of client.watch(CONFIG_MAPS, { ...WATCH, signal: abort.signal })) {
    seen.push(event.type);
    abort.abort();
  }
  t.same(seen, ["ADDED"]);
});

const refusals: Record<string, { script: Script; status: number }> = {
  "a refusal that is cut": {
    script: (_, response) => {
      response.writeHead(503, { "content-length": "1000" });
      response.write('{"kind":', () => response.destroy());
    },
    status: 503,
  },
  "410 as an answer": { script: (_, response) => answer(response, 410, statusOf(410, "Expired")), status: 410 },
  "410 as an event": {
    script: (_, response) => void response.end(line("ERROR", statusOf(410, "Expired"))),
    status: 410,
  },
  "500 as an event": {
    script: (_, response) => void response.end(line("ERROR", statusOf(500, "Internal"))),
    status: 500,
  },
  "an ERROR that holds nothing": { script: (_, response) => void response.end('{"type":"ERROR"}\n'), status: 500 },
  "a line that is no event": { script: (_, response) => void response.end("null\n"), status: 0 },
  "a line that is not JSON": { script: (_, response) => void response.end("hunter2\n"), status: 0 },
};
for (const [title, { script, status }] of Object.entries(refusals)) {
  t.test(`a watch that meets ${title} throws status ${status}`, async (t) => {
    const { client } = await make(t, script);
    const error = await failure(watched(client));
    t.equal(apiStatus(error)?.status, status);
    t.notMatch(JSON.stringify([error.message, error.cause]), /hunter2/);
  });
}

t.test("text gives what is no object, or its error", async (t) => {
  const { client } = await make(
    t,
    (one, response) => void response.writeHead(one.path === "/readyz" ? 200 : 500).end("ok"),
  );
  t.equal(await client.text("/readyz"), "ok");
  t.equal((await failure(client.text("/livez"))).code, "ApiUnreachable");
});
