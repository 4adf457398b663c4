// Our vectors with whole objects: that the functions which decide in production decide as the vectors say.
// hack/oracle/oracle.test.ts asks an implementation that shares no code with ours for the digests and signatures.
import t, { type Test } from "tap";
import {
  type BaselineGiven,
  type BundleGiven,
  type EnvironmentGiven,
  type LedgerGiven,
  type ObjectVectors,
  readObjectVectors,
  type WorkspaceGiven,
} from "../../hack/vectors.js";
import type { PlaceLedger } from "../bundle/case.js";
import { verifyBundle } from "../bundle/verify.js";
import { ZoppError } from "../errors.js";
import { type AcceptedBaseline, judgeBaseline, readBaseline, versionOfLog } from "../policy/baseline.js";
import { type AcceptedEnvironment, judgeEnvironment, readEnvironment } from "../policy/environment.js";
import { parsePin } from "../policy/pin.js";
import { type AcceptedWorkspace, judgeWorkspace, readWorkspace } from "../policy/workspace.js";
import { parseBaseline, parseEnvironment, parseSecret, parseWorkspace } from "../validate.js";

/** The digest of what is accepted, or the code of what is refused; any error but a ZoppError goes through. */
function outcome(decide: () => { readonly digest: string }): { digest: string } | { code: string } {
  try {
    return { digest: decide().digest };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return { code: error.code };
  }
}

function decidesAll<G>(
  t: Test,
  { vectors }: ObjectVectors<G>,
  decide: (given: G & { now: Date; object: unknown }) => { readonly digest: string },
): void {
  for (const { name, why, given, expected } of vectors) {
    const found = outcome(() => decide({ ...given, now: new Date(given.now) }));
    t.strictSame(found, expected, `${name}: ${why}`);
  }
}

const workspaces = readObjectVectors<WorkspaceGiven>("workspaces.json");
t.test("workspaces", async (t) => {
  const read = (name: string): AcceptedWorkspace => readWorkspace(parseWorkspace(workspaces.object(name)));
  decidesAll(t, workspaces, ({ pin, accepted, now, object }) =>
    judgeWorkspace({
      candidate: parseWorkspace(object),
      pin: pin === undefined ? undefined : parsePin(pin),
      accepted: accepted === undefined ? undefined : read(accepted),
      now,
    }),
  );
});

const environments = readObjectVectors<EnvironmentGiven>("environments.json");
t.test("environments", async (t) => {
  const read = (name: string): AcceptedEnvironment => readEnvironment(parseEnvironment(environments.object(name)));
  decidesAll(t, environments, ({ workspace, accepted, now, object }) =>
    judgeEnvironment({
      candidate: parseEnvironment(object),
      workspace: readWorkspace(parseWorkspace(environments.object(workspace))),
      accepted: accepted === undefined ? undefined : read(accepted),
      now,
    }),
  );
});

const baselines = readObjectVectors<BaselineGiven>("baselines.json");
t.test("baselines", async (t) => {
  const read = (name: string): AcceptedBaseline => readBaseline(parseBaseline(baselines.object(name)));
  decidesAll(t, baselines, ({ workspace, environment, accepted, log = "", now, object }) =>
    judgeBaseline({
      candidate: parseBaseline(object),
      workspace: readWorkspace(parseWorkspace(baselines.object(workspace))),
      environment: readEnvironment(parseEnvironment(baselines.object(environment))),
      accepted: accepted === undefined ? undefined : read(accepted),
      since: versionOfLog(log),
      now,
    }),
  );
});

function ledgerOf({ entries, ...ledger }: LedgerGiven): PlaceLedger {
  return { ...ledger, entries: new Map(Object.entries(entries)) };
}

const bundles = readObjectVectors<BundleGiven>("bundles.json");
t.test("bundles", async (t) => {
  decidesAll(t, bundles, ({ workspace, environment, ledger, baseline, ledgerLost, now, object, ...more }) =>
    verifyBundle({
      ...more,
      secret: parseSecret(object),
      workspace: readWorkspace(parseWorkspace(bundles.object(workspace))),
      environment: readEnvironment(parseEnvironment(bundles.object(environment))),
      ledger: ledger === undefined ? undefined : ledgerOf(ledger),
      baseline: baseline === undefined ? undefined : readBaseline(parseBaseline(bundles.object(baseline))),
      acceptsNew: ledgerLost !== true,
      now,
    }),
  );
});

t.test("none of the vectors is lost", async (t) => {
  const counts = [workspaces, environments, baselines, bundles].map(({ vectors }: ObjectVectors<unknown>) => [
    vectors.filter(({ expected }) => "digest" in expected).length,
    vectors.filter(({ expected }) => "code" in expected).length,
  ]);
  t.strictSame(counts, [
    [12, 42],
    [12, 42],
    [12, 41],
    [28, 113],
  ]);
});
