// What becomes of a state that could not be kept at once. What is kept, and how much, is tried on a real API server.
import t from "tap";
import { revisionName } from "../../crds/bundle/revision.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { good } from "../../hack/fixtures.bundle.js";
import { apiError } from "../kube/errors.js";
import type { KubeObject, Place } from "../kube/resources.js";
import { History } from "./history.js";

const KEY = "shop-prod/api";
const BUNDLE = { ...good, metadata: { ...good.metadata, uid: "u-1", generation: 1 } } as ZoppSecret;

const nameOf = (digest: string, uid = "u-1") => revisionName({ name: "api", uid }, digest);

/** A history whose creations are answered in turn; nothing = it is created. */
function make(...answers: readonly (Error | undefined)[]) {
  const busy = { is: false };
  const [created, did, dropped]: [string[], string[], string[]] = [[], [], []];
  const listed: KubeObject[] = [];
  const shown = { bundle: BUNDLE };
  const client = {
    async create<T>(_: unknown, object: { metadata?: { name?: string | undefined } }): Promise<T> {
      const answer = answers[created.length];
      created.push(object.metadata?.name ?? "");
      if (answer !== undefined) throw answer;
      return object as T;
    },
    list: async <T>() => ({ metadata: {}, items: listed as T[] }),
    delete: async (_: unknown, { name }: Place) => void dropped.push(name),
  };
  const history = new History({
    client,
    queue: { add: () => undefined },
    limit: 3,
    busy: () => busy.is,
    bundleOf: () => shown.bundle,
    digestOf: () => undefined,
    now: () => new Date("2026-11-23T10:11:12Z"),
    did: (what) => void did.push(what),
  });
  history.applied(BUNDLE, "d1", true);
  const apply = async (digest: string) => {
    history.applied(shown.bundle, digest, false);
    await history.reconcile(KEY);
  };
  return { history, created, did, dropped, listed, shown, apply, busy };
}

const conflict = (reason: string) => apiError("create controllerrevisions shop-prod/api-1", 409, { reason });

t.test("a state that is there already is kept, whoever made it", async (t) => {
  const { history, created } = make(conflict("AlreadyExists"));
  await history.reconcile(KEY);
  await history.reconcile(KEY);
  t.equal(created.length, 1);
});

t.test("a creation that a quota's own conflict refused is tried again: nothing is there yet", async (t) => {
  const { history, created, did } = make(conflict("Conflict"));
  await t.rejects(history.reconcile(KEY), { code: "ApiConflict" });
  await history.reconcile(KEY);
  t.strictSame(did, ["failed", "kept"]);
  t.equal(created[0], created[1]);
});

t.test(
  "while bundles wait to become Secrets a state is not kept, until another one takes its place: then it is here alone",
  async (t) => {
    const { history, created, busy } = make();
    busy.is = true;
    await history.reconcile(KEY);
    t.strictSame(created, []);
    history.replaced(BUNDLE);
    await history.reconcile(KEY);
    t.equal(created.length, 1);
  },
);

t.test("a state that is applied again is the newest, and not the first to go", async (t) => {
  const { apply, created, dropped } = make();
  for (const digest of ["d2", "d3", "d1"]) await apply(digest);
  t.strictSame(
    created,
    ["d1", "d2", "d3"].map((digest) => nameOf(digest)),
  );
  await apply("d4");
  t.strictSame(dropped, [nameOf("d2")]);
});

t.test(
  "what was kept before this process began goes by when it was applied last, not by when it was made",
  async (t) => {
    const { apply, shown, listed, dropped } = make();
    const outcomes = [
      { digest: "d1", result: "Synced" },
      { digest: "d2", result: "UnknownSigner" },
      { digest: "d3", result: "Synced" },
    ];
    const status = { history: outcomes.map((each) => ({ ...each, time: "2026-11-23T10:11:12Z" })) };
    shown.bundle = { ...BUNDLE, metadata: { ...BUNDLE.metadata, uid: "u-2" } as ZoppSecret["metadata"], status };
    for (const [at, digest] of ["d1", "d2", "d3"].entries()) {
      const annotations = { "zopp.dev/digest": digest };
      listed.push({ metadata: { name: nameOf(digest, "u-2"), resourceVersion: String(at + 1), annotations } });
    }
    for (const digest of ["d4", "d5"]) await apply(digest);
    t.strictSame(
      dropped,
      ["d2", "d3"].map((digest) => nameOf(digest, "u-2")),
    );
  },
);
