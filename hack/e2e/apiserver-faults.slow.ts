import { gunzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { bindingsOf } from "../../crds/bundle/case.js";
import { bundleDigest, bundleStatements } from "../../crds/bundle/statements.js";
import type { ZoppAuditSegment, ZoppSecret } from "../../crds/types.gen.js";
import type { AuditRecord } from "../../operator/keyring/records.js";
import { hasStatus } from "../../operator/kube/errors.js";
import { EVENTS, type KubeObject } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import type { Asked, Choose, Fault } from "../faulting-proxy.js";
import { withValue } from "../fixtures.js";
import type { FoundSecret } from "../testbed.js";
import { startProxiedTestbed } from "../testbed.proxied.js";

const PATIENCE_MS = 90_000;
/** Four lists, a segment, a Secret and a status. */
const FAILED_AT_START = 7;

const { bed, proxy } = await startProxiedTestbed(t);

/** Every bundle that was applied: what its Secret must hold, by its digest, and how often it was changed. */
const digests = new Map<string, string>();
const edits = new Map<string, number>();
async function put(secret: ZoppSecret, value: string): Promise<void> {
  const { name } = secret.metadata;
  digests.set(`${name} ${value}`, bundleDigest(bundleStatements(secret, bindingsOf(bed.environment))));
  edits.set(name, (edits.get(name) ?? -1) + 1);
  await bed.applyBundle(secret);
}

let api = bed.seal({ A: "first", B: "fixed" });
async function change(value: string): Promise<void> {
  api = withValue(api, "A", value, bed.writing());
  await put(api, value);
}
const create = (name: string) => put(bed.seal({ A: name, B: "fixed" }, { name }), name);

async function isRight(name: string, value: string): Promise<void> {
  await bed.settled("Synced", name, "shop-prod", PATIENCE_MS);
  const right = async () => (await bed.secret(name)).data?.["A"] === value;
  await eventually(right, { timeoutMs: PATIENCE_MS, message: `${name} holds ${value}` });
}

const isWatch = ({ query }: Asked): boolean => query.get("watch") === "true";
const writes =
  (path: RegExp) =>
  (asked: Asked): boolean =>
    asked.method !== "GET" && path.test(asked.path);
const always =
  (applies: (asked: Asked) => boolean, fault: Fault): Choose =>
  (asked) =>
    applies(asked) ? fault : undefined;
/** Spoils only the first so many of these. */
function first(count: number, applies: (asked: Asked) => boolean, fault: Fault): Choose {
  let left = count;
  return (asked) => (applies(asked) && left-- > 0 ? fault : undefined);
}
const refused = (status: number, reason: string, retryAfter?: number): Fault => ({
  kind: "refuse",
  status,
  reason,
  ...(retryAfter === undefined ? {} : { retryAfter }),
});

const SECRETS_AND_STATUSES = writes(/\/secrets(\/|$)|\/status$/);
const SEGMENTS = writes(/\/zoppauditsegments$/);
const EVERYTHING = writes(/\/(secrets|zoppsecrets|events|zoppauditsegments)(\/|$)/);
const FOLLOWED = ({ method, path }: Asked): boolean => method === "GET" && /\/(zopp)?secrets$/.test(path);

/** What the API server does, and how many requests it does it to before it is well again. */
const FAULTS: Record<string, { readonly choose: Choose; readonly times: number; readonly keepsOld?: true }> = {
  "answers 409 to Secrets and statuses": {
    choose: always(SECRETS_AND_STATUSES, refused(409, "Conflict")),
    times: 4,
    keepsOld: true,
  },
  "says of audit segments that others are there": {
    choose: always(SEGMENTS, refused(409, "AlreadyExists")),
    times: 3,
    keepsOld: true,
  },
  "answers 429 and asks to wait": {
    choose: always(SECRETS_AND_STATUSES, refused(429, "TooManyRequests", 1)),
    times: 3,
    keepsOld: true,
  },
  "answers 500 to every write": { choose: always(EVERYTHING, refused(500, "InternalError")), times: 4, keepsOld: true },
  "answers 410 to watches and lists": { choose: first(8, FOLLOWED, refused(410, "Expired")), times: 4 },
  "tells watches that their version is too old": {
    choose: first(6, (asked) => FOLLOWED(asked) && isWatch(asked), {
      kind: "error event",
      status: 410,
      reason: "Expired",
    }),
    times: 4,
  },
  "breaks watches in the middle of a line": { choose: always(isWatch, { kind: "cut" }), times: 4 },
  "never answers": { choose: always(SECRETS_AND_STATUSES, { kind: "hang" }), times: 2, keepsOld: true },
  "does what it is asked and loses the answers": { choose: first(12, EVERYTHING, { kind: "lose" }), times: 6 },
};

/** The Secret that was there stays that Secret, whole: with its last good value, or already with the next one. */
async function isWhole(t: Test, before: FoundSecret, values: readonly string[]): Promise<void> {
  const now = await bed.secret();
  t.equal(now.metadata.uid, before.metadata.uid);
  t.strictSame(Object.keys(now.data ?? {}), ["A", "B"]);
  t.ok(values.includes(now.data?.["A"] ?? ""), `it holds ${now.data?.["A"]}`);
}

t.before(async () => {
  await put(api, "first");
  await isRight("api", "first");
});

for (const [at, [what, { choose, times, keepsOld }]] of Object.entries(FAULTS).entries()) {
  t.test(`an API server that ${what} costs nothing but time`, async (t) => {
    const before = await bed.secret();
    const old = before.data?.["A"] ?? "";
    const [value, name] = [`value-${at}`, `new-${at}`];
    proxy.fault(choose);
    proxy.breakWatches();
    await change(value);
    await create(name);
    await eventually(() => proxy.spoilt >= times, { timeoutMs: PATIENCE_MS, message: `${times} requests were spoilt` });
    await isWhole(t, before, keepsOld === true ? [old] : [old, value]);
    proxy.lift();
    await isRight("api", value);
    await isRight(name, name);
    await isWhole(t, before, [value]);
  });
}

t.test("a log that cannot be written releases nothing, says so, and catches up", async (t) => {
  const before = await bed.secret();
  proxy.fault(always(SEGMENTS, refused(403, "Forbidden")));
  const writtenBefore = proxy.written.length;
  await change("unrecorded");
  await create("never-seen");
  for (const name of ["api", "never-seen"]) {
    const { status } = await bed.settled("AuditUnavailable", name, "shop-prod", PATIENCE_MS);
    const conditions = (status?.conditions ?? []).map(({ type, status }) => `${type} ${status}`);
    t.strictSame(conditions, ["Ready False", "Verified Unknown", "Synced False", "Reconciling True"], name);
  }
  t.strictSame((await bed.secret()).metadata.resourceVersion, before.metadata.resourceVersion, "the last good one");
  t.ok(hasStatus(await bed.secret("never-seen").catch((error: unknown) => error), 404), "no new Secret");
  t.strictSame(
    proxy.written.slice(writtenBefore).filter(({ path }) => /\/secrets\/|\/zoppauditsegments$/.test(path)),
    [],
    "nothing was written",
  );
  t.not(proxy.spoilt, 0);
  proxy.lift();
  await isRight("api", "unrecorded");
  await isRight("never-seen", "never-seen");
});

t.test("an operator that starts while nothing succeeds at once comes to the same end", async (t) => {
  await bed.operator.stop("SIGKILL");
  const asked = new Map<string, number>();
  proxy.fault((request) => {
    const what = `${request.method} ${request.path} ${isWatch(request)}`;
    asked.set(what, (asked.get(what) ?? 0) + 1);
    return (asked.get(what) ?? 0) > 2 ? undefined : refused(500, "InternalError");
  });
  await change("started");
  await bed.startOperator();
  await isRight("api", "started");
  t.ok(proxy.spoilt >= 2 * FAILED_AT_START, `${proxy.spoilt} requests were refused`);
  proxy.lift();
});

t.test("an operator that is asked to end before it has listed everything ends well", async (t) => {
  await bed.operator.stop();
  proxy.fault(always(FOLLOWED, { kind: "hang" }));
  const starting = bed.startOperator().catch(() => "ended before it was ready");
  await eventually(() => bed.operator.running && bed.operator.lines.some((line) => line.includes('"msg":"starting"')));
  t.equal(await bed.operator.stop("SIGTERM"), 0);
  t.equal(await starting, "ended before it was ready");
  proxy.lift();
  await bed.startOperator();
});

t.test("no Secret was written before its release stood in the log", async (t) => {
  const released = new Set<string>();
  const unrecorded: string[] = [];
  let written = 0;
  for (const { method, path, body } of proxy.written) {
    if (path.endsWith("/zoppauditsegments")) {
      const { spec } = JSON.parse(body) as ZoppAuditSegment;
      for (const line of gunzipSync(Buffer.from(spec.records, "base64")).toString().trimEnd().split("\n")) {
        const { decision, object, digest } = JSON.parse(line) as AuditRecord;
        if (decision === "released") released.add(`${object} ${digest}`);
      }
    }
    const name = /\/shop-prod\/secrets\/([^/]+)$/.exec(path)?.[1];
    if (name === undefined || method === "DELETE") continue;
    const { data } = JSON.parse(body) as { data: Record<string, string> };
    const value = Buffer.from(data["A"] ?? "", "base64").toString();
    if (!released.has(`shop-prod/${name} ${digests.get(`${name} ${value}`)}`)) unrecorded.push(`${name} ${value}`);
    written += 1;
  }
  t.ok(written >= digests.size, `${written} writes of Secrets were looked at`);
  t.strictSame(unrecorded, []);
});

t.test("no event was said twice", async (t) => {
  const { items } = await bed.client.list<SeenEvent>(EVENTS, { namespace: "shop-prod" });
  t.ok(items.every(({ count }) => count === 1));
  for (const [name, times] of edits) {
    const told = items.filter(({ involvedObject }) => involvedObject.name === name);
    for (const reason of new Set(told.map(({ reason }) => reason))) {
      const count = told.filter((event) => event.reason === reason).length;
      // what happened to one content is told once; the first content is no update
      const most = reason === "Updated" ? times : times + 1;
      t.ok(count <= most, `${name}: ${reason} was told ${count} times, for ${most} contents`);
    }
  }
  t.ok(items.some(({ reason }) => reason === "AuditUnavailable"));
});

interface SeenEvent extends KubeObject {
  readonly involvedObject: { readonly name?: string };
  readonly reason: string;
  readonly count?: number;
}
