// When everything is listed again, on a real API server: only when it no longer knows what was missed.
import t, { type Test } from "tap";
import { startControlPlane } from "../../hack/control-plane/control-plane.js";
import { eventually } from "../../hack/eventually.js";
import { type Asked, FaultingProxy } from "../../hack/faulting-proxy.js";
import { connect } from "./client.js";
import { Informer } from "./informer.js";
import { silentLog } from "./observe.js";
import { CONFIG_MAPS } from "./resources.js";

const OBJECTS = 230;
const LABEL = "zopp.dev/test";

const plane = await startControlPlane();
const admin = await connect({ file: plane.kubeconfig, userAgent: "zopp-test" });
const proxy = await FaultingProxy.start(plane);
t.teardown(async () => {
  await proxy.stop();
  await admin.close();
  await plane.stop();
});
for (let at = 0; at < OBJECTS; at++) await change(`n${at}`, "first");

/** Changes a followed ConfigMap, or makes it. */
async function change(name: string, value: string, labels: Record<string, string> = { [LABEL]: "relist" }) {
  const object = { metadata: { namespace: "default", name, labels }, data: { value } };
  return (await admin.apply(CONFIG_MAPS, object, { fieldManager: "test", metadataOnly: true })).metadata
    .resourceVersion;
}

/** An informer that reaches the API server through the proxy; what it asked, and how often it was told that it is too late. */
async function following(t: Test, watchMs: number) {
  const asked: Asked[] = [];
  proxy.fault((one) => {
    asked.push(one);
    return undefined;
  });
  const client = await connect({ file: proxy.kubeconfig, userAgent: "zopp-test" });
  let [outdated, failures] = [0, 0];
  const failed = (_resource: string, _phase: string, status: number) => {
    failures += 1;
    if (status === 410) outdated += 1;
  };
  const timing = { backoff: { firstMs: 20, capMs: 100 }, watchMs };
  const selected = { resource: CONFIG_MAPS, labelSelector: `${LABEL}=relist`, metadataOnly: true };
  const informer = new Informer({ client, ...selected, log: silentLog, hooks: { failed }, timing });
  t.teardown(async () => {
    await informer.stop();
    await client.close();
    proxy.lift();
  });
  informer.start();
  await informer.synced();
  const isWatch = ({ query }: Asked) => query.get("watch") === "true";
  return {
    informer,
    pages: () => asked.filter((one) => !isWatch(one)).map(({ query }) => query),
    watches: () => asked.filter(isWatch).map(({ query }) => query),
    outdated: () => outdated,
    failures: () => failures,
  };
}

t.test("a list comes in pages, and a watch asks for bookmarks", async (t) => {
  const { informer, pages, watches } = await following(t, 60_000);
  t.equal(informer.size, OBJECTS);
  t.strictSame(
    pages().map((query) => [query.get("limit"), query.has("continue")]),
    [
      ["100", false],
      ["100", true],
      ["100", true],
    ],
  );
  await eventually(() => watches().length === 1);
  t.equal(watches()[0]?.get("allowWatchBookmarks"), "true");
});

t.test("a watch that is cut, again and again, goes on where it was: nothing is listed", async (t) => {
  const { informer, pages, watches } = await following(t, 60_000);
  const before = pages().length;
  for (let round = 1; round <= 5; round++) {
    await eventually(() => watches().length >= round);
    const version = await change("n7", `cut ${round}`);
    await eventually(() => informer.get("default/n7")?.metadata.resourceVersion === version);
    proxy.breakWatches();
    const missed = await change("n8", `missed ${round}`);
    await eventually(() => informer.get("default/n8")?.metadata.resourceVersion === missed);
  }
  t.equal(pages().length, before);
});

t.test("while nothing of it changes, bookmarks keep its version young", async (t) => {
  const { pages, watches } = await following(t, 6_000);
  const before = pages().length;
  await eventually(() => watches().length === 1);
  const foreign = await change("foreign", "1", {});
  // the server says it before it ends a watch
  await eventually(() => watches().length >= 2, { timeoutMs: 30_000 });
  const [, second] = watches().map((query) => Number(query.get("resourceVersion")));
  t.ok((second ?? 0) >= Number(foreign), `${second} is not older than a change of something else, ${foreign}`);
  t.equal(pages().length, before);
});

t.test(
  "an API server that is away for long, and comes back, is asked for what was missed; all is listed only if it does not know",
  async (t) => {
    const { informer, pages, outdated, failures } = await following(t, 60_000);
    const before = pages().length;
    await plane.stopApiServer();
    await eventually(() => failures() >= 12, { timeoutMs: 30_000, message: "it tries again and again" });
    await plane.startApiServer();
    const version = await change("n9", "after");
    await eventually(() => informer.get("default/n9")?.metadata.resourceVersion === version, { timeoutMs: 30_000 });
    t.equal(pages().length - before, 3 * outdated(), `it was told ${outdated()} times that it is too late`);
  },
);
