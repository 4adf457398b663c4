// The log's writer: nothing counts as recorded before it is stored, in order, and never over somebody else's record.
import type { ServerResponse } from "node:http";
import t, { type Test } from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import { eventually } from "../../hack/eventually.js";
import { connectTo } from "../kube/client.js";
import { silentLog } from "../kube/observe.js";
import { answer, type Received, type ScriptedServer, scriptedServer, statusOf } from "../kube/scripted-server.js";
import { AuditLog } from "./log.js";
import { emptyLog } from "./log.types.js";
import type { AuditRecord, Fact } from "./records.js";
import { checkSegment, linesOf, MAX_SEGMENT_BYTES, NO_SEGMENT } from "./segment.js";

const KEY = newSigningKey();

/** An API server for segments: stores what is posted, unless the test holds or refuses it. */
class Segments {
  readonly stored = new Map<string, ZoppAuditSegment>();
  readonly posts: string[] = [];
  /** Answers a POST instead of storing it; undefined = store. */
  refuse: ((segment: ZoppAuditSegment, response: ServerResponse) => boolean) | undefined;
  #held: (() => void)[] | null = null;

  /** Keeps answers back until `release`. */
  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const act of held) act();
  }

  handle(request: Received, response: ServerResponse): void {
    if (request.method === "GET") {
      const found = this.stored.get(request.path.split("/").at(-1) ?? "");
      return found === undefined ? answer(response, 404, statusOf(404, "NotFound")) : answer(response, 200, found);
    }
    const segment = JSON.parse(request.body) as ZoppAuditSegment;
    const { name } = segment.metadata;
    this.posts.push(name);
    if (this.refuse?.(segment, response) === true) return;
    const store = () => {
      if (this.stored.has(name)) return answer(response, 409, statusOf(409, "AlreadyExists"));
      this.stored.set(name, segment);
      answer(response, 201, { metadata: segment.metadata });
    };
    if (this.#held === null) store();
    else this.#held.push(store);
  }
}

interface Made {
  readonly log: AuditLog;
  readonly segments: Segments;
  readonly server: ScriptedServer;
  readonly appended: AuditRecord[];
  readonly exported: string[];
}

async function make(t: Test, patienceMs = 5_000): Promise<Made> {
  const segments = new Segments();
  const server = await scriptedServer((request, response) => segments.handle(request, response));
  const client = connectTo(server.endpoint, { timeoutMs: 2_000 });
  const [appended, exported]: [AuditRecord[], string[]] = [[], []];
  const log = new AuditLog({
    client,
    namespace: "zopp-system",
    key: KEY,
    end: emptyLog("log-1"),
    log: silentLog,
    onAppend: (record) => appended.push(record),
    onStored: (lines) => exported.push(...lines),
    patienceMs,
  });
  t.teardown(async () => {
    segments.release();
    await log.close();
    await client.close();
    await server.down();
  });
  return { log, segments, server, appended, exported };
}

function fact(object: string): Fact {
  return { action: "open", decision: "released", actor: "operator", object };
}

/** Whether a promise has settled by now, after everything that was ready to run has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const mark = () => {
    done = true;
  };
  promise.then(mark, mark);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return done;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: unknown) => (error instanceof ZoppError ? error.code : String(error)),
  );
}

/** Every stored segment, checked as one chain from the log's first record on; gives its lines. */
function chainOf(segments: Segments): string[] {
  let place = { log: "log-1", first: 0, previous: NO_SEGMENT };
  const lines: string[] = [];
  for (const name of [...segments.stored.keys()].sort()) {
    const segment = segments.stored.get(name) as ZoppAuditSegment;
    const previous = checkSegment(segment, place, KEY.verifyKey);
    lines.push(...linesOf(segment));
    place = { log: "log-1", first: place.first + segment.spec.count, previous };
  }
  return lines;
}

t.test("appending waits until the API server has stored the record", async (t) => {
  const { log, segments, appended, exported } = await make(t);
  segments.hold();
  const append = log.append([fact("shop-prod/api")]);
  await eventually(() => segments.posts.length === 1);
  t.equal(await settled(append), false);
  t.equal(appended.length, 1, "the ledger knows already, so that the next bundle sees it");
  t.equal(log.quiet, false);
  t.same(exported, [], "nothing is exported that is not stored");
  segments.release();
  await append;
  t.equal(log.quiet, true);
  t.same(exported, chainOf(segments));
  t.match(JSON.parse(exported[0] ?? ""), {
    index: 0,
    object: "shop-prod/api",
    decision: "released",
    actor: "operator",
  });
});

t.test("one write is in flight; all that waits goes into the next, in the order of appending", async (t) => {
  const { log, segments } = await make(t);
  segments.hold();
  const appends = [log.append([fact("a/0")])];
  await eventually(() => segments.posts.length === 1);
  for (let at = 1; at < 100; at += 1) appends.push(log.append([fact(`a/${at}`)]));
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(segments.posts.length, 1);
  segments.release();
  await Promise.all(appends);
  t.same(segments.posts, ["log-1-000000000000", "log-1-000000000001"]);
  const objects = chainOf(segments).map((line) => (JSON.parse(line) as AuditRecord).object);
  t.same(
    objects,
    Array.from({ length: 100 }, (_, at) => `a/${at}`),
  );
});

t.test(
  "a fact that is noted during a write stays with its call: it is written when somebody waits for it",
  async (t) => {
    const { log, segments } = await make(t);
    segments.hold();
    const first = log.append([fact("a/0")]);
    await eventually(() => segments.posts.length === 1);
    log.note(fact("a/1"));
    segments.release();
    await first;
    await new Promise((resolve) => setTimeout(resolve, 50));
    log.note(fact("a/2"));
    await log.flush();
    t.same(segments.posts, ["log-1-000000000000", "log-1-000000000001"]);
    t.equal(chainOf(segments).length, 3);
  },
);

t.test("no segment holds more than 256 KiB of lines, and no record is cut", async (t) => {
  const { log, segments } = await make(t);
  const facts = Array.from({ length: 40 }, (_, at) => ({ ...fact(`a/${at}`), request: "x".repeat(30_000) }));
  await log.append(facts);
  t.equal(chainOf(segments).length, 40);
  for (const segment of segments.stored.values()) {
    t.ok(linesOf(segment).reduce((sum, line) => sum + line.length + 1, 0) <= MAX_SEGMENT_BYTES) || t.fail();
  }
  t.equal(await codeOf(log.append([{ ...fact("a/b"), request: "x".repeat(MAX_SEGMENT_BYTES) }])), "TooLarge");
  await log.append([fact("a/c")]);
  t.equal(chainOf(segments).length, 41, "a record that is too large leaves no gap");
});

for (const status of [500, 503, 429, 403, 422]) {
  t.test(`while the API server answers ${status}, nothing is recorded; then everything is, in order`, async (t) => {
    const { log, segments, exported } = await make(t, 400);
    segments.refuse = (_, response) => {
      answer(response, status, statusOf(status, "Whatever"));
      return true;
    };
    t.equal(await codeOf(log.append([fact("a/0")])), "AuditUnavailable");
    t.equal(await codeOf(log.append([fact("a/1")])), "AuditUnavailable");
    t.same(exported, []);
    segments.refuse = undefined;
    t.equal(await eventually(async () => (await codeOf(log.append([fact("a/2")]))) === "ok"), true);
    const objects = chainOf(segments).map((line) => (JSON.parse(line) as AuditRecord).object);
    t.same(
      objects.slice(0, 3),
      ["a/0", "a/1", "a/2"],
      "what callers gave up is recorded too: too much, never too little",
    );
  });
}

t.test("while the API server is away callers are told in time, and afterwards the chain goes on", async (t) => {
  const { log, segments, server } = await make(t, 2_000);
  await log.append([fact("a/0")]);
  await server.down();
  t.equal(await codeOf(log.append([fact("a/1")])), "AuditUnavailable");
  await server.up();
  t.equal(await eventually(async () => (await codeOf(log.append([fact("a/2")]))) === "ok"), true);
  t.ok(chainOf(segments).length >= 3);
});

t.test(
  "an answer that is lost after the write: the segment that is found is our own, and the log goes on",
  async (t) => {
    const { log, segments } = await make(t);
    let cut = true;
    segments.refuse = (segment, response) => {
      if (!cut) return false;
      cut = false;
      segments.stored.set(segment.metadata.name, segment);
      response.destroy();
      return true;
    };
    await log.append([fact("a/0")]);
    await log.append([fact("a/1")]);
    t.same(segments.posts, ["log-1-000000000000", "log-1-000000000000", "log-1-000000000001"]);
    t.equal(chainOf(segments).length, 2);
  },
);

t.test(
  "another keyring wrote that segment: nothing more is recorded, everybody is told, once for the process",
  async (t) => {
    const { log, segments } = await make(t);
    await log.append([fact("a/0")]);
    const [other] = segments.stored.values();
    if (other === undefined) throw new TypeError("no segment");
    segments.stored.set("log-1-000000000001", { ...other, spec: { ...other.spec, first: 1 } });
    const forks: ZoppError[] = [];
    log.on("forked", (error) => forks.push(error));
    const codes = await Promise.all([codeOf(log.append([fact("a/1")])), codeOf(log.append([fact("a/2")]))]);
    t.same(codes, ["LogForked", "LogForked"]);
    t.equal(await codeOf(log.append([fact("a/3")])), "LogForked");
    t.equal(forks.length, 1);
    t.equal(segments.stored.size, 2, "the other one's segment is left alone");
  },
);

t.test("closing writes what waits", async (t) => {
  const { log, segments } = await make(t);
  segments.hold();
  const appends = [log.append([fact("a/0")]), log.append([fact("a/1")])];
  await eventually(() => segments.posts.length === 1);
  const later = log.append([fact("a/2")]);
  log.note(fact("a/3"));
  const closed = log.close();
  segments.release();
  await Promise.all([...appends, later, closed]);
  t.equal(chainOf(segments).length, 4);
});

t.test("closing gives up on an API server that does not answer", async (t) => {
  const { log, segments } = await make(t, 300);
  segments.refuse = () => true;
  const append = codeOf(log.append([fact("a/0")]));
  await log.close();
  t.equal(await append, "AuditUnavailable");
  segments.refuse = undefined;
});
