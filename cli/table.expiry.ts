// The line of the command table about the ends of values.
import { ENVIRONMENT, KEYRING_OPTIONS, NAMESPACE } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

/** The commands about ends, in the order in which help shows them. */
export const EXPIRY_COMMANDS: readonly CommandSpec[] = [
  {
    name: "expire",
    args: "<bundle> <key...>",
    summary: "give values that stay as they are another end, or none; they are read, sealed and signed anew",
    examples: [
      "zopp expire api SMTP_TOKEN --in 90d",
      "zopp expire shop-prod/api DB_PASSWORD --at 2027-02-18",
      "zopp expire api SESSION_KEY --never",
    ],
    options: [
      { flags: "--in <time>", description: "so long from now: 90d, 12h or 2w" },
      { flags: "--at <time>", description: "that day or second: 2027-02-18 or 2027-02-18T00:00:00Z" },
      { flags: "--never", description: "no end" },
      ENVIRONMENT,
      NAMESPACE,
      ...KEYRING_OPTIONS,
    ],
  },
];
