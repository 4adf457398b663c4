// Of bundles.json: what a baseline lets a keyring accept that it would refuse otherwise, and what it lets in nowhere.
// Which baselines are accepted is baselines.json's.
import { baseline } from "./fixtures.baseline.js";
import { withEntry } from "./fixtures.bundle.js";
import { world } from "./fixtures.js";
import { bobsJob } from "./vectors.bundles.rotated.js";
import type { BundleGiven, ObjectVector } from "./vectors.js";
import {
  bobs,
  ENVIRONMENTS,
  empty,
  good,
  later,
  ledgerOf,
  takes,
  WORKSPACES,
  withData,
  withSealed,
} from "./vectors.places.js";
import { refused } from "./vectors.world.js";

const policy = world(WORKSPACES["bob-left"], ENVIRONMENTS.usual);
const older = withSealed(empty({}, "epoch-1"), "DB_PASSWORD", {}, "epoch-1");
const { DB_USER: _, ...less } = good.spec.data ?? {};
const shrunk = withData(good, less);
const foreign = empty({ namespace: "kube-public" });
const account = empty({ target: { type: "kubernetes.io/service-account-token" } });

/** The baselines in force, by name. */
export const BASELINES = {
  bobs: baseline(policy, [bobs], { authors: ["bob"] }),
  "bobs-without-key": baseline(policy, [bobs]),
  "bobs-job": baseline(policy, [bobsJob], { authors: ["bob"] }),
  good: baseline(policy, [good]),
  older: baseline(policy, [older]),
  shrunk: baseline(policy, [shrunk]),
  foreign: baseline(policy, [foreign]),
  account: baseline(policy, [account]),
} as const;

const usual = { workspace: "usual", environment: "usual" } as const;
const left = { workspace: "bob-left", environment: "usual" } as const;

/** Bundles that a baseline in force lists, or does not. */
export function listed(): readonly ObjectVector<BundleGiven>[] {
  return [...accepts(), ...refuses()];
}

function accepts(): readonly ObjectVector<BundleGiven>[] {
  return [
    takes("listed-author-left", "bob has left: the baseline has his key", { ...left, baseline: "bobs", object: bobs }),
    takes("listed-grant-ended", "the grant's end has come, and the policy has his key", {
      ...usual,
      workspace: "grant-ended",
      baseline: "bobs",
      object: bobs,
    }),
    takes("listed-unapproved", "what is listed needs no approval", {
      ...usual,
      workspace: "approval-of-one",
      baseline: "good",
      object: good,
    }),
    takes("listed-older-epoch", "nor the newest epoch", { ...usual, baseline: "older", object: older }),
    takes("lost-listed", "a keyring that lost its log takes what is listed", {
      ...usual,
      baseline: "good",
      ledgerLost: true,
      object: good,
    }),
  ];
}

function refuses(): readonly ObjectVector<BundleGiven>[] {
  const swapped = withEntry(bobs, "DB_USER", { signature: bobs.spec.header.signature });
  return [
    refused<BundleGiven>("listed-without-key", "his signature must be checked all the same", "UnknownSigner", {
      ...left,
      baseline: "bobs-without-key",
      object: bobs,
    }),
    refused("other-listed", "another bundle is listed at its place", "UnknownSigner", {
      ...left,
      baseline: "good",
      object: bobs,
    }),
    refused("listed-and-changed", "one entry was written since: no part of it is listed", "UnknownSigner", {
      ...left,
      baseline: "bobs",
      object: withSealed(bobs, "IMAGE_TAG"),
    }),
    refused("listed-forged", "a digest says nothing of signatures: one does not hold", "SignatureInvalid", {
      ...left,
      baseline: "bobs",
      object: swapped,
    }),
    refused("listed-replayed", "the order of versions is judged as ever", "RollbackRefused", {
      ...usual,
      baseline: "good",
      ledger: ledgerOf(later),
      object: good,
    }),
    refused("listed-vanished", "so is an entry that is gone", "EntryMissing", {
      ...usual,
      baseline: "shrunk",
      ledger: ledgerOf(good),
      object: shrunk,
    }),
    refused("listed-in-another-namespace", "namespaces bind what is listed", "NamespaceNotAllowed", {
      ...usual,
      baseline: "foreign",
      object: foreign,
    }),
    refused("listed-target", "so do targets", "TargetForbidden", { ...usual, baseline: "account", object: account }),
    refused("listed-under-expired", "an expired policy accepts nothing new", "PolicyExpired", {
      ...usual,
      workspace: "expired",
      baseline: "good",
      object: good,
    }),
    refused("lost", "a keyring that lost its log takes nothing by itself", "LedgerLost", {
      ...usual,
      ledgerLost: true,
      object: good,
    }),
    refused("lost-and-changed", "nor what was changed after it was listed", "LedgerLost", {
      ...usual,
      baseline: "good",
      ledgerLost: true,
      object: later,
    }),
  ];
}
