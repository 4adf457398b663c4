// What a status that comes by the watch is a reason for: our own for nothing, somebody else's for another look.
import t from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { bundle, setup } from "./secret.watch.case.js";

t.test("a status that was written is no reason to think again", async (t) => {
  const { bundles, take } = setup();
  bundles.show(bundle(), true);
  take();
  bundles.show(bundle({ version: "2", ready: "True" }));
  t.strictSame(take(), []);
});

t.test("a status that goes back is one: an operator that led before wrote it late", async (t) => {
  const { bundles, take } = setup();
  bundles.show(bundle({ generation: 2, observed: 2 }), true);
  take();
  bundles.show(bundle({ version: "2", generation: 2, observed: 1 }));
  t.strictSame(take(), ["shop/api urgent"]);
});

t.test("also of the same generation, unless it is our own", async (t) => {
  const { bundles, freshBundles, take } = setup();
  const about = (version: string, ready: "True" | "False", resourceVersion: string): ZoppSecret => {
    const shown = bundle({ version, ready });
    return { ...shown, status: { ...shown.status, target: { name: "api", uid: "s", resourceVersion } } };
  };
  bundles.show(bundle(), true);
  take();
  bundles.show(about("1", "True", "9"));
  t.strictSame(take(), [], "the first one is none");
  bundles.show(about("2", "False", "9"));
  t.strictSame(take(), ["shop/api urgent"]);
  bundles.show(about("3", "True", "10"));
  t.strictSame(take(), []);
  bundles.show(about("4", "True", "9"));
  t.strictSame(take(), ["shop/api urgent"]);
  freshBundles.put(about("5", "False", "9"));
  bundles.show(about("5", "False", "9"));
  t.strictSame(take(), []);
});

t.test("values that somebody else put into the status are a demand, unless he leads or it is his part", async (t) => {
  const changed = (version: string): ZoppSecret => {
    const entry = { version: 1, by: "zk1", sealed: "", signature: version, to: "zk1e", made: "", rule: "" };
    return { ...bundle({ version }), status: { generated: { TOKEN: entry } } };
  };
  const { bundles, watch, memory } = setup({ leads: false });
  bundles.show(bundle(), true);
  bundles.show(changed("2"));
  t.notOk(memory.isDemanded("shop/api"), "another one leads, and made them");
  watch.lead(() => false);
  bundles.show(changed("3"));
  t.notOk(memory.isDemanded("shop/api"), "another one works on this part");
  watch.lead(() => true);
  bundles.show(changed("4"));
  t.ok(memory.isDemanded("shop/api"));
});

t.test("lost values that may have been put back while nobody led are asked for once more", async (t) => {
  const { bundles, watch, memory } = setup({ leads: false });
  const lost = {
    type: "Ready",
    status: "False",
    reason: "GeneratedLost",
    message: "",
    lastTransitionTime: "",
  } as const;
  bundles.show({ ...bundle({ name: "lost" }), status: { conditions: [lost] } }, true);
  const still = bundle({ name: "still" });
  const generate = { TOKEN: { version: 1, kind: "uuid" } } as const;
  bundles.show({ ...still, spec: { ...still.spec, generate }, status: { conditions: [lost] } }, true);
  bundles.show(bundle({ name: "other", ready: "False" }), true);
  watch.lead();
  const names = ["lost", "still", "other"].filter((name) => memory.isDemanded(`shop/${name}`));
  t.strictSame(names, ["lost"]);
});
