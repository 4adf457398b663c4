// What the status of a policy object says of the keyring's word, as those read it who wait for it.
import t from "tap";
import type { ErrorCode } from "../../crds/errors.js";
import { production } from "../../hack/fixtures.js";
import type { PolicyState } from "../keyring/client.types.js";
import { nextPolicyStatus } from "./policy.js";

const NOW = new Date("2026-11-28T10:00:00Z");
const ENVIRONMENT = { ...production(), metadata: { name: "acme.shop.production", uid: "u", generation: 2 } };
const ACCEPTED = { accepted: { version: 7, digest: "d" } };

function conditions(code: ErrorCode | undefined, more: Partial<PolicyState> = {}): readonly string[] {
  const refused = code === undefined ? {} : { refused: { code, message: "why" } };
  const state = { name: "acme.shop.production", uid: "u", generation: 2, ...refused, ...more };
  const said = nextPolicyStatus(ENVIRONMENT, undefined, state, NOW)?.conditions ?? [];
  return said.map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message.split("; next")[0]}`);
}

t.test("what is refused waits for somebody, or for something that comes", async (t) => {
  t.strictSame(conditions(undefined, ACCEPTED), ["Ready=True Accepted: version 7 is in force"]);
  t.strictSame(conditions("ClusterNotNamed"), [
    "Ready=False ClusterNotNamed: why",
    "Stalled=True ClusterNotNamed: why",
  ]);
  t.strictSame(conditions("NoPolicy"), ["Ready=False NoPolicy: why", "Reconciling=True NoPolicy: why"]);
});

t.test("a baseline for an earlier keyring is no fault of this one, and may stay", async (t) => {
  t.strictSame(conditions("BaselineOutdated"), ["Ready=True BaselineOutdated: why; nothing of it is in force here"]);
});

t.test("what is another cluster's is no fault here, so that nobody waits for it", async (t) => {
  t.strictSame(conditions("NotServedHere"), ["Ready=True NotServedHere: why; nothing of it is in force here"]);
  t.strictSame(conditions("NotServedHere", ACCEPTED), ["Ready=True NotServedHere: why; version 7 stays in force"]);
});
