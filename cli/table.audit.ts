// The lines of the command table about the audit log.
import { ENVIRONMENT, KEYRING_OPTIONS } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

const SOURCE = [
  {
    flags: "--from <place>",
    description: "keyring (the default), cluster (its ZoppAuditSegment objects), or a file, a folder or - (stdin)",
  },
  ...KEYRING_OPTIONS,
  { flags: "--log <id>", description: "which log, where a source holds several (default: the newest)" },
];
const KEY = {
  flags: "--keyring-key <key>",
  description: "the keyring's public key, ed25519:…, instead of the policy's",
};
const WHEN = [
  { flags: "--since <time>", description: "from then on: 90m, 24h or 7d (ago), 2027-02-18, or a full UTC time" },
  { flags: "--until <time>", description: "before then" },
];
const WHO = {
  flags: "--principal <name>",
  description: "a principal, principal/device, or a ServiceAccount's whole name",
};
const WHERE = { ...ENVIRONMENT, description: "records of this environment" };
const FILTERS = [
  WHO,
  { flags: "--secret <bundle>", description: "records of this bundle: namespace/name, or its name" },
  WHERE,
  { flags: "--action <name>", description: "open, read, enrol, accept-workspace, accept-environment, …" },
  { flags: "--decision <name>", description: "released, refused, accepted or done" },
  ...WHEN,
];

/** The commands about the audit log, in the order in which help shows them. */
export const AUDIT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "audit list",
    args: "",
    summary: "list records of a keyring's audit log; from the keyring, those of your scope (role audit)",
    examples: [
      "zopp audit list --since 24h",
      "zopp audit list --decision refused -e shop/production -o json",
      "kubectl logs -n zopp-system deploy/zopp-keyring | zopp audit list --from - --principal alice",
    ],
    options: [...FILTERS, ...SOURCE],
    readsCluster: true,
  },
  {
    name: "audit tail",
    args: "",
    summary: "show records as the keyring stores them, until interrupted",
    examples: [
      "zopp audit tail",
      "zopp audit tail --decision refused -o json",
      "zopp audit tail --secret shop-prod/api --count 1",
    ],
    options: [...FILTERS, { flags: "--count <number>", description: "end after so many records" }, ...KEYRING_OPTIONS],
    readsCluster: true,
  },
  {
    name: "audit verify",
    args: "",
    summary: "check that no record was changed, dropped, moved or cut off, and that the keyring's key signed the log",
    examples: [
      "zopp audit verify",
      "zopp audit verify --from cluster --context eu-1",
      "zopp audit verify --from audit/ --checkpoint checkpoint-of-last-year --keyring-key ed25519:…",
    ],
    options: [
      { flags: "--checkpoint <file...>", description: "a checkpoint that was kept; - is stdin" },
      KEY,
      ...SOURCE,
    ],
    readsCluster: true,
  },
  {
    name: "audit who",
    args: "<secret>",
    summary: "show who was given which version of which key of a secret, when, and what that proves",
    examples: ["zopp audit who shop-prod/api", "zopp audit who api --name DB_PASSWORD --since 2027-01-01"],
    options: [{ flags: "--name <key...>", description: "only these keys" }, WHO, WHERE, ...WHEN, ...SOURCE],
    readsCluster: true,
  },
  {
    name: "audit export",
    args: "<folder>",
    summary: "write the log into a folder as C2SP tiles; run again, it grows, also past what the cluster forgot",
    examples: ["zopp audit export audit/eu-1", "zopp audit export audit/eu-1 --from keyring.log"],
    options: [KEY, ...SOURCE],
    readsCluster: true,
  },
];
