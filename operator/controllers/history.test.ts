// What becomes of a state that could not be kept at once. What is kept, and how much, is tried on a real API server.
import t from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { good } from "../../hack/fixtures.bundle.js";
import { apiError } from "../kube/errors.js";
import { History } from "./history.js";

const KEY = "shop-prod/api";
const BUNDLE = { ...good, metadata: { ...good.metadata, uid: "u-1", generation: 1 } } as ZoppSecret;

/** A history whose creations are answered in turn; nothing = it is created. */
function make(...answers: readonly (Error | undefined)[]) {
  const busy = { is: false };
  const [created, did]: [string[], string[]] = [[], []];
  const client = {
    async create<T>(_: unknown, object: { metadata?: { name?: string | undefined } }): Promise<T> {
      const answer = answers[created.length];
      created.push(object.metadata?.name ?? "");
      if (answer !== undefined) throw answer;
      return object as T;
    },
    list: async () => ({ metadata: {}, items: [] }),
    delete: async () => undefined,
  };
  const history = new History({
    client,
    queue: { add: () => undefined },
    limit: 3,
    busy: () => busy.is,
    bundleOf: () => BUNDLE,
    digestOf: () => undefined,
    now: () => new Date("2026-11-23T10:11:12Z"),
    did: (what) => void did.push(what),
  });
  history.applied(BUNDLE, "d1", true);
  return { history, created, did, busy };
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
