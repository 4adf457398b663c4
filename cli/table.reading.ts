// The lines of the command table about handing values on.
import { ENVIRONMENT, KEYRING_OPTIONS, NAMESPACE } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

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
