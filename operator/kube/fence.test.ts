// What becomes of requests when a process may write no more, over real sockets on loopback.
import type { ServerResponse } from "node:http";
import t from "tap";
import { eventually } from "../../hack/eventually.js";
import { connectTo } from "./client.js";
import { CONFIG_MAPS } from "./resources.js";
import { answer, object, scriptedServer } from "./scripted-server.js";

const place = { namespace: "shop", name: "a" };

t.test("a write that waited for a socket is not sent when it may not be any more; reading goes on", async (t) => {
  const held: ServerResponse[] = [];
  const server = await scriptedServer((_, response) => void held.push(response));
  let may = true;
  const client = connectTo(server.endpoint, { connections: 1, mayWrite: () => may });
  t.teardown(async () => {
    await client.close();
    await server.down();
  });
  const apply = (name: string) => client.apply(CONFIG_MAPS, { metadata: { ...place, name } }, { fieldManager: "zopp" });
  const first = apply("first");
  await eventually(() => held.length === 1);
  const late: Promise<unknown>[] = [
    apply("second"),
    client.create(CONFIG_MAPS, { metadata: place }),
    client.replace(CONFIG_MAPS, { metadata: place }),
    client.delete(CONFIG_MAPS, place),
  ];
  may = false;
  server.use((_, response) => answer(response, 200, object("a", 1)));
  answer(held[0] as ServerResponse, 200, object("first", 1));
  t.ok(await first, "what was on its way is answered");
  for (const write of late)
    await t.rejects(
      write.then(() => {}),
      { code: "NotLeading" },
    );
  t.ok(await client.get(CONFIG_MAPS, place));
  t.strictSame(
    server.received.map(({ method }) => method),
    ["PATCH", "GET"],
  );
});

t.test("a write goes out where its path may be written, whatever stands before the API's paths", async (t) => {
  const server = await scriptedServer((_, response) => answer(response, 200, object("a", 1)));
  const endpoint = { ...server.endpoint, server: new URL("/clusters/eu-1/", server.endpoint.server) };
  const asked: string[] = [];
  const client = connectTo(endpoint, {
    mayWrite(path) {
      asked.push(path);
      return path.startsWith("/api/v1/namespaces/shop/");
    },
  });
  t.teardown(async () => {
    await client.close();
    await server.down();
  });
  const apply = (namespace: string) =>
    client.apply(CONFIG_MAPS, { metadata: { namespace, name: "a" } }, { fieldManager: "zopp" });
  t.ok(await apply("shop"));
  await t.rejects(apply("other"), { code: "NotLeading" });
  t.strictSame(
    asked.map((path) => path.split("?")[0]),
    ["/api/v1/namespaces/shop/configmaps/a", "/api/v1/namespaces/other/configmaps/a"],
  );
  t.strictSame(
    server.received.map(({ path }) => path),
    ["/clusters/eu-1/api/v1/namespaces/shop/configmaps/a"],
  );
});

t.test("who may write writes", async (t) => {
  const server = await scriptedServer((_, response) => answer(response, 200, object("a", 1)));
  const client = connectTo(server.endpoint, { mayWrite: () => true });
  t.teardown(async () => {
    await client.close();
    await server.down();
  });
  t.match(await client.create(CONFIG_MAPS, { metadata: place }), { metadata: { name: "a" } });
});
