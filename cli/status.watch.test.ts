// What of a state is news, for people and for programs. That changes of a cluster are seen is hack/e2e/status.watch.slow.ts.
import t from "tap";
import { ZoppError } from "../crds/errors.js";
import { startControlPlane } from "../hack/control-plane/control-plane.js";
import { eventually } from "../hack/eventually.js";
import { acme } from "../hack/fixtures.js";
import { connect } from "../operator/kube/client.js";
import { ZOPP_WORKSPACES } from "../operator/kube/resources.js";
import { Workbench } from "./run.case.js";
import { startSession } from "./session.js";
import { type BundleStatus, inWords, jsonNews, type Status, textNews, watchStatus } from "./status.watch.js";

function bundle(name: string, reason: string, message = ""): BundleStatus {
  const status = reason === "Synced" ? "True" : "False";
  return { bundle: name, problems: [], conditions: [{ type: "Ready", status, reason, message }] };
}

const state = (...bundles: readonly BundleStatus[]): Status => ({
  data: { bundles, problems: [] },
  human: ["BUNDLE  REASON", ...bundles.map(({ bundle, conditions }) => `${bundle}  ${conditions[0]?.reason}`)],
});
const [api, web] = [bundle("shop/api", "Synced"), bundle("shop/web", "Synced")];
const broken = bundle("shop/web", "SignatureInvalid", "entry A: by nobody");

t.test("a program hears every bundle once, then what changed and what is gone", async (t) => {
  const read = (lines: readonly string[]) => lines.map((line) => JSON.parse(line));
  t.strictSame(read(jsonNews(undefined, state(api, web))), [api, web]);
  t.strictSame(jsonNews(state(api, web), state(api, web)), []);
  t.strictSame(read(jsonNews(state(api, web), state(api, broken))), [broken]);
  t.strictSame(read(jsonNews(state(api, web), state(api))), [{ bundle: "shop/web", gone: true }]);
});

t.test(
  "what is wrong stands below the table in words, with the next step, and nothing where all is well",
  async (t) => {
    t.strictSame(inWords(state(api, web)), state(api, web).human);
    t.match(inWords(state(api, broken)).slice(3), [
      "shop/web: SignatureInvalid: the cluster: entry A: by nobody",
      /^ {2}next: \S/,
    ]);
  },
);

t.test("what waits for somebody beside a bundle that is ready is said too, each thing once", async (t) => {
  const message = "the Job shop/api-rotate failed; next: read the log of the Job";
  const waits = { type: "RotationPending", status: "True", reason: "RotationFailed", message };
  const ready = { ...api, conditions: [...api.conditions, waits, { ...waits, type: "Verified", reason: "Verified" }] };
  const said = [
    "shop/api: RotationFailed: the cluster: the Job shop/api-rotate failed",
    "  next: read the log of the Job",
  ];
  t.strictSame(inWords(state(ready)).slice(2), said);
  const first = { ...ready, conditions: [{ ...waits, type: "Ready", status: "False" }, waits] };
  t.strictSame(inWords(state(first)).slice(2), said);
  t.strictSame(inWords(state({ ...api, conditions: [...api.conditions, { ...waits, status: "False" }] })).slice(2), []);
});

t.test("where nothing can be drawn over, only lines that were not there before are said", async (t) => {
  t.strictSame(textNews(state(api, web), state(api, web)), []);
  t.match(textNews(state(api, web), state(api, broken)), [
    "shop/web  SignatureInvalid",
    "shop/web: SignatureInvalid: the cluster: entry A: by nobody",
    /^ {2}next: /,
  ]);
});

t.test("what cannot be told of a change ends the watch with its error", async (t) => {
  const controlPlane = await startControlPlane();
  t.teardown(() => controlPlane.stop());
  await controlPlane.applyCrds();
  const { kubeconfig } = controlPlane;
  const client = await connect({ file: kubeconfig, userAgent: "test" });
  t.teardown(() => client.close());
  const session = await startSession(new Workbench(t).context(), { store: "cluster", kubeconfig });
  t.teardown(() => session.close());
  let looks = 0;
  const watching = watchStatus(session, { store: await session.store(), namespace: undefined }, () => {
    looks += 1;
    if (looks > 1) throw new ZoppError("FileExposed", "the pins may be written by others");
    return state();
  });
  const ended = t.rejects(watching, { code: "FileExposed" });
  await eventually(() => looks === 1);
  await client.create(ZOPP_WORKSPACES, acme());
  await ended;
});
