// The lines of the command table about jobs that bring new generated values to where they are checked.
import { ENVIRONMENT, NAMESPACE } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

/** The commands about rotation jobs, in the order in which help shows them. */
export const ROTATION_COMMANDS: readonly CommandSpec[] = [
  {
    name: "rotation set",
    args: "<bundle> [command...]",
    summary:
      "sign for a job that gets every new generated value, and the one before, and must succeed before the Secret gets it; what is not said stays as it was. The job reads all values of the bundle, so it takes an admin",
    examples: [
      "zopp rotation set api --image registry.example.com/rotate@sha256:4bc453b53cb3d914b45f4b250294236adba2c0e09ff6f03793949e7e39fd4cc1",
      "zopp rotation set shop-prod/api --image registry.example.com/rotate:2 --deadline 5m --key ADMIN_URL -- /bin/rotate --verbose",
      "zopp rotation set api --deadline 30m",
    ],
    options: [
      { flags: "--image <image>", description: "what runs; with @sha256:… nobody can put another one in its place" },
      { flags: "--deadline <time>", description: "after how long it has failed: 90s, 5m, at most 1h (default: 10m)" },
      {
        flags: "--key <key...>",
        description: "a key that only the job gets and the Secret does not; set its value before or afterwards",
      },
      ENVIRONMENT,
      NAMESPACE,
    ],
  },
  {
    name: "rotation remove",
    args: "<bundle>",
    summary: "take the job away: new values are published at once, and keys that only it got would be in the Secret",
    examples: ["zopp rotation remove api", "zopp rotation remove shop-prod/api"],
    options: [ENVIRONMENT, NAMESPACE],
  },
];
