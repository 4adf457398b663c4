import t from "tap";
import type { ChangeHandler } from "../kube/informer.js";
import type { KubeObject } from "../kube/resources.js";
import { Freshest } from "./freshest.js";

const KEY = "shop/api";

function object(resourceVersion: string, uid = "u1"): KubeObject {
  return { metadata: { namespace: "shop", name: "api", uid, resourceVersion } };
}

function setup() {
  const clock = { ms: 0 };
  const store = new Map<string, KubeObject>();
  let tell: ChangeHandler<KubeObject> = () => {};
  const informer = {
    get: (key: string) => store.get(key),
    onChange: (handler: ChangeHandler<KubeObject>) => {
      tell = handler;
      return () => {};
    },
  };
  const freshest = new Freshest(informer, () => clock.ms);
  const own: boolean[] = [];
  freshest.onChange((change) => own.push(change.own));
  const show = (now: KubeObject | undefined) => {
    const old = store.get(KEY);
    if (now === undefined) store.delete(KEY);
    else store.set(KEY, now);
    tell(old, now, false);
  };
  const version = () => freshest.get(KEY)?.metadata.resourceVersion;
  return { freshest, own, show, version, clock };
}

t.test("an answer is known before the watch shows it, and its event is our own", async (t) => {
  const { freshest, own, show, version } = setup();
  freshest.put(object("10"));
  t.equal(version(), "10");
  show(object("10"));
  t.strictSame(own, [true]);
  t.equal(version(), "10");
});

t.test("an older version in the watch does not hide the answer", async (t) => {
  const { freshest, own, show, version } = setup();
  freshest.put(object("10"));
  show(object("9"));
  t.equal(version(), "10");
  show(object("10"));
  t.strictSame(own, [true, true]);
});

t.test("somebody's later change is not our own", async (t) => {
  const { freshest, own, show, version } = setup();
  freshest.put(object("99"));
  show(object("100"));
  t.strictSame(own, [false]);
  t.equal(version(), "100");
});

t.test("an answer that the watch has overtaken is not kept", async (t) => {
  const { freshest, show, version } = setup();
  show(object("12"));
  freshest.put(object("10"));
  t.equal(version(), "12");
});

t.test("a deletion is never our own, and ends the answer", async (t) => {
  const { freshest, own, show, version } = setup();
  show(object("9"));
  freshest.put(object("10"));
  show(undefined);
  t.strictSame(own, [false, false]);
  t.equal(version(), undefined);
});

t.test("the late end of an earlier object leaves the one that we made after it", async (t) => {
  const { freshest, own, show, version } = setup();
  show(object("9", "u1"));
  freshest.put(object("11", "u2"));
  show(undefined);
  t.strictSame(own, [false, true]);
  t.equal(version(), "11");
});

t.test("answers that the watch never confirms are dropped after a while and named", async (t) => {
  const { freshest, version, clock } = setup();
  freshest.put(object("10"));
  clock.ms = 59;
  t.strictSame(freshest.dropStale(60), []);
  clock.ms = 60;
  t.strictSame(freshest.dropStale(60), [KEY]);
  t.equal(version(), undefined);
});
