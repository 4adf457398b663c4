// An environment gets a new key: `zopp environment rekey` seals every value again, and all of it is applied at once.
// No value changes, so no Secret may be written.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDirectory } from "../../../cli/store/directory.js";
import { readEnvironment } from "../../../crds/policy/environment.js";
import type { ZoppEnvironment, ZoppSecret } from "../../../crds/types.gen.js";
import { ZOPP_ENVIRONMENTS } from "../../../operator/kube/resources.js";
import { versions } from "../../testbed.look.js";
import { type Manifests, rekeyed } from "../rekey.js";
import { firstSync, opens, statesKept } from "../sync.js";
import { environmentNamed } from "../world.js";
import { atLeast, type Measured, none } from "./rows.js";
import { type Stage, shareOf } from "./stage.js";
import { applyAll, Stock, seconds } from "./stock.js";

const PATH = "acme/shop/rekeyed";
const NAMESPACE = "rekeyed-all";
/** zopp writes an Event and a kept state as well as a status, so two of four writes with the edit; of that three quarters. */
const LIMIT = 0.3;

/** Rekeys all bundles of an environment. */
export async function epoch(stage: Stage): Promise<Measured> {
  const { bundles: count } = stage;
  const raw = await stage.raw();
  const world = await stage.world();
  const { testbed } = world;
  const environment = environmentNamed(testbed, "rekeyed", "xwing", "direct");
  await testbed.apply(ZOPP_ENVIRONMENTS, environment);
  const stock = await Stock.layOut(testbed, readEnvironment(environment), { namespace: NAMESPACE, count });
  await firstSync(world, [NAMESPACE], count);
  // else they would be kept meanwhile
  await statesKept(world, count);
  stage.say(`rekeying ${count} bundles in a directory`);
  const manifests = { workspace: testbed.workspace, environment, bundles: stock.bundles };
  const made = await rekey(manifests, stage.cli);
  const [before, opened] = [await secretVersions(), opens(testbed.keyring)];
  const took = await seconds(
    testbed,
    async () => {
      await testbed.apply(ZOPP_ENVIRONMENTS, made.environment);
      await applyAll(testbed, made.bundles, raw.inFlight);
    },
    async () => opens(testbed.keyring) >= opened + count,
  );
  const after = await secretVersions();
  const written = [...after].filter(([name, version]) => before.get(name) !== version).length;
  const ratio = shareOf(raw, { edits: count, others: count }, took);
  const figures = { bundles: count, s: took, "bundles/s": count / took, "Secrets written": written };
  const limits = [none(written, "Secrets written"), atLeast(ratio, LIMIT)];
  return {
    rows: [{ what: "key-epoch change of every bundle", figures, ratio, limits }],
    wrong: [...(await stock.wrong()), ...(await unready(made.bundles))],
  };

  async function secretVersions(): Promise<Map<string, string>> {
    const all = await versions(testbed, NAMESPACE);
    return new Map([...all].filter(([name]) => name.startsWith("secrets/")));
  }

  async function unready(bundles: readonly ZoppSecret[]): Promise<readonly string[]> {
    const found = bundles.at(-1)?.metadata.name ?? "";
    return testbed.settled("Synced", found, NAMESPACE).then(
      () => [],
      (error: unknown) => [String(error)],
    );
  }
}

/** Environment and bundles as the command leaves them in files. */
async function rekey(manifests: Manifests, cli: Stage["cli"]): Promise<Pick<Manifests, "environment" | "bundles">> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-epoch-"));
  try {
    await rekeyed(folder, PATH, manifests, cli);
    const { objects } = await openDirectory({ root: join(folder, "zopp"), cwd: folder }).contents();
    const environment = objects.find(({ kind }) => kind === "ZoppEnvironment")?.value as ZoppEnvironment;
    const bundles = objects.filter(({ kind }) => kind === "ZoppSecret").map(({ value }) => value as ZoppSecret);
    return { environment, bundles };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
