// The command table: every verb with its arguments, options, one-line purpose and examples.
// Where their code is stands in load.ts: `zopp --help` and completion load nothing of it.
import { AUDIT_COMMANDS } from "./table.audit.js";
import { CLUSTER_COMMANDS } from "./table.clusters.js";
import { DOCTOR_COMMANDS } from "./table.doctor.js";
import { EXPIRY_COMMANDS } from "./table.expiry.js";
import { GENERATE_COMMANDS } from "./table.generate.js";
import { HISTORY_COMMANDS } from "./table.history.js";
import { JOINING_COMMANDS } from "./table.joining.js";
import { ENVIRONMENT, KEYRING_OPTIONS, NAMESPACE, ONLY_NAMESPACE, RECOVERY, YES } from "./table.options.js";
import { PEOPLE_COMMANDS } from "./table.people.js";
import { READING_COMMANDS } from "./table.reading.js";
import { ROTATION_COMMANDS } from "./table.rotation.js";
import type { CommandSpec, OptionSpec } from "./table.types.js";

/** Options that every command has. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: "-C, --store <place>", description: "a directory of manifests, cluster, or cluster:CONTEXT (ZOPP_STORE)" },
  { flags: "--context <name>", description: "work on the cluster of this kubeconfig context" },
  { flags: "--kubeconfig <file>", description: "the kubeconfig of the cluster (default: KUBECONFIG)" },
  { flags: "--workspace <name>", description: "the workspace (ZOPP_WORKSPACE, zopp.yaml)" },
  {
    flags: "-o, --output <format>",
    description: "how results are printed",
    choices: ["human", "json", "yaml", "name"],
  },
];

const KEM = {
  flags: "--kem <kind>",
  description: "xwing (post-quantum hybrid, the default) or x25519 (compact)",
  choices: ["xwing", "x25519"],
};
/** What the commands that share a first word are about. */
export const GROUPS: Readonly<Record<string, string>> = {
  cluster: "add and remove clusters, whose keyrings serve environments",
  policy: "change owners, sign what waits for several of them, bring policy to keyrings",
  baseline: "list what a new keyring may have though its authors have left",
  keys: "try the recovery key before it is needed, replace it, renew the key of a cluster",
  environment: "make environments, and give them new keys",
  principal: "list, add, admit and remove people, services and workloads",
  device: "add and remove devices of principals",
  group: "list, fill and empty groups of principals",
  token: "make, list and revoke tokens of services, for CI",
  invite: "make, list and revoke invites of people",
  rotation: "have a job bring new generated values to where they are checked",
  audit: "list, follow, verify and export the audit log",
};

/** Every command, in the order in which help shows them. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "init",
    args: "<path>",
    summary: "make an identity, a workspace and its first environment (WORKSPACE[/PROJECT/ENVIRONMENT])",
    examples: ["zopp init acme", "zopp init acme/shop/dev --namespace shop-dev --recovery-file recovery.txt"],
    options: [
      { flags: "-n, --namespace <name...>", description: "the namespaces that the environment serves" },
      { flags: "--name <principal>", description: "your name in the workspace (default: your user name)" },
      { flags: "--device <name>", description: "this device's name (default: the machine's)" },
      { flags: "--recovery-file <file>", description: "write the recovery key there instead of showing it" },
      KEM,
    ],
  },
  {
    name: "trust",
    args: "[pin|workspace]",
    summary: "pin a workspace that you were told of out of band; or show the pins, or that of one workspace",
    examples: ["zopp trust acme@7:<digest>", "zopp trust", "zopp trust acme", "zopp trust --remove acme"],
    options: [
      { flags: "--remove", description: "forget the pin of the named workspace" },
      { flags: "--replace", description: "put this pin in the place of one with other owners" },
    ],
  },
  ...CLUSTER_COMMANDS,
  {
    name: "environment create",
    args: "<path>",
    summary: "make an environment with a key of its own, for the namespaces that it serves",
    examples: [
      "zopp environment create shop/production --namespace shop-prod --cluster eu-1",
      "zopp environment create shop/test --namespace shop-test --access direct",
    ],
    options: [
      { flags: "-n, --namespace <name...>", description: "namespaces it serves: a name, or a prefix and a final *" },
      { flags: "--access <kind>", description: "brokered (the default) or direct", choices: ["brokered", "direct"] },
      { flags: "--cluster <name...>", description: "clusters whose keyrings serve it" },
      { flags: "--approvals <count>", description: "how many approvers must sign what somebody writes in it" },
      { flags: "--approver <subject...>", description: "who may approve: principals or group:NAME" },
      KEM,
    ],
  },
  {
    name: "environment rekey",
    args: "[path]",
    summary: "give an environment a new key and seal all its values to it again; interrupted, run it again",
    examples: [
      "zopp environment rekey shop/production --recovery-file recovery.txt",
      "zopp environment rekey shop/dev --base HEAD~1",
    ],
    options: [
      RECOVERY,
      { ...KEM, description: "xwing (post-quantum hybrid) or x25519 (compact); default: as before" },
      {
        flags: "--base <revision...>",
        description:
          "git revisions that hold values of authors who left, beside a policy that names them (default: HEAD)",
      },
    ],
  },
  ...PEOPLE_COMMANDS,
  ...JOINING_COMMANDS,
  {
    name: "set",
    args: "<bundle> [key...]",
    summary: "seal and sign a value; it is read from a hidden prompt, stdin or a file, never from the command line",
    examples: [
      "zopp set api DB_PASSWORD",
      "openssl rand -hex 32 | zopp set shop-dev/api SESSION_KEY",
      "zopp set api tls.crt --from-file tls.crt",
      "zopp set api --dotenv .env",
      "zopp set api --sign-header",
    ],
    options: [
      { flags: "--from-file <file>", description: "the value's bytes, as they are; - is stdin" },
      { flags: "--dotenv <file>", description: "several values: lines of KEY=VALUE; - is stdin" },
      { flags: "--exact", description: "keep a final newline of stdin" },
      {
        flags: "--expires <time>",
        description: "when the value should be rotated: 90d, 2027-02-18 or a full UTC time",
      },
      ENVIRONMENT,
      NAMESPACE,
      { flags: "--target <name>", description: "new bundle: the Secret's name (default: the bundle's)" },
      { flags: "--type <type>", description: "new bundle: the Secret's type (default: Opaque)" },
      { flags: "--label <name=value...>", description: "new bundle: labels of the Secret" },
      { flags: "--annotation <name=value...>", description: "new bundle: annotations of the Secret" },
      {
        flags: "--deletion <policy>",
        description: "new bundle: Delete or Retain the Secret with it",
        choices: ["Delete", "Retain"],
      },
      {
        flags: "--restart <when>",
        description:
          "new bundle: auto = restart workloads that use the Secret when it changes, where the operator may (default: none)",
        choices: ["auto", "none"],
      },
      {
        flags: "--sign-header",
        description: "sign the header of a bundle that is there again, after showing what differs; needs no key",
      },
      { ...YES, description: "--sign-header: do not ask: you have read what differs" },
    ],
  },
  {
    name: "import",
    args: "<file> [bundle]",
    summary: "seal and sign plain Secrets (YAML or JSON), or a flat file of keys, into bundles; - is stdin",
    examples: [
      "kubectl get secret api -n shop-prod -o yaml | zopp import -",
      "sops -d secrets.enc.yaml | zopp import - api",
      "zopp import rendered.yaml -e shop/production",
    ],
    options: [
      ENVIRONMENT,
      NAMESPACE,
      { flags: "--replace", description: "seal keys again that a bundle has already with another value" },
    ],
  },
  {
    name: "get",
    args: "<bundle> [key]",
    summary: "verify and read values: with your own key, or through the keyring of a brokered environment",
    examples: ["zopp get api DB_PASSWORD", "zopp get api -o json", "zopp get shop-prod/api --cluster eu-1"],
    options: [ENVIRONMENT, NAMESPACE, ...KEYRING_OPTIONS],
  },
  ...READING_COMMANDS,
  {
    name: "list",
    args: "[bundle]",
    summary: "list bundles, or the keys of one",
    examples: ["zopp list", "zopp list api", "zopp list -e shop/dev -o name"],
    options: [ENVIRONMENT, ONLY_NAMESPACE],
  },
  {
    name: "unset",
    args: "<bundle> <key...>",
    summary: "remove keys from a bundle, leaving signed tombstones",
    examples: ["zopp unset api OLD_TOKEN"],
    options: [ENVIRONMENT, NAMESPACE],
  },
  ...EXPIRY_COMMANDS,
  ...GENERATE_COMMANDS,
  ...ROTATION_COMMANDS,
  {
    name: "approve",
    args: "[bundle] [key...]",
    summary: "sign as an approver what somebody else wrote: a bundle's header and entries, or an environment",
    examples: ["zopp approve shop-prod/api", "zopp approve api DB_PASSWORD", "zopp approve -e shop/production"],
    options: [
      { flags: "--header", description: "the header, beside the keys that are named" },
      { ...ENVIRONMENT, description: "the bundle's environment; without a bundle, the one that is approved itself" },
      NAMESPACE,
    ],
  },
  {
    name: "diff",
    args: "[bundle] [revision...]",
    summary: "show which keys and which of the header's fields differ from an earlier state (exit 1 where any does)",
    examples: [
      "zopp diff --base origin/main",
      "zopp diff shop-prod/api --approval --values",
      "zopp diff shop-prod/api 3 --context eu-1",
      "zopp diff api HEAD~2 HEAD~1",
    ],
    options: [
      { flags: "--base <revision>", description: "the git revision to compare with (default: HEAD)" },
      {
        flags: "--approval",
        description: "what waits for approval, against the last version in git that waited for nothing",
      },
      { flags: "--values", description: "show the values too, where you may open them" },
      ENVIRONMENT,
      NAMESPACE,
    ],
  },
  ...HISTORY_COMMANDS,
  {
    name: "status",
    args: "[bundle]",
    summary: "show whether bundles are sound, and what the cluster says of them",
    examples: [
      "zopp status",
      "zopp status api --context eu-1",
      "zopp status -n shop-prod --context eu-1",
      "zopp status --expiring 30d",
      "zopp status --watch --context eu-1",
    ],
    options: [
      {
        flags: "--expiring <time>",
        description: "only the values that end within it (30d) or have ended; exit 1 where there are any",
      },
      { flags: "--watch", description: "of a cluster: say it again whenever it changes, and in words what is wrong" },
      ENVIRONMENT,
      ONLY_NAMESPACE,
    ],
  },
  ...DOCTOR_COMMANDS,
  {
    name: "verify",
    args: "",
    summary: "check every object of the store offline: shape, signatures, rights, targets (for CI)",
    examples: ["zopp verify", "zopp verify --base origin/main", "zopp verify --as-new-cluster"],
    options: [
      { flags: "--base <revision>", description: "ask full rights only of what differs from this git revision" },
      { flags: "--as-new-cluster", description: "judge as a keyring would that has accepted nothing yet" },
    ],
  },
  ...AUDIT_COMMANDS,
  {
    name: "whoami",
    args: "",
    summary: "show this machine's identity, and which principal it is in the pinned workspaces",
    examples: ["zopp whoami", "zopp whoami -o json"],
    options: [],
  },
  {
    name: "completion",
    args: "<shell>",
    summary: "print a completion script for bash, zsh or fish",
    examples: ["source <(zopp completion bash)", "zopp completion fish > ~/.config/fish/completions/zopp.fish"],
    options: [],
  },
];
