// The lines of the command table about what bundles were, and the way back.
import { ENVIRONMENT, KEYRING_OPTIONS, NAMESPACE } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

/** The commands about earlier states, in the order in which help shows them. */
export const HISTORY_COMMANDS: readonly CommandSpec[] = [
  {
    name: "history",
    args: "<bundle>",
    summary: "list the states that a bundle was in: when, which keys changed, who signed them; in git its commits",
    examples: ["zopp history shop-prod/api", "zopp history api --context eu-1 -o json"],
    options: [ENVIRONMENT, NAMESPACE],
  },
  {
    name: "rollback",
    args: "<bundle> [key...]",
    summary: "put a bundle, or some of its keys, back to an earlier state by new versions that you sign",
    examples: [
      "zopp rollback api --to HEAD~1",
      "zopp rollback shop-prod/api DB_PASSWORD --to 3 --context eu-1",
      "zopp rollback api --to HEAD~1 --retire",
    ],
    options: [
      { flags: "--to <revision>", description: "a revision of `zopp history`; in a directory any git revision" },
      { flags: "--retire", description: "also take out the keys that came later" },
      { flags: "--yes", description: "also what only git's policy of then vouches for; its authors are named" },
      ENVIRONMENT,
      NAMESPACE,
      ...KEYRING_OPTIONS,
    ],
  },
];
