// The lines of the command table about reading, and the options of every command that asks a keyring.
import type { CommandSpec, OptionSpec } from "./table.types.js";

/** Which keyring is asked, and how it is reached. */
export const KEYRING_OPTIONS: readonly OptionSpec[] = [
  { flags: "--cluster <name>", description: "the cluster whose keyring is asked, as policy names it (ZOPP_CLUSTER)" },
  {
    flags: "--keyring <host:port>",
    description: "where that keyring is, instead of policy's endpoint or a port-forward (ZOPP_KEYRING)",
  },
  { flags: "--keyring-namespace <name>", description: "where its pod is, for the port-forward (default: zopp-system)" },
];

const ENVIRONMENT = {
  flags: "-e, --environment <path>",
  description: "the bundle's environment, where several have one of that name",
};
const NAMESPACE = { flags: "-n, --namespace <name>", description: "the bundle's namespace" };

/** The commands that hand values to an editor or a program, in the order in which help shows them. */
export const READING_COMMANDS: readonly CommandSpec[] = [
  {
    name: "edit",
    args: "<bundle>",
    summary: "edit a bundle's values in an editor (VISUAL, EDITOR), in a file that lies in memory only",
    examples: ["zopp edit api", "EDITOR='code --wait' zopp edit shop-prod/api"],
    options: [ENVIRONMENT, NAMESPACE, ...KEYRING_OPTIONS],
  },
  {
    name: "run",
    args: "<bundle> <command...>",
    summary: "run a program with a bundle's values, and what is rendered of them, as its environment variables",
    examples: [
      "zopp run api -- npm start",
      "zopp run shop-prod/api -- sh -c 'psql \"$DATABASE_URL\"'",
      "zopp run api --token-file /var/run/secrets/zopp/token -- /app/server",
    ],
    options: [
      ENVIRONMENT,
      NAMESPACE,
      {
        flags: "--token-file <file>",
        description: "in a pod: its projected token, to read as the workload (default: /var/run/secrets/zopp/token)",
      },
      ...KEYRING_OPTIONS,
    ],
  },
];
