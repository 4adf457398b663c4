// The line of the command table about what is wrong with a cluster.
import { KEYRING_OPTIONS } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

/** The commands about a cluster as a whole, in the order in which help shows them. */
export const DOCTOR_COMMANDS: readonly CommandSpec[] = [
  {
    name: "doctor",
    args: "",
    summary: "say in words what is wrong with zopp in a cluster, and what to do next (exit 1 where anything is)",
    examples: ["zopp doctor --context eu-1", "zopp doctor --store cluster -o json"],
    options: KEYRING_OPTIONS,
  },
];
