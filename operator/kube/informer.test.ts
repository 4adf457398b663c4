// What the store holds and what handlers are told, over real sockets on loopback.

import t from "tap";
import { eventually } from "../../hack/eventually.js";
import { type Log, silentLog } from "./observe.js";
import type { KubeObject } from "./resources.js";
import { follow, isWatch, listed, listOfA, script, starts } from "./scripted-informer.js";
import { answer, line, object } from "./scripted-server.js";

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
  t.equal(server.received[0]?.query.get("limit"), "100");
  t.same(starts(server), ["10"]);
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

t.test("a namespace that may not be listed holds up no other one, and is seen as soon as it may be", async (t) => {
  let isThere = false;
  const { informer, changes } = await follow(
    t,
    script((one, response) => {
      const isGone = one.path.includes("/namespaces/gone/") && !isThere;
      if (isGone) answer(response, 403, { kind: "Status", code: 403, reason: "Forbidden" });
      else if (one.path.includes("/namespaces/gone/")) listed(response, 20, [object("b", 2, { namespace: "gone" })]);
      else listed(response, 10, [object("a", 1)]);
    }),
    { namespaces: ["shop", "gone"] },
  );
  await informer.synced();
  t.same(changes, ["+a@1 initial"]);
  isThere = true;
  await eventually(() => changes.length >= 2);
  t.same(changes, ["+a@1 initial", "+b@2"]);
});

for (const [what, namespaces] of Object.entries({ "at all": undefined, "in any namespace": ["shop", "two"] })) {
  t.test(`a kind that may not be listed ${what} is waited for`, async (t) => {
    let refusals = 0;
    const { informer } = await follow(
      t,
      script((_, response) => {
        refusals += 1;
        answer(response, 403, { kind: "Status", code: 403, reason: "Forbidden" });
      }),
      { namespaces },
    );
    await eventually(() => refusals > 20);
    t.equal(informer.hasSynced, false);
  });
}
