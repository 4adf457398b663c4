// Much happens to policy and bundles that no Secret would show: a next version of the workspace, and labels on every bundle.
// A real change comes last: when its Secret is there, the operator has seen everything before it.
import { amendWorkspace, workspaceContent } from "../../../crds/policy/edit.js";
import { ZOPP_SECRETS } from "../../../operator/kube/resources.js";
import type { Testbed } from "../../testbed.js";
import { versions, workspaceInForce } from "../../testbed.look.js";
import { signing } from "../../testbed.policy.js";
import { firstSync, opens, statesKept } from "../sync.js";
import { inParallel, nameOf } from "../world.js";
import { atLeast, type Measured, none } from "./rows.js";
import { type Raw, type Stage, shareOf } from "./stage.js";
import { applied, Stock, seconds } from "./stock.js";

const LIMIT = 0.6;
const LAST = nameOf(0);

/** Touches everything and changes one value. */
export async function noop(stage: Stage): Promise<Measured> {
  const { bundles: count } = stage;
  const raw = await stage.raw();
  const world = await stage.world();
  const { testbed, environments } = world;
  const stock = await Stock.layOut(testbed, environments.xwing, { namespace: "xwing-noop", count });
  await firstSync(world, [stock.namespace], count);
  // else they would be kept meanwhile
  await statesKept(world, count);
  const content = workspaceContent(testbed.workspace);
  const groups = [...(content.groups ?? []), { name: "readers", members: ["carol"] }];
  const expected = await versions(testbed, stock.namespace);
  const opened = opens(testbed.keyring);
  await testbed.amendPolicy({ workspace: amendWorkspace(testbed.workspace, { ...content, groups }, signing()) });
  await workspaceInForce(testbed);
  const last = stock.change("last", 1);
  const before = await applied(testbed);
  const touchAll = async () => {
    await touch(testbed, stock.namespace, { count, raw, expected });
    await stock.apply(last, 1);
  };
  const took = await seconds(testbed, touchAll, async () => (await applied(testbed)) > before);
  const after = await versions(testbed, stock.namespace);
  const written = [...after].filter(([name, version]) => !name.includes(LAST) && expected.get(name) !== version);
  const needless = opens(testbed.keyring) - opened - 1;
  const ratio = shareOf(raw, { edits: count + 1, others: 2 }, took);
  const figures = { bundles: count, s: took, writes: written.length, opens: needless };
  const limits = [none(written.length, "writes"), none(needless, "opens"), atLeast(ratio, LIMIT)];
  return {
    rows: [{ what: "no-op: labels and policy change", figures, ratio, limits }],
    wrong: await stock.wrong(),
  };
}

/** Sets a label on every bundle; the versions that this makes are expected. */
function touch(
  { client }: Testbed,
  namespace: string,
  { count, raw, expected }: { readonly count: number; readonly raw: Raw; readonly expected: Map<string, string> },
): Promise<void> {
  const options = { fieldManager: "gitops", metadataOnly: true };
  const one = async (at: number): Promise<void> => {
    const metadata = { name: nameOf(at), namespace, labels: { "shop.example/touched": "once" } };
    const touched = await client.apply(ZOPP_SECRETS, { metadata }, options);
    expected.set(`${ZOPP_SECRETS.plural}/${metadata.name}`, touched.metadata.resourceVersion ?? "");
  };
  return inParallel(count, one, raw.inFlight);
}
