// The line of the command table about values that keyrings make.
import { ENVIRONMENT, NAMESPACE } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

/** The commands about generated values, in the order in which help shows them. */
export const GENERATE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "generate",
    args: "<bundle> <key>",
    summary:
      "sign for a value that each cluster's keyring makes by itself, once or every so often; nobody ever types it",
    examples: [
      "zopp generate api SESSION_KEY --kind bytes --length 64",
      "zopp generate api DB_PASSWORD --kind password --rotate-every 30d --previous DB_PASSWORD_OLD",
      "zopp generate shop-prod/api jwt.key --kind ed25519 --public jwt.pub",
      "zopp generate api DB_PASSWORD --again",
    ],
    options: [
      {
        flags: "--kind <kind>",
        description: "password, bytes, uuid, or the private half of a key pair",
        choices: ["password", "bytes", "uuid", "ed25519", "ecdsa", "rsa"],
      },
      { flags: "--length <count>", description: "characters of a password, or bytes (default: 32)" },
      { flags: "--alphabet <characters>", description: "what a password is made of (default: letters and digits)" },
      { flags: "--curve <name>", description: "of an ecdsa key (default: P-256)", choices: ["P-256", "P-384"] },
      { flags: "--bits <count>", description: "of an rsa key: 2048, 3072 (the default) or 4096" },
      { flags: "--public <key>", description: "the key of the Secret that gets the public half" },
      {
        flags: "--rotate-every <time>",
        description: "have another value made every 720h, 30d or 4w; never: only when asked",
      },
      { flags: "--previous <key>", description: "the key of the Secret that keeps the value before" },
      { flags: "--again", description: "another value now, by the same rule" },
      ENVIRONMENT,
      NAMESPACE,
    ],
  },
];
