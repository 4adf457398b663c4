// A certificate that is due and whose CA does not sign: its bundle goes on, and says so.
import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { KEY, reasons, setup, WORLD, WRITING } from "../../hack/bundle-story.js";
import { madeAt, PASSWORD } from "../../hack/fixtures.generated.js";
import { bundle, NOW, withValue } from "../../hack/fixtures.js";
import type { GeneratedValues, Waiting } from "../keyring/client.types.js";
import { certificateCondition, certificateHappenings } from "./issuer.plan.js";
import { nextStatus, type Outcome } from "./secret.status.js";

const HOUR = 3_600_000;
// the operator leaves to the keyring of which rule it says that it waits
const SECRET = bundle(WORLD.environment, { A: "alpha" }, { generate: { TOKEN: PASSWORD } });
const FIRST = madeAt(SECRET, NOW);
const SECOND = madeAt(SECRET, new Date(NOW.getTime() + HOUR));

function waiting(code: "IssuerPending" | "IssuerRefused", key = "TOKEN"): Waiting {
  return { key, error: new ZoppError(code, `spec.generate.${key}: the CA does not sign`) };
}

/** A bundle whose value is in its Secret and is due; `answer` is what the keyring makes from then on. */
async function due() {
  const wall = { now: NOW };
  let answer: { generated: GeneratedValues; waiting: readonly Waiting[] } = {
    generated: { TOKEN: FIRST },
    waiting: [],
  };
  const story = setup({ bundle: SECRET, wall, generate: async () => ({ made: [], ...answer }) });
  await story.run();
  story.calls.length = 0;
  wall.now = new Date(NOW.getTime() + HOUR);
  const answers = (...each: readonly Waiting[]) => {
    answer = { generated: { TOKEN: FIRST }, waiting: each };
  };
  const makes = () => {
    answer = { generated: { TOKEN: SECOND }, waiting: [] };
  };
  return { ...story, answers, makes };
}

t.test("a certificate that waits is spoken of after a while, and nothing is opened for it", async (t) => {
  const { run, clock, answers, calls, status, events } = await due();
  answers(waiting("IssuerPending"));
  await t.rejects(run(), { code: "IssuerPending" }, "a CA that is just being made is told nobody");
  t.strictSame(calls.splice(0), ["generate"]);
  clock.ms += 5_000;
  const { requeueAfterMs = Number.POSITIVE_INFINITY } = (await run()) ?? {};
  t.ok(requeueAfterMs <= 60_000, "it is asked again");
  t.strictSame(calls.splice(0), ["generate", "apply zoppsecrets/status"]);
  t.match(reasons(status()), { Ready: "True Synced", CertificatePending: "True IssuerPending" });
  await run();
  t.strictSame(calls.splice(0), ["generate"], "and said once");
  answers(waiting("IssuerRefused"));
  await run();
  t.match(reasons(status()), { Ready: "True Synced", CertificatePending: "True IssuerRefused" });
  t.strictSame(events, ["IssuerPending", "IssuerRefused"]);
});

t.test("other changes of its bundle are published meanwhile, and it is when its CA signs", async (t) => {
  const { run, edit, answers, makes, calls, writes, status, events, bundles, memory } = await due();
  answers(waiting("IssuerPending"));
  edit(withValue(bundles.get(KEY) as ZoppSecret, "A", "other", WRITING));
  await run();
  t.strictSame(calls.splice(0), ["generate", "open", "apply secrets", "apply zoppsecrets/status"]);
  const [before, after] = writes.map(({ object }) => object.data);
  t.match(after, { A: btoa("other"), TOKEN: before?.["TOKEN"] });
  t.match(reasons(status()), { Ready: "True Synced", CertificatePending: "True IssuerPending" });
  t.strictSame(events.splice(0), ["Updated", "IssuerPending"]);
  memory.demand(KEY);
  await run();
  calls.length = 0;
  await run();
  t.strictSame(calls.splice(0), ["generate"], "what a person asked for is done once");
  makes();
  await run();
  t.not(writes.at(-1)?.object.data["TOKEN"], before?.["TOKEN"]);
  t.strictSame(reasons(status()), { Ready: "True Synced", Verified: "True Verified", Synced: "True Synced" });
  t.equal(events.at(-1), "Rotated");
});

t.test("of several certificates that wait, the condition names all, and what somebody has to do", async (t) => {
  t.equal(certificateCondition([]), undefined);
  t.match(certificateCondition([waiting("IssuerPending", "a.key"), waiting("IssuerRefused", "b.key")]), {
    type: "CertificatePending",
    status: "True",
    reason: "IssuerRefused",
    message: /^a\.key, b\.key: .*spec\.generate\.b\.key: the CA does not sign; next: have whoever may sign the CA/,
  });
});

t.test("the condition goes when nothing waits, and an Event speaks of each reason once", async (t) => {
  const outcome: Outcome = { kind: "rested" };
  const at = { now: NOW, warningMs: 0 };
  const after = (previous: SecretStatus | undefined, ...each: readonly Waiting[]) =>
    nextStatus(SECRET, previous, outcome, at, { certificates: certificateCondition(each) });
  const pending = after(undefined, waiting("IssuerPending"));
  const reasonsOf = (previous: SecretStatus | undefined, next: SecretStatus) =>
    certificateHappenings(previous, next).map(({ reason }) => reason);
  t.strictSame(reasonsOf(undefined, pending), ["IssuerPending"]);
  t.strictSame(reasonsOf(pending, after(pending, waiting("IssuerPending"))), []);
  t.strictSame(reasonsOf(pending, after(pending, waiting("IssuerRefused"))), ["IssuerRefused"]);
  t.strictSame(reasons(after(pending)), {});
  t.strictSame(reasonsOf(pending, after(pending)), []);
});
