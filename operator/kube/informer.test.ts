// The informer against a server that fails in every way seen in the wild, over real sockets on loopback.

import type { ServerResponse } from "node:http";
import t, { type Test } from "tap";
import { connectTo } from "./client.js";
import { Informer, type InformerOptions } from "./informer.js";
import { type Log, silentLog } from "./observe.js";
import { CONFIG_MAPS, type KubeObject } from "./resources.js";
import {
  answer,
  eventually,
  line,
  object,
  type Received,
  type Script,
  type ScriptedServer,
  scriptedServer,
  statusOf,
} from "./scripted-server.js";

interface Setup {
  readonly server: ScriptedServer;
  readonly informer: Informer;
  /** "+a@1 initial", "a@1>2", "-a@2". */
  readonly changes: string[];
}

const FAST = { backoff: { firstMs: 5, capMs: 20 }, healthyMs: 60_000, watchMs: 60_000, quietMs: 10_000 };

async function follow(t: Test, script: Script, options: Partial<InformerOptions<KubeObject>> = {}): Promise<Setup> {
  const server = await scriptedServer(script);
  const client = connectTo(server.endpoint);
  const informer = new Informer({ client, resource: CONFIG_MAPS, log: silentLog, timing: FAST, ...options });
  const changes: string[] = [];
  const named = (one: KubeObject) => `${one.metadata.name}@${one.metadata.resourceVersion}`;
  informer.onChange((old, now, initial) => {
    if (old === undefined && now !== undefined) changes.push(`+${named(now)}${initial ? " initial" : ""}`);
    else if (now === undefined) changes.push(`-${named(old as KubeObject)}`);
    else changes.push(`${named(old as KubeObject)}>${now.metadata.resourceVersion}`);
  });
  t.teardown(async () => {
    await informer.stop();
    await client.close();
    await server.down();
  });
  informer.start();
  return { server, informer, changes };
}

const isWatch = (one: Received) => one.query.get("watch") === "true";

/** A script from one function for lists and one for the n-th watch (from 0); a watch left alone stays open. */
function script(
  list: (one: Received, response: ServerResponse, nth: number) => void,
  watch: (one: Received, response: ServerResponse, nth: number) => void = (_, response) => void response.flushHeaders(),
): Script {
  let lists = 0;
  let watches = 0;
  return (one, response) => (isWatch(one) ? watch(one, response, watches++) : list(one, response, lists++));
}

function listed(response: ServerResponse, version: number, objects: KubeObject[], next?: string): void {
  answer(response, 200, { metadata: { resourceVersion: String(version), continue: next }, items: objects });
}

const listOfA = (_: Received, response: ServerResponse) => listed(response, 10, [object("a", 1)]);

/** Resource versions from which watches were started. */
const starts = (server: ScriptedServer) =>
  server.received.filter(isWatch).map((one) => one.query.get("resourceVersion"));
const lists = (server: ScriptedServer) => server.received.filter((one) => !isWatch(one)).length;

t.test("lists in pages, then follows, and tells old and new", async (t) => {
  const { server, informer, changes } = await follow(
    t,
    script(
      (one, response) => {
        if (one.query.get("continue") === null) listed(response, 10, [object("a", 1)], "more");
        else listed(response, 10, [object("b", 2)]);
      },
      (_, response) => {
        response.write(line("ADDED", object("c", 11)));
        response.write(line("MODIFIED", object("a", 12)));
        response.write(line("DELETED", object("b", 13)));
      },
    ),
  );
  t.equal(informer.hasSynced, false);
  await informer.synced();
  t.equal(informer.hasSynced, true);
  await eventually(() => changes.length >= 5);
  t.same(changes, ["+a@1 initial", "+b@2 initial", "+c@11", "a@1>12", "-b@2"]);
  t.same(
    [...informer.list()].map((one) => one.metadata.name),
    ["a", "c"],
  );
  t.equal(informer.size, 2);
  t.equal(informer.get("shop/a")?.metadata.resourceVersion, "12");
  t.equal(server.received[0]?.query.get("limit"), "500");
  t.same(starts(server), ["10"]);
});

t.test("a watch cut in the middle of a line goes on from the last whole one", async (t) => {
  const { server, changes } = await follow(
    t,
    script(listOfA, (_, response, nth) => {
      if (nth > 0) return void response.write(line("ADDED", object("c", 12)));
      response.write(line("ADDED", object("b", 11)));
      response.write(line("ADDED", object("c", 12)).slice(0, 40), () => setImmediate(() => response.destroy()));
    }),
  );
  await eventually(() => changes.length >= 3);
  t.same(changes, ["+a@1 initial", "+b@11", "+c@12"]);
  t.same(starts(server), ["10", "11"]);
  t.equal(lists(server), 1);
});

t.test("bookmarks move the version on without a change", async (t) => {
  const { server, changes } = await follow(
    t,
    script(listOfA, (_, response, nth) => {
      if (nth === 0) response.end(line("BOOKMARK", { metadata: { resourceVersion: "99" } }));
      else response.write(line("ADDED", object("b", 100)));
    }),
  );
  await eventually(() => changes.length >= 2);
  t.same(changes, ["+a@1 initial", "+b@100"]);
  t.same(starts(server), ["10", "99"]);
});

const goneScripts = {
  "an answer": (response: ServerResponse) => answer(response, 410, statusOf(410, "Expired")),
  "an event": (response: ServerResponse) => void response.end(line("ERROR", statusOf(410, "Expired"))),
};
for (const [title, gone] of Object.entries(goneScripts)) {
  t.test(`410 as ${title} lists again and tells only what differs, deletions first`, async (t) => {
    const { server, changes } = await follow(
      t,
      script(
        (_, response, nth) => {
          if (nth === 0) listed(response, 10, [object("a", 1), object("b", 2), object("c", 3)]);
          else listed(response, 50, [object("d", 40), object("c", 30), object("a", 1)]);
        },
        (_, response, nth) => (nth === 0 ? gone(response) : response.flushHeaders()),
      ),
    );
    await eventually(() => starts(server).length >= 2);
    t.same(changes.slice(3), ["-b@2", "+d@40", "c@3>30"]);
    t.same(starts(server), ["10", "50"]);
  });
}

t.test("410 between the pages of a list begins it again", async (t) => {
  const { informer } = await follow(
    t,
    script((one, response, nth) => {
      if (one.query.get("continue") !== null && nth === 1) return answer(response, 410, statusOf(410, "Expired"));
      if (one.query.get("continue") === null) return listed(response, 10, [object("a", 1)], "more");
      return listed(response, 10, [object("b", 2)]);
    }),
  );
  await informer.synced();
  t.same(
    [...informer.list()].map((one) => one.metadata.name),
    ["a", "b"],
  );
});

const failing: Record<string, (response: ServerResponse) => void> = {
  "500": (response) => answer(response, 500, statusOf(500, "InternalError")),
  "403": (response) => answer(response, 403, statusOf(403, "Forbidden")),
  "503 with Retry-After": (response) => answer(response, 503, statusOf(503, "x"), { "retry-after": "0" }),
  "half a body": (response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("{", () => response.destroy());
  },
  "a cut": (response) => response.destroy(),
};
for (const [title, fail] of Object.entries(failing)) {
  t.test(`lists and watches answered by ${title} are tried again and lose nothing`, async (t) => {
    const { server, informer, changes } = await follow(
      t,
      script(
        (_, response, nth) => (nth < 2 ? fail(response) : listOfA(_, response)),
        (_, response, nth) => (nth < 3 ? fail(response) : void response.write(line("ADDED", object("b", 11)))),
      ),
    );
    await informer.synced();
    await eventually(() => changes.length >= 2);
    t.same(changes, ["+a@1 initial", "+b@11"]);
    t.ok(starts(server).every((version) => version === "10"));
  });
}

t.test("429 waits as long as the server asks", async (t) => {
  const waits: unknown[] = [];
  const log: Log = { ...silentLog, warn: (fields) => void waits.push((fields as { waitMs: number }).waitMs) };
  const { server } = await follow(
    t,
    script((_, response) => answer(response, 429, statusOf(429, "TooManyRequests"), { "retry-after": "17" })),
    { log },
  );
  await eventually(() => waits.length > 0);
  t.same(waits, [17_000]);
  t.equal(server.received.length, 1);
});

t.test("a server that goes away and comes back is followed again, and the store stays meanwhile", async (t) => {
  const { server, informer, changes } = await follow(
    t,
    script(listOfA, (one, response) => {
      if (one.query.get("resourceVersion") === "10") response.write(line("ADDED", object("b", 11)));
      else response.write(line("MODIFIED", object("b", 12)));
    }),
  );
  await eventually(() => changes.length >= 2);
  await server.down();
  await new Promise((resolve) => setTimeout(resolve, 30)); // some refused connections
  t.equal(informer.size, 2);
  await server.up();
  await eventually(() => informer.get("shop/b")?.metadata.resourceVersion === "12");
  t.equal(informer.size, 2);
});

t.test("a version that the server never knew is given up after some failures", async (t) => {
  const { server, changes } = await follow(
    t,
    script(
      (_, response, nth) => listed(response, nth === 0 ? 9000 : 20, [object("a", nth === 0 ? 9000 : 15)]),
      (one, response) => {
        if (one.query.get("resourceVersion") === "9000") answer(response, 504, statusOf(504, "Timeout"));
        else response.flushHeaders();
      },
    ),
  );
  await eventually(() => starts(server).includes("20"));
  t.same(changes, ["+a@9000 initial", "a@9000>15"]);
});

t.test("watches that end at once and say nothing are not repeated in a tight circle", async (t) => {
  const { server } = await follow(
    t,
    script(listOfA, (_, response) => void response.end()),
    {
      timing: { ...FAST, backoff: { firstMs: 40, capMs: 1000 } },
    },
  );
  await new Promise((resolve) => setTimeout(resolve, 250));
  t.ok(starts(server).length <= 5, `${starts(server).length} watches in 250 ms`);
});

t.test("an object deleted and made again unseen is two changes", async (t) => {
  const { changes } = await follow(
    t,
    script(listOfA, (_, response) => void response.write(line("MODIFIED", object("a", 12, { uid: "another" })))),
  );
  await eventually(() => changes.length >= 3);
  t.same(changes, ["+a@1 initial", "-a@1", "+a@12"]);
});

t.test("the same version twice is no change", async (t) => {
  const { changes } = await follow(
    t,
    script(listOfA, (_, response) => {
      response.write(line("ADDED", object("a", 1)));
      response.write(line("ADDED", object("b", 11)));
    }),
  );
  await eventually(() => changes.length >= 2);
  t.same(changes, ["+a@1 initial", "+b@11"]);
});

t.test("several namespaces are one store; a fresh list of one leaves the others alone", async (t) => {
  const in2 = (name: string, version: number) => object(name, version, { namespace: "two", uid: `two-${name}` });
  let relists = 0;
  const { server, informer, changes } = await follow(
    t,
    (one, response) => {
      const two = one.path.includes("/namespaces/two/");
      if (!isWatch(one)) return listed(response, 10, two ? (relists++ === 0 ? [in2("a", 2)] : []) : [object("a", 1)]);
      if (two && one.query.get("resourceVersion") === "10" && relists === 1) return answer(response, 410, {});
      response.flushHeaders();
    },
    { namespaces: ["shop", "two"] },
  );
  await informer.synced();
  await eventually(() => changes.includes("-a@2"));
  t.same(
    [...informer.list()].map((one) => one.metadata.namespace),
    ["shop"],
  );
  t.ok(server.received.every((one) => /namespaces\/(shop|two)\/configmaps/.test(one.path)));
});

t.test("following no namespace is synced and empty", async (t) => {
  const { informer } = await follow(t, () => {}, { namespaces: [] });
  await informer.synced();
  t.equal(informer.size, 0);
});

t.test("what is not needed is dropped, and what is kept is frozen", async (t) => {
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "big", keep: "me" };
  const { server, informer } = await follow(
    t,
    script((_, response) =>
      listed(response, 10, [
        { ...object("a", 1, { annotations, managedFields: [1] }), data: { x: "y" } } as KubeObject,
      ]),
    ),
    { metadataOnly: true, labelSelector: "app=zopp", transform: ({ metadata }) => ({ metadata }) },
  );
  await informer.synced();
  const kept = informer.get("shop/a");
  t.same(Object.keys(kept ?? {}), ["metadata"]);
  t.same(kept?.metadata.annotations, { keep: "me" });
  t.notOk("managedFields" in (kept?.metadata ?? {}));
  t.ok(Object.isFrozen(kept));
  t.match(server.received[0]?.headers.accept, /PartialObjectMetadataList/);
  t.equal(server.received[0]?.query.get("labelSelector"), "app=zopp");
});

t.test("a handler that throws is logged by name and ends nothing; a late one is told what is there", async (t) => {
  const logged: unknown[] = [];
  const log: Log = { ...silentLog, error: (fields) => void logged.push(fields) };
  const { informer, changes } = await follow(
    t,
    script(listOfA, (_, response) => void response.write(line("ADDED", object("b", 11)))),
    { log },
  );
  const remove = informer.onChange(() => {
    throw new RangeError("hunter2");
  });
  await eventually(() => changes.length >= 2);
  t.match(JSON.stringify(logged), /RangeError/);
  t.notMatch(JSON.stringify(logged), /hunter2/);
  remove();
  const late: string[] = [];
  informer.onChange((_, now, initial) => void late.push(`${now?.metadata.name} ${initial}`));
  t.same(late, ["a true", "b true"]);
});

t.test("stop ends the watch, and nothing is told after it; who waits for a list that never came is told", async (t) => {
  const { informer } = await follow(t, () => {});
  const waiting = t.rejects(informer.synced(), { code: "ApiUnreachable" });
  await t.rejects(informer.synced(AbortSignal.abort()), { code: "ApiUnreachable" });
  await informer.stop();
  await waiting;

  const { server, informer: other, changes } = await follow(t, script(listOfA));
  await other.synced(AbortSignal.timeout(5000));
  await other.stop();
  const requests = server.received.length;
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(server.received.length, requests);
  t.same(changes, ["+a@1 initial"]);
  t.throws(() => other.start(), TypeError);
});
