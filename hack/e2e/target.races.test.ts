// Between the operator's look at a Secret and its write, somebody else can put another one in its place. Whatever the moment,
// that one stays as it is: the operator's own code, on a real API server, with somebody who acts in between.
import t, { type Test } from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { connect } from "../../operator/kube/client.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { NAMESPACES, SECRETS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { KEY, PLACE, release, setup, WORLD } from "../bundle-story.js";
import { startControlPlane } from "../control-plane/control-plane.js";
import { must } from "../control-plane/kubectl.js";
import { eventually } from "../eventually.js";
import { bundle } from "../fixtures.js";
import type { FoundSecret } from "../testbed.js";

const cp = await startControlPlane();
t.teardown(() => cp.stop());
await cp.applyCrds();
const client = await connect({ file: cp.kubeconfig, userAgent: "races" });
t.teardown(() => client.close());
await client.apply(NAMESPACES, { metadata: { name: PLACE.namespace } }, { fieldManager: "test" });

const kubectl = (...args: string[]) => must(cp.kubectl(["--namespace", PLACE.namespace, ...args]));
const makeTheirs = () => kubectl("create", "secret", "generic", PLACE.name, "--from-literal=THEIRS=1");
const remove = () => kubectl("delete", "secret", PLACE.name, "--ignore-not-found");
const exchange = async () => {
  await remove();
  await makeTheirs();
};
const offer = (how: "adopt" | "merge") => kubectl("annotate", "secret", PLACE.name, `zopp.dev/${how}=${PLACE.name}`);

type Deed = () => Promise<unknown>;
const nothing: Deed = async () => undefined;

/** A new bundle's story; what happens while the keyring is asked, and after the Secret was applied, can be set. */
async function newStory() {
  await remove();
  await kubectl("delete", "zs", PLACE.name, "--ignore-not-found");
  const sealed = bundle(WORLD.environment, { A: "ours" });
  const applied = await client.apply<ZoppSecret>(ZOPP_SECRETS, sealed, { fieldManager: "test" });
  const meanwhile: { asked: Deed; applied: Deed } = { asked: nothing, applied: nothing };
  const story = setup({
    bundle: applied,
    client: {
      get: (...args) => client.get(...args),
      list: (...args) => client.list(...args),
      replace: (...args) => client.replace(...args),
      apply: async (...args) => {
        const answer = await client.apply(...args);
        if (args[0] === SECRETS) await meanwhile.applied();
        return answer as never;
      },
    },
    open: async (request) => {
      await meanwhile.asked();
      return release(request, []);
    },
  });
  return { ...story, meanwhile };
}
type Story = Awaited<ReturnType<typeof newStory>>;

const found = () => client.get<FoundSecret>(SECRETS, PLACE);
const ready = async () => readyOf((await client.get<ZoppSecret>(ZOPP_SECRETS, PLACE)).status);

/** A first write of a bundle only creates, and fails where something is: then it has been seen. */
const meets = (t: Test, { run }: Story) => t.rejects(run(), { code: "ApiConflict" });

const RACES: Readonly<Record<string, (t: Test, story: Story) => Promise<unknown>>> = {
  "one that is made where there was none": async (_, { meanwhile }) => {
    meanwhile.asked = makeTheirs;
  },
  "one in place of ours": async (_, { run, memory, meanwhile }) => {
    await run();
    memory.demand(KEY);
    meanwhile.asked = exchange;
  },
  "one in place of the one that was to be taken over": async (t, story) => {
    await makeTheirs();
    await offer("adopt");
    await meets(t, story);
    story.meanwhile.asked = exchange;
  },
  "one in place of the one that was to get our keys": async (t, story) => {
    await makeTheirs();
    await offer("merge");
    await meets(t, story);
    story.meanwhile.asked = exchange;
  },
  "one in place of the one that was taken over, before the keys of others were removed": async (t, story) => {
    await makeTheirs();
    await offer("adopt");
    await meets(t, story);
    story.meanwhile.applied = exchange;
  },
};
for (const [title, begin] of Object.entries(RACES)) {
  t.test(`${title} stays as it is, and is then told of`, async (t) => {
    const story = await newStory();
    await begin(t, story);
    await t.rejects(story.run(), { code: "ApiConflict" }, "it is tried again");
    Object.assign(story.meanwhile, { asked: nothing, applied: nothing });
    const before = await found();
    t.strictSame(Object.keys(before.data ?? {}), ["THEIRS"]);
    await eventually(story.run);
    t.match(await ready(), {
      status: "False",
      reason: "TargetConflict",
      message: /is not made by zopp \(.*kubectl-create\)/,
    });
    t.strictSame(await found(), before);
  });
}

const GOES: Readonly<Record<string, Deed>> = {
  "that is deleted": nothing,
  "that is deleted and made again": () =>
    client.apply(ZOPP_SECRETS, bundle(WORLD.environment, { A: "another" }), { fieldManager: "test" }),
};
for (const [title, then] of Object.entries(GOES)) {
  t.test(
    `a bundle ${title}, which shows later than the end of its Secret, gets that Secret not once more`,
    async (t) => {
      const { run, calls, targets } = await newStory();
      await run();
      t.strictSame(calls, ["open"]);
      await kubectl("delete", "zs", PLACE.name);
      await then();
      await remove();
      targets.delete(KEY);
      await run();
      await t.rejects(found(), { code: "NotFound" });
      t.strictSame(calls, ["open"], "nor is anything released for it");
    },
  );
}

t.test("ours that is deleted while it is written again is not made again under its old name, but new", async (t) => {
  const { run, memory, meanwhile } = await newStory();
  await run();
  const { metadata } = await found();
  memory.demand(KEY);
  meanwhile.asked = remove;
  await t.rejects(run(), { code: "ApiConflict" });
  await t.rejects(found(), { code: "NotFound" });
  meanwhile.asked = nothing;
  await run();
  t.match(await ready(), { status: "True", reason: "Synced" });
  t.not((await found()).metadata.uid, metadata.uid);
});
