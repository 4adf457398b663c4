// The lines of the command table about people: who they are, what they may do, and the tokens of services.
import { KEYS, SCOPE } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

const EXPIRES = { flags: "--expires <time>", description: "its end: 90d, 2027-02-18 or a full UTC time" };
const DEVICE_KEYS = [
  { flags: "--signing-key <key>", description: "the device's public key for signatures: ed25519:…" },
  { flags: "--encryption-key <key>", description: "the device's public key to be wrapped to: xwing:…" },
  { flags: "--from <file>", description: "both, as `zopp whoami -o json` printed them on the device; - is stdin" },
];
const COMPROMISED = {
  flags: "--compromised",
  description: "its keys may be in other hands: say all that has to be done now",
};

/** The commands about people, in the order in which help shows them. */
export const PEOPLE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "principal list",
    args: "",
    summary: "list people, services and workloads with their devices, groups and grants",
    examples: ["zopp principal list", "zopp principal list -o json"],
    options: [],
  },
  {
    name: "principal add",
    args: "<name>",
    summary: "name a person or service in the policy, with the keys of its first device; or a workload by its account",
    examples: [
      "zopp principal add bob --from bob.json --device laptop",
      "zopp principal add ci --kind service --signing-key ed25519:… --encryption-key xwing:… --expires 90d",
      "zopp principal add api --workload shop-prod/api --cluster eu-1",
    ],
    options: [
      { flags: "--kind <kind>", description: "person (the default) or service", choices: ["person", "service"] },
      { flags: "--device <name>", description: "the device's name (default: first)" },
      ...DEVICE_KEYS,
      {
        flags: "--workload <namespace/account>",
        description: "a workload: pods of this ServiceAccount, which have no device",
      },
      { flags: "--cluster <name>", description: "the workload's cluster, as policy names it" },
      EXPIRES,
    ],
  },
  {
    name: "principal remove",
    args: "<name>",
    summary: "take a principal out of everything that names it; what runs goes on running",
    examples: ["zopp principal remove bob", "zopp principal remove bob --compromised"],
    options: [COMPROMISED],
  },
  {
    name: "device add",
    args: "<principal> <device>",
    summary: "add a device to a principal; where it reads with its own key, it gets the environment's",
    examples: ["zopp device add bob phone --from phone.json"],
    options: DEVICE_KEYS,
  },
  {
    name: "device remove",
    args: "<principal> <device>",
    summary: "take a device out of the policy, and the environment keys from it",
    examples: ["zopp device remove bob phone"],
    options: [],
  },
  {
    name: "exposure",
    args: "<principal>",
    summary: "list every value that somebody could open, now or ever, so that it can be changed at its source",
    examples: ["zopp exposure bob", "zopp exposure bob --current -o json"],
    options: [{ flags: "--current", description: "only values that are in use now" }],
  },
  {
    name: "group list",
    args: "",
    summary: "list groups with their members and what names them",
    examples: ["zopp group list"],
    options: [],
  },
  {
    name: "group add",
    args: "<name> <member...>",
    summary: "put principals into a group, which is made where it is not there",
    examples: ["zopp group add sre bob carol"],
    options: [],
  },
  {
    name: "group remove",
    args: "<name> [member...]",
    summary: "take members out of a group, or remove a group that nothing names any more",
    examples: ["zopp group remove sre bob", "zopp group remove sre"],
    options: [],
  },
  {
    name: "grant",
    args: "<subject> <role>",
    summary: "grant a principal or group:NAME a role: read, submit, write, admin or audit",
    examples: [
      "zopp grant group:sre write --scope shop",
      'zopp grant github-actions submit --scope shop/production --keys "IMAGE_*" --expires 2027-01-01T00:00:00Z',
    ],
    options: [SCOPE, KEYS, EXPIRES],
  },
  {
    name: "revoke",
    args: "<subject> <role>",
    summary: "take back a role that was granted in a scope",
    examples: ["zopp revoke bob write --scope shop", "zopp revoke group:sre read"],
    options: [SCOPE],
  },
  {
    name: "token create",
    args: "<name>",
    summary: "make a service with a token for ZOPP_TOKEN, which is printed this once",
    examples: [
      "zopp token create ci --scope shop/production --expires 90d",
      'zopp token create ci --role submit --scope shop/production --keys "IMAGE_*" | gh secret set ZOPP_TOKEN',
    ],
    options: [
      { flags: "--role <role>", description: "submit (the default: writes, and reads nothing) or another role" },
      SCOPE,
      KEYS,
      EXPIRES,
    ],
  },
  {
    name: "token list",
    args: "",
    summary: "list the services that have tokens, with their ends and grants",
    examples: ["zopp token list"],
    options: [],
  },
  {
    name: "token revoke",
    args: "<name>",
    summary: "take a service out with its grants, so that its token is worth nothing",
    examples: ["zopp token revoke ci", "zopp token revoke ci --compromised"],
    options: [COMPROMISED],
  },
];
