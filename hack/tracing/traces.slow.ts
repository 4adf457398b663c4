// Traces of real processes in a real collector: one change from the operator through the keyring to the API server, what
// spans may not say, and what a caller's own words of traces cannot do.
import { randomBytes } from "node:crypto";
import t from "tap";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import { silentLog, type Tracing } from "../../operator/kube/observe.js";
import { sightings } from "../canary.js";
import { eventually } from "../eventually.js";
import { flip, withEntry } from "../fixtures.bundle.js";
import { environmentKey, identityOf } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { workspaceInForce } from "../testbed.look.js";
import { Collector, type Found, findCollector } from "./collector.js";

const found = await findCollector();
if ("skip" in found) {
  t.pass("skipped", { skip: `no collector: ${found.skip}` });
  process.exit(0);
}

const collector = await Collector.start(found.program);
const bed = await startTestbed({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint } });
t.teardown(async () => {
  await bed.stop();
  await collector.stop();
});

const PASSWORD = `"pass" \\ word ${randomBytes(24).toString("hex")}`;

/** The spans above one, nearest first. */
function above(span: Found): readonly Found[] {
  const parent = collector.spans.find(
    ({ spanId, traceId }) => spanId === span.parentSpanId && traceId === span.traceId,
  );
  return parent === undefined ? [] : [parent, ...above(parent)];
}

/** Waits for a span, and for those above it: whatever ends later is sent later. */
function seen(what: string, is: (span: Found) => boolean): Promise<Found> {
  const whole = (span: Found) => [span, ...above(span)].some(({ parentSpanId }) => !parentSpanId);
  return eventually(() => collector.spans.find((span) => is(span) && whole(span)), {
    timeoutMs: 60_000,
    message: what,
  });
}

const said = (span: Found) => `${span.service}: ${span.name}`;

t.test("one change is one trace: from the operator through the keyring to the API server", async (t) => {
  await bed.applyBundle(bed.seal({ PASSWORD }));
  await bed.settled("Synced");
  const written = await seen("the Secret is written", ({ name }) => name === "apply secrets");
  t.strictSame(above(written).map(said), ["zopp-operator: reconcile zoppsecret"]);
  t.match(written.attributes, { "http.request.method": "PATCH", "http.response.status_code": "201" });
  const [reconcile] = above(written);
  const { traceId } = written;
  t.match(reconcile?.attributes, {
    "zopp.controller": "zoppsecret",
    "k8s.namespace.name": "shop-prod",
    "zopp.object": "api",
    "zopp.lane": /^(?:urgent|background)$/,
    "zopp.reason": "Synced",
    "zopp.outcome": "requeue_after",
  });
  const stored = await seen(
    "the segment is stored",
    (span) => span.traceId === traceId && span.name === "create zoppauditsegments",
  );
  t.strictSame(above(stored).map(said), [
    "zopp-keyring: log segment",
    "zopp-keyring: zopp.v1alpha1.Keyring/Open",
    "zopp-operator: zopp.v1alpha1.Keyring/Open",
    "zopp-operator: reconcile zoppsecret",
  ]);
});

t.test("a refusal is said by its reason", async (t) => {
  const good = bed.seal({ PASSWORD }, { name: "bad" });
  await bed.applyBundle(
    withEntry(good, "PASSWORD", { signature: flip(good.spec.data?.["PASSWORD"]?.signature ?? "") }),
  );
  await bed.settled("SignatureInvalid", "bad");
  const isOfIt = ({ attributes }: Found) => attributes["zopp.object"] === "bad" && "zopp.reason" in attributes;
  t.match((await seen("the refusal", isOfIt)).attributes, { "zopp.reason": "SignatureInvalid" });
});

/** A client's end that says these headers of traces. */
const saying = (headers: Readonly<Record<string, string>>): Tracing => ({
  span: (_, work) => work(),
  say: () => undefined,
  headers: () => headers,
});
const FORGED = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${FORGED}-b7ad6b7169203331-01`;
const connect = (identity: ReturnType<typeof identityOf>, headers: Readonly<Record<string, string>>) =>
  connectKeyring({
    address: `127.0.0.1:${bed.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: identity.signing,
    log: silentLog,
    tracing: saying(headers),
  });

t.test("what a caller says of traces names no span, and changes no answer", async (t) => {
  await workspaceInForce(bed);
  const stranger = connect(identityFromSeed(newSeed()), { traceparent });
  await t.rejects(stranger.describe(), { code: "Unauthenticated" });
  await stranger.close();
  const plain = connect(identityOf("alice"), {});
  const refusal = (keyring: typeof plain) =>
    keyring.wrap("acme/shop/production", "zk1nobody").then(
      () => "none",
      ({ code }: { code: string }) => code,
    );
  const expected = { cluster: (await plain.describe()).cluster, refusal: await refusal(plain) };
  t.not(expected.refusal, "none");
  await plain.close();
  const odd = [
    { traceparent: "00-zz-!-01", tracestate: "zopp=operator", baggage: "role=operator" },
    { traceparent: `00-${"0".repeat(32)}-${"0".repeat(16)}-01` },
    { traceparent: "x".repeat(4000) },
    { traceparent },
  ];
  for (const headers of odd) {
    const alice = connect(identityOf("alice"), headers);
    t.strictSame({ cluster: (await alice.describe()).cluster, refusal: await refusal(alice) }, expected);
    await alice.close();
  }
  const hers = () =>
    collector.spans.filter(
      ({ attributes }) => attributes["zopp.role"] === "device" && attributes["rpc.method"] === "Wrap",
    );
  await eventually(() => hers().length > odd.length, { timeoutMs: 60_000, message: "alice's calls" });
  const chosen = collector.spans.filter(({ traceId }) => traceId === FORGED);
  t.strictSame(chosen.map(said), [], "nor does one that was admitted choose the trace");
  const strangers = collector.spans.filter(({ attributes }) => attributes["zopp.role"] === "stranger");
  t.strictSame(
    strangers.map(({ attributes }) => attributes["rpc.method"]).filter((method) => method !== "Enrol"),
    [],
    "a stranger may enrol; of its other calls there is no span",
  );
});

t.test("no span holds a value, a key or a token, and none says the command line", async (t) => {
  const token = Buffer.from(await bed.token());
  const places = { collector: collector.texts.join("\n") };
  t.ok(collector.spans.length > 20, "there is much to look through");
  const canaries = { PASSWORD: Buffer.from(PASSWORD), token, environment: environmentKey.xwing.privateKey };
  t.strictSame(sightings(canaries, places), []);
  t.notMatch(places.collector, /process\.command|keyring-key/);
});
