// When a restart is due, and what becomes of each workload: tables beside the rules.
import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { SecretStatus } from "../../crds/types.gen.js";
import {
  contentDigest,
  type Decision,
  nextRestarts,
  notRestarted,
  pending,
  planRestarts,
  type RestartSituation,
} from "./restart.plan.js";
import type { Outcome } from "./secret.status.js";
import type { Workload } from "./workload.js";

const synced = (resourceVersion: string, uid = "u"): Outcome => ({
  kind: "synced",
  digest: "d",
  policy: [],
  target: { uid, resourceVersion },
  entries: 1,
});
const refused: Outcome = { kind: "refused", error: new ZoppError("UnknownSigner", "no"), stage: "verify", policy: [] };
const rested: Outcome = { kind: "rested" };

/** A status whose Secret is at version 5 and holds the content `one`. */
function status(restarts: SecretStatus["restarts"], ready: "True" | "False" = "True"): SecretStatus {
  const at = { reason: "Synced", message: "", lastTransitionTime: "2026-11-27T00:00:00Z" };
  return {
    target: { name: "api", uid: "u", resourceVersion: "5" },
    ...(restarts === undefined ? {} : { restarts }),
    conditions: [{ type: "Ready", status: ready, ...at }],
  };
}

const BASE = {
  content: "one",
  previous: status({ content: "one" }),
  outcome: synced("6"),
  secret: "api",
  done: undefined,
};

const NEXT: Record<string, readonly [given: Partial<RestartSituation>, restarts: SecretStatus["restarts"]]> = {
  "a first Secret calls for none": [{ previous: undefined }, { content: "one" }],
  "nor does one that was there before restarts were turned on": [{ previous: status(undefined) }, { content: "one" }],
  "which is found without a write": [{ previous: status(undefined), outcome: rested }, { content: "one" }],
  "other content in a Secret that was written calls for one": [{ content: "two" }, { content: "two", due: "two" }],
  "the same values sealed again change no Secret": [{ content: "two", outcome: synced("5") }, { content: "two" }],
  "a repair writes the same content": [{}, { content: "one" }],
  "one of another name is a first one": [
    { content: "two", secret: "web", outcome: synced("9", "other") },
    { content: "two" },
  ],
  "one that was deleted, and made again of other content, calls for one": [
    { content: "two", outcome: synced("9", "other") },
    { content: "two", due: "two" },
  ],
  "of the same content it calls for none": [{ outcome: synced("9", "other") }, { content: "one" }],
  "and what was due stays due": [
    { previous: status({ content: "one", due: "one" }), outcome: synced("9", "other") },
    { content: "one", due: "one" },
  ],
  "what is due stays due": [
    { previous: status({ content: "one", due: "one" }), outcome: rested },
    { content: "one", due: "one" },
  ],
  "also when the values are sealed again meanwhile": [
    { content: "two", previous: status({ content: "one", due: "one" }), outcome: synced("5") },
    { content: "two", due: "one" },
  ],
  "a newer change takes its place": [
    { content: "two", previous: status({ content: "one", due: "one" }), done: "one" },
    { content: "two", due: "two" },
  ],
  "what is done is due no longer": [
    { previous: status({ content: "one", due: "one" }), outcome: rested, done: "one" },
    { content: "one" },
  ],
  "what is refused says nothing of the Secret": [{ content: "two", outcome: refused }, { content: "one" }],
  "nor does a thought about what was refused": [
    { content: "two", previous: status({ content: "one" }, "False"), outcome: rested },
    { content: "one" },
  ],
  "and what was due before is still done": [
    { content: undefined, previous: status({ content: "one", due: "one" }), outcome: refused, done: "one" },
    { content: "one" },
  ],
  "a bundle that asks for none keeps nothing": [
    { content: undefined, previous: status({ content: "one", due: "one" }) },
    undefined,
  ],
  "one that begins to ask begins anew": [{ content: "two", previous: status(undefined) }, { content: "two" }],
};
for (const [title, [given, expected]] of Object.entries(NEXT)) {
  t.test(title, async (t) => t.strictSame(nextRestarts({ ...BASE, ...given }), expected));
}

t.test("the digest follows entries and templates, and nothing else", async (t) => {
  const spec = { environment: "", header: { version: 1, by: "", signature: "" } };
  const entries = (hash: string) => new Map([["A", { hash }]]);
  const one = contentDigest(spec, entries("1"));
  t.match(one, /^[0-9a-f]{32}$/);
  t.equal(contentDigest({ ...spec, target: { labels: { a: "b" } } }, entries("1")), one);
  t.not(contentDigest(spec, entries("2")), one);
  t.not(contentDigest({ ...spec, render: { B: "x" } }, entries("1")), one);
});

function workload(changes: Partial<Workload> = {}): Workload {
  const base = { kind: "deployments", namespace: "shop", name: "api", uid: "u", resourceVersion: "1" } as const;
  return { ...base, secrets: ["a", "b"], mark: "", idle: undefined, trouble: undefined, ...changes };
}

const DUE = new Map([["a", "a2"]]);
const NOTHING = undefined;
const PLANNED: Record<
  string,
  readonly [workload: Workload, due: ReadonlyMap<string, string>, step: object | undefined]
> = {
  "a workload that uses the Secret is marked": [workload(), DUE, { do: "restart", mark: "a=a2" }],
  "what it was restarted for otherwise stays": [
    workload({ mark: "a=a1,b=b1,gone=g1" }),
    DUE,
    { do: "restart", mark: "a=a2,b=b1" },
  ],
  "several changes are one mark": [
    workload(),
    new Map([
      ["b", "b2"],
      ["a", "a2"],
    ]),
    { do: "restart", mark: "a=a2,b=b2" },
  ],
  "one that was restarted for it already is left alone": [workload({ mark: "a=a2" }), DUE, NOTHING],
  "so is one that uses other Secrets": [workload({ secrets: ["b"] }), DUE, NOTHING],
  "a mark that somebody spoilt is no reason to fail": [
    workload({ mark: "=,,x" }),
    DUE,
    { do: "restart", mark: "a=a2" },
  ],
  "one in trouble waits": [workload({ trouble: "broken" }), DUE, { do: "wait", why: "broken" }],
  "one that opted out is skipped, in trouble or not": [
    workload({ trouble: "broken", idle: "no" }),
    DUE,
    { do: "skip", why: "no" },
  ],
};
for (const [title, [given, due, step]] of Object.entries(PLANNED)) {
  t.test(title, async (t) => t.strictSame(planRestarts([given], due, 10)[0]?.step, step));
}

t.test("no more than allowed are restarted; those that wait or are skipped do not count", async (t) => {
  const all = [workload({ trouble: "x" }), workload({ idle: "x" }), workload(), workload(), workload()];
  t.strictSame(
    planRestarts(all, DUE, 2).map(({ step }) => step.do),
    ["wait", "skip", "restart", "restart", "wait"],
  );
});

t.test("the condition names what waits, why, and what to do", async (t) => {
  const waits = (step: Decision["step"], name = "api"): Decision => ({
    workload: workload({ name }),
    secrets: ["a"],
    step,
  });
  t.equal(pending("a", []), undefined);
  t.match(pending("a", [waits({ do: "wait", why: "its rollout does not progress" })]), {
    type: "RestartPending",
    status: "True",
    reason: "RolloutUnfinished",
    message: /^the Secret a has changed .* deployment\/api \(its rollout does not progress\); next: /,
  });
  const many = Array.from({ length: 7 }, (_, at) => waits({ do: "refused", why: "no", next: "give it" }, `w${at}`));
  t.match(pending("a", many), {
    reason: "RestartRefused",
    message: /deployment\/w4 \(no\) and 2 more; next: give it$/,
  });
});

t.test("the next step of what was not restarted is by its cause", async (t) => {
  const refusedFor = (code: "ApiRefused" | "ApiInvalid") => {
    const step = notRestarted(new ZoppError(code, "no"));
    return step.do === "refused" ? step.next : "";
  };
  t.match(refusedFor("ApiRefused"), /right to patch .*operator\.restarts.*admission/);
  t.match(refusedFor("ApiInvalid"), /admission policy/);
  t.notMatch(refusedFor("ApiInvalid"), /operator\.restarts/, "the right is there");
  t.match(notRestarted(new ZoppError("ApiConflict", "no")), { do: "wait", why: "it changed meanwhile" });
  t.match(notRestarted(new ZoppError("ApiUnreachable", "no")), { do: "wait" });
});
