// Following a server that fails in every way seen in the wild, over real sockets on loopback.

import type { ServerResponse } from "node:http";
import t from "tap";
import { eventually } from "../../hack/eventually.js";
import { type Log, silentLog } from "./observe.js";
import { FAST, follow, listed, listOfA, lists, script, starts } from "./scripted-informer.js";
import { answer, line, object, statusOf } from "./scripted-server.js";

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

const AWAY: Record<string, (response: ServerResponse) => void> = {
  "is away": (response) => void response.destroy(),
  "has too much to do": (response) => answer(response, 429, statusOf(429, "TooManyRequests")),
  "is not ready": (response) => answer(response, 503, statusOf(503, "ServiceUnavailable")),
};
for (const [title, fail] of Object.entries(AWAY)) {
  t.test(`a server that ${title} for long is then asked for what was missed, not for everything`, async (t) => {
    const { server, changes } = await follow(
      t,
      script(listOfA, (_, response, nth) =>
        nth < 12 ? fail(response) : void response.write(line("ADDED", object("b", 11))),
      ),
    );
    await eventually(() => changes.length >= 2);
    t.same(changes, ["+a@1 initial", "+b@11"]);
    t.equal(lists(server), 1);
  });
}

t.test("a version that is too old after the server was away is listed anew at once", async (t) => {
  const waits: unknown[] = [];
  const log: Log = { ...silentLog, debug: (fields) => void waits.push((fields as { waitMs: number }).waitMs) };
  const { server } = await follow(
    t,
    script(listOfA, (_, response, nth) => {
      if (nth < 3) response.destroy();
      else if (nth === 3) answer(response, 410, statusOf(410, "Expired"));
      else response.flushHeaders();
    }),
    { log },
  );
  await eventually(() => lists(server) === 2);
  t.same(waits, [0]);
});

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
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.ok(starts(server).length <= 5, `${starts(server).length} watches in 50 ms`);
});

t.test("a list longer than is read at once is asked for in smaller pages", async (t) => {
  const big = (name: string) => object(name, 1, { annotations: { big: "x".repeat(100) } });
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
  const { server, informer } = await follow(
    t,
    script((one, response) => {
      const from = Number(one.query.get("continue") ?? "0");
      const to = from + Number(one.query.get("limit"));
      listed(response, 10, names.slice(from, to).map(big), to < names.length ? String(to) : undefined);
    }),
    {},
    { maxAnswerBytes: 2000 },
  );
  await informer.synced();
  t.equal(informer.size, 20);
  const limits = server.received.map((one) => Number(one.query.get("limit")));
  t.same(limits.slice(0, 3), [100, 50, 25]);
});
