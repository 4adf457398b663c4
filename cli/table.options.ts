// The options that several commands of the table have, each said once.
import type { OptionSpec } from "./table.types.js";

export const ENVIRONMENT: OptionSpec = {
  flags: "-e, --environment <path>",
  description: "ENVIRONMENT, PROJECT/ENVIRONMENT or the full path (ZOPP_ENVIRONMENT, zopp.yaml)",
};
export const NAMESPACE: OptionSpec = { flags: "-n, --namespace <name>", description: "the bundle's namespace" };

/** Of what shows several bundles. */
export const ONLY_NAMESPACE: OptionSpec = { ...NAMESPACE, description: "only the bundles of this namespace" };

/** How a keyring is reached. */
export const KEYRING_PLACE: readonly OptionSpec[] = [
  {
    flags: "--keyring <host:port>",
    description: "where that keyring is, instead of policy's endpoint or a port-forward (ZOPP_KEYRING)",
  },
  { flags: "--keyring-namespace <name>", description: "where keyrings run (default: zopp-system)" },
];
/** Which keyring is asked, and how it is reached. */
export const KEYRING_OPTIONS: readonly OptionSpec[] = [
  { flags: "--cluster <name>", description: "the cluster whose keyring is asked, as policy names it (ZOPP_CLUSTER)" },
  ...KEYRING_PLACE,
];

export const RECOVERY: OptionSpec = {
  flags: "--recovery-file <file>",
  description: "a file with the recovery key, to open environment keys with",
};
/** Beside a fingerprint. */
export const YES: OptionSpec = {
  flags: "-y, --yes",
  description: "do not ask: you have compared the fingerprint already",
};

/** Of a grant. */
export const SCOPE: OptionSpec = {
  flags: "--scope <scope>",
  description: "*, PROJECT or PROJECT/ENVIRONMENT (default: the environment of zopp.yaml)",
};
/** Of a grant. */
export const KEYS: OptionSpec = {
  flags: "--keys <pattern...>",
  description: "only keys that match one of these; * is any run of characters",
};
