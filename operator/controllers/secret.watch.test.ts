import t from "tap";
import { BundleMemory } from "./secret.memory.js";
import { bundle, secret, setup, WALL } from "./secret.watch.case.js";

t.test("first lists wait behind people's changes, new bundles too, edits do not", async (t) => {
  const { bundles, take } = setup();
  bundles.show(bundle(), true);
  bundles.show(bundle({ name: "new" }));
  bundles.show(bundle({ version: "2", generation: 2 }));
  t.strictSame(take(), ["shop/api background", "shop/new background", "shop/api urgent"]);
});

t.test(
  "the spec that another takes the place of is told, while it is still known; an end or another bundle of that name is none",
  async (t) => {
    const { bundles, replaced } = setup();
    bundles.show(bundle(), true);
    bundles.show(bundle({ version: "2", ready: "True" }));
    t.strictSame(replaced, []);
    bundles.show(bundle({ version: "3", generation: 2 }));
    t.match(replaced.splice(0), [{ metadata: { generation: 1, resourceVersion: "2" } }]);
    const another = bundle({ version: "4", generation: 1 });
    bundles.show({ ...another, metadata: { ...another.metadata, uid: "later" } });
    bundles.remove("shop/api");
    t.strictSame(replaced, []);
  },
);

t.test("while another one leads nothing is urgent; what it left of people's changes is, in the end", async (t) => {
  const { bundles, targets, watch, memory, clock, take } = setup({ leads: false });
  for (const name of ["done", "left"]) bundles.show(bundle({ name, observed: 1 }), true);
  bundles.show(bundle({ name: "done", version: "2", generation: 2, observed: 1 }));
  targets.show(secret("done", "5"));
  bundles.show(bundle({ name: "done", version: "3", generation: 2, observed: 2 }));
  bundles.show(bundle({ name: "left", version: "2", generation: 2, observed: 1 }));
  bundles.show(bundle({ name: "new" }));
  bundles.show(bundle({ name: "gone" }));
  bundles.remove("shop/gone");
  t.strictSame(take(), [], "and nothing waits, since nobody would take it");
  clock.ms = 60_000;
  watch.lead();
  t.strictSame(take(), ["shop/done background", "shop/left urgent", "shop/new background"]);
  clock.ms += 500;
  t.equal(memory.waitedSeconds("shop/done"), 0.5, "nothing has waited for us before");
  bundles.show(bundle({ name: "done", version: "4", generation: 3, observed: 2 }));
  t.strictSame(take(), ["shop/done urgent"]);
});

t.test("what people asked for while another one led is done once more in the end, by whose part it is", async (t) => {
  const { bundles, watch, memory } = setup({ leads: false });
  for (const name of ["ours", "theirs", "gone"]) {
    bundles.show(bundle({ name }), true);
    bundles.show(bundle({ name, version: "2", asked: "now" }));
  }
  bundles.remove("shop/gone");
  t.notOk(memory.isDemanded("shop/gone"));
  watch.lead((key) => key !== "shop/theirs");
  t.ok(memory.isDemanded("shop/ours"), "he may have ended before");
  t.notOk(memory.isDemanded("shop/theirs"));
});

t.test("an edit that the watch shows after our later status write is not taken for our own", async (t) => {
  const { bundles, freshBundles, take } = setup();
  bundles.show(bundle(), true);
  take();
  freshBundles.put(bundle({ version: "3", generation: 1, ready: "True" }));
  bundles.show(bundle({ version: "2", generation: 2 }));
  t.strictSame(take(), ["shop/api urgent"]);
  const known = freshBundles.get("shop/api");
  t.equal(known?.metadata.generation, 2, "the edited content");
  t.equal(known?.status?.conditions?.[0]?.status, "True", "with the status that we wrote");
});

t.test("what happens to a Secret reaches all bundles that name it, urgently", async (t) => {
  const { bundles, targets, take } = setup();
  bundles.show(bundle(), true);
  bundles.show(bundle({ name: "other", target: "api" }), true);
  bundles.show(bundle({ name: "apart" }), true);
  targets.show(secret("api", "5"), true);
  take();
  targets.show(secret("api", "6"));
  t.strictSame(take(), ["shop/api urgent", "shop/other urgent"]);
  targets.remove("shop/api");
  t.strictSame(take(), ["shop/api urgent", "shop/other urgent"]);
});

t.test("our own write of a Secret is no news", async (t) => {
  const { bundles, targets, freshTargets, take } = setup();
  bundles.show(bundle(), true);
  take();
  freshTargets.put(secret("api", "7"));
  targets.show(secret("api", "7"));
  t.strictSame(take(), []);
  targets.show(secret("api", "8"));
  t.strictSame(take(), ["shop/api urgent"]);
});

t.test("a bundle that lets go of a Secret gives way to others that name it", async (t) => {
  const { bundles, take } = setup();
  bundles.show(bundle({ name: "a", target: "x" }), true);
  bundles.show(bundle({ name: "b", target: "x" }), true);
  take();
  bundles.show(bundle({ name: "a", target: "y", version: "2", generation: 2 }));
  t.strictSame(take(), ["shop/b background", "shop/a urgent"]);
  bundles.remove("shop/b");
  bundles.show(bundle({ name: "c", target: "x" }));
  t.strictSame(take(), ["shop/b background", "shop/c background"]);
});

t.test("new policy concerns bundles of its environment that are not ready", async (t) => {
  const { bundles, watch, take } = setup();
  bundles.show(bundle({ name: "ready", ready: "True" }), true);
  bundles.show(bundle({ name: "refused", ready: "False" }), true);
  bundles.show(bundle({ name: "fresh" }), true);
  bundles.show(bundle({ name: "elsewhere", ready: "False", environment: "a/b/d" }), true);
  take();
  const none = new Set<string>();
  watch.policyChanged({
    workspaces: none,
    environments: none,
    baselines: none,
    accepted: new Set(["a/b/c"]),
    recovered: false,
  });
  t.strictSame(take(), ["shop/refused background", "shop/fresh background"]);
  watch.policyChanged({ workspaces: none, environments: none, baselines: none, accepted: none, recovered: true });
  t.strictSame(take(), ["shop/refused background", "shop/fresh background", "shop/elsewhere background"]);
});

t.test(
  "a keyring that answers again is asked at once about bundles that failed, also while they still say Ready",
  async (t) => {
    const { bundles, watch, failures, take } = setup();
    bundles.show(bundle({ name: "ready", ready: "True" }), true);
    bundles.show(bundle({ name: "edited", ready: "True" }), true);
    failures.set("shop/edited", 9);
    take();
    const none = new Set<string>();
    watch.policyChanged({ workspaces: none, environments: none, baselines: none, accepted: none, recovered: true });
    t.strictSame(take(), ["shop/edited background"]);
  },
);

t.test(
  "what changes while a bundle is being worked on makes it be looked at again, also while it still says Ready",
  async (t) => {
    const { bundles, watch, active, take } = setup();
    bundles.show(bundle({ name: "ready", ready: "True" }), true);
    bundles.show(bundle({ name: "edited", ready: "True" }), true);
    active.set("shop/edited", "urgent");
    take();
    const none = new Set<string>();
    const accepted = new Set(["a/b/c"]);
    watch.policyChanged({ workspaces: none, environments: none, baselines: none, accepted, recovered: false });
    t.strictSame(take(), ["shop/edited background"], "it may be refused yet under the policy before");
    watch.environmentChanged("a/b/c");
    t.strictSame(take(), ["shop/edited background"], "or for want of a key that has come");
  },
);

t.test("a person's demand is kept until it is met", async (t) => {
  const { bundles, memory, take } = setup();
  bundles.show(bundle({ asked: "yesterday" }), true);
  t.notOk(memory.isDemanded("shop/api"), "not one from before the start");
  take();
  bundles.show(bundle({ version: "2", asked: "now" }));
  t.strictSame(take(), ["shop/api urgent"]);
  t.ok(memory.isDemanded("shop/api"));
  memory.trying("shop/api");
  memory.settled("shop/api");
  t.notOk(memory.isDemanded("shop/api"));
});

t.test("a demand that comes while an attempt runs is not met by it", async (t) => {
  const { bundles, memory } = setup();
  bundles.show(bundle(), true);
  memory.trying("shop/api");
  bundles.show(bundle({ version: "2", asked: "now" }));
  memory.settled("shop/api");
  t.ok(memory.isDemanded("shop/api"));
  memory.trying("shop/api");
  memory.settled("shop/api");
  t.notOk(memory.isDemanded("shop/api"));
});

t.test("what is refused is tried again once a day, at a moment of its own", async (t) => {
  const { memory, clock } = setup();
  const dayMs = 24 * 3600_000;
  const firstMs = memory.retryInMs("shop/api");
  t.ok(firstMs > 0 && firstMs < dayMs);
  clock.ms = firstMs;
  memory.settled("shop/api");
  t.equal(memory.retryInMs("shop/api"), dayMs);
});

t.test(
  "no bundle is tried again soon after a start: of thousands some would be, and a restart opens nothing",
  async (t) => {
    const soonest = new BundleMemory(
      () => 0,
      () => 0,
    );
    t.ok(soonest.retryInMs("shop/api") >= 10 * 60_000);
  },
);

t.test("a name that is taken is remembered until somebody looked, or the bundle is gone", async (t) => {
  const { memory } = setup();
  memory.nameTaken("shop/a");
  memory.nameTaken("shop/b");
  t.ok(memory.isNameTaken("shop/a"));
  memory.looked("shop/a", true);
  t.notOk(memory.isNameTaken("shop/a"));
  memory.forget("shop/b");
  t.notOk(memory.isNameTaken("shop/b"));
});

t.test("a write that the watch never shows is looked at again", async (t) => {
  const { bundles, freshTargets, watch, clock, take } = setup();
  bundles.show(bundle(), true);
  take();
  freshTargets.put(secret("api", "7"));
  watch.sweep(WALL);
  t.strictSame(take(), []);
  clock.ms = 60_000;
  watch.sweep(WALL);
  t.strictSame(take(), ["shop/api background"]);
});

t.test("a clock that jumps over the moment at which something is to be said loses nothing", async (t) => {
  const { watch, memory, take } = setup();
  const later = (ms: number) => new Date(WALL.getTime() + ms);
  memory.speaksAt("shop/api", later(1000).getTime());
  memory.speaksAt("shop/far", later(9000).getTime());
  memory.speaksAt("shop/renewed", later(1000).getTime());
  memory.speaksAt("shop/renewed", undefined);
  memory.speaksAt("shop/gone", later(1000).getTime());
  memory.forget("shop/gone");
  watch.sweep(later(999));
  t.strictSame(take(), []);
  watch.sweep(later(1000));
  t.strictSame(take(), ["shop/api background"]);
  watch.sweep(later(2000));
  t.strictSame(take(), [], "what was taken waits in the queue, and is not added again");
});
