// The lines of the command table about clusters: their keyrings, what they are given, and what is kept for the day they are lost.
import { KEYRING_PLACE, RECOVERY, YES } from "./table.options.js";
import type { CommandSpec, OptionSpec } from "./table.types.js";

/** What a keyring says of itself, and how a person knows that it is the keyring's. */
const PUBLISHED: readonly OptionSpec[] = [
  { flags: "--from <file>", description: "the ConfigMap zopp-cluster as YAML or JSON; - is stdin" },
  { flags: "--keyring-namespace <name>", description: "where that ConfigMap is (default: zopp-system)" },
  {
    flags: "--fingerprint <groups>",
    description: "the fingerprint that the keyring's own log shows, instead of a question",
  },
  YES,
];
/** How a keyring gets environment keys, and what others wrote who left. */
const WRAPPING: readonly OptionSpec[] = [
  {
    flags: "--through <cluster>",
    description: "the cluster whose keyring wraps the keys that do not open here (default: the only other one)",
  },
  { flags: "--through-context <name>", description: "the kubeconfig context that leads to that keyring" },
  { flags: "--keyring <host:port>", description: "where that keyring is, if not where policy says" },
  {
    flags: "--base <revision...>",
    description: "git revisions whose policies name authors who left, for the baseline",
  },
  RECOVERY,
];

/** The commands about clusters, in the order in which help shows them. */
export const CLUSTER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "cluster add",
    args: "<name>",
    summary: "let a cluster's keyring serve environments: name it in policy and wrap their keys to it",
    examples: [
      "zopp cluster add eu-1 --context eu-1",
      "zopp cluster add eu-1 --from zopp-cluster.yaml -e shop/dev --yes",
      "zopp cluster add eu-2 --context eu-2 --through eu-1",
      "zopp cluster add eu-1 --context eu-1 --replace --recovery-file recovery.txt",
    ],
    options: [
      ...PUBLISHED,
      { flags: "-e, --environment <path...>", description: "only these environments (default: all of the workspace)" },
      { flags: "--endpoint <host:port>", description: "where people reach the keyring" },
      {
        flags: "--replace",
        description: "put these keys in the place of other ones that the policy has for that name",
      },
      ...WRAPPING,
    ],
    readsCluster: true,
  },
  {
    name: "cluster remove",
    args: "<name>",
    summary: "take a cluster out of the policy and its wraps out of all environments",
    examples: ["zopp cluster remove eu-2"],
    options: [],
  },
  {
    name: "policy offer",
    args: "",
    summary: "bring the signed policy of the store to keyrings at once; they judge it as if it lay in the cluster",
    examples: ["zopp policy offer", "zopp policy offer --cluster eu-1 --keyring localhost:8443"],
    options: [
      { flags: "--cluster <name...>", description: "only these clusters (default: all of the policy)" },
      ...KEYRING_PLACE,
    ],
  },
  {
    name: "baseline create",
    args: "[path]",
    summary: "sign what a new keyring would refuse of an environment because who wrote it may write no more",
    examples: ["zopp baseline create shop/production", "zopp baseline create shop/production --base v2026.1"],
    options: [
      {
        flags: "--base <revision...>",
        description: "git revisions whose policies let the authors write what they may write no more",
      },
      { flags: "--all", description: "list every bundle: for a keyring that lost its log, which takes nothing else" },
    ],
  },
  {
    name: "baseline approve",
    args: "[path]",
    summary: "sign an environment's baseline as an approver, once what it lists lies here unchanged",
    examples: ["zopp baseline approve shop/production"],
    options: [],
  },
  {
    name: "keys drill",
    args: "",
    summary: "prove that the recovery key opens every epoch of every environment",
    examples: ["zopp keys drill --recovery-file recovery.txt", "zopp keys drill --recovery-file - -o json"],
    options: [{ ...RECOVERY, description: "a file with the recovery key; - is stdin (default: it is asked for)" }],
  },
  {
    name: "keys replace",
    args: "[name]",
    summary: "put another recovery key in the place of one: in the policy, and in every environment",
    examples: ["zopp keys replace --recovery-file recovery.txt --new-recovery-file recovery-2.txt"],
    options: [
      { ...RECOVERY, description: "a file with the present recovery key, which opens what your own key does not" },
      {
        flags: "--new-recovery-file <file>",
        description: "write the new recovery key there; it must not be there yet",
      },
    ],
  },
  {
    name: "keys renew",
    args: "<cluster>",
    summary: "put the new key of a cluster's keyring in the place of its old one, once the keyring has another seed",
    examples: [
      "zopp keys renew eu-1 --context eu-1 --recovery-file recovery.txt",
      "zopp keys renew eu-1 --context eu-1 --through eu-2 --base v2026.1",
    ],
    options: [...PUBLISHED, ...WRAPPING],
    readsCluster: true,
  },
];
