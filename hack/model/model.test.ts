// Random histories of a workspace, judged by the keyring's own code and by a model that shares none of its decisions: they
// must agree at every step. A failure shows fast-check's seed and path, and the shortest history that leads to it, told;
// MODEL_SEED=… lives through other histories, MODEL_STEPS=… through more of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { packageRoot } from "../package-root.js";
import { Story, type Tally } from "./steps.js";

const STEPS = Number(process.env["MODEL_STEPS"] ?? 10_000);
const SEED = Number(process.env["MODEL_SEED"] ?? 20261123);
const LONGEST = 240;
/** Histories are as short as they come; this many of the longest make the steps that are wanted. */
const HISTORIES = Math.ceil((STEPS * 3) / LONGEST);
/** Each kind of decision is reached so often in 10,000 steps. */
const LEAST = 5;

/** The decisions that the model knows; a code that only another kind of object has is not there. */
const KINDS: Readonly<Record<string, string>> = {
  workspace:
    "Forked KeyAmbiguous Malformed NamespaceConflict NotPinned PartlySigned PinMismatch PolicyGap PolicyRollback VersionTooFar",
  environment:
    "ClusterNotNamed EnvironmentOutdated EnvironmentRefused Forked GrantNotEnforceable LedgerLost Malformed NoPolicy " +
    "NotAuthorised NotServedHere PartlySigned PolicyRollback SignatureInvalid UnknownEnvironment UnknownRecipient UnknownSigner VersionTooFar",
  bundle:
    "CannotOpen ClusterNotNamed EntryMissing EnvironmentChanged EnvironmentOutdated LedgerLost Malformed NamespaceNotAllowed " +
    "NoPolicy NotAuthorised NotPinned PendingApproval PlaceMismatch PolicyExpired RollbackRefused SignatureInvalid " +
    "TargetForbidden UnknownEnvironment UnknownEpoch UnknownSigner VersionTooFar",
};

const ACCEPTED: Readonly<Record<string, readonly string[]>> = {
  workspace: ["from the pin", "a new version", "other owners", "the same"],
  environment: ["a new version", "the same"],
  bundle: ["something new", "nothing new", "approved", "author gone", "goes back", "lacks an entry", "moves"],
};

const kinds = [
  ...Object.entries(KINDS).flatMap(([kind, codes]) => codes.split(" ").map((code) => `${kind} ${code}`)),
  ...Object.entries(ACCEPTED).flatMap(([kind, ways]) => ways.map((way) => `${kind} accepted: ${way}`)),
  "restarted",
  "log lost",
];

const histories = fc.array(fc.noShrink(fc.nat(2 ** 32 - 1)), { minLength: 1, maxLength: LONGEST, size: "max" });

t.test("in any history the keyring decides as the model does, and every kind of decision comes", async (t) => {
  const tally: Tally = new Map();
  let steps = 0;
  const property = fc.asyncProperty(histories, async (seeds) => {
    const story = new Story(tally);
    await story.begin();
    for (const seed of seeds) {
      await story.step(seed);
      steps += 1;
    }
  });
  await fc.assert(property, { seed: SEED, numRuns: HISTORIES, includeErrorInReport: true });
  t.ok(steps >= STEPS, `${steps} steps in ${HISTORIES} histories, seed ${SEED}`);
  const seldom = kinds.filter((kind) => (tally.get(kind) ?? 0) < LEAST * Math.min(1, STEPS / 10_000));
  t.strictSame(seldom, [], "every kind of decision was reached");
  t.comment([...tally].map(([kind, times]) => `${kind}: ${times}`).sort());
});

t.test("the model shares no decision with what it judges", async (t) => {
  for (const file of ["reference", "reference.bundle", "reference.shape", "rights", "claims"]) {
    const source = readFileSync(join(packageRoot(), "hack", "model", `${file}.ts`), "utf8");
    const imports = [...source.matchAll(/^import (.*?) from "(.*?)";/gms)].map(([, what = "", from = ""]) => ({
      what,
      from,
    }));
    t.ok(imports.length > 0, `${file}.ts imports something`);
    for (const { what, from } of imports)
      t.ok(what.startsWith("type ") || from.startsWith("./"), `${file}.ts takes more than types from ${from}`);
  }
});
