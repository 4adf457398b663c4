// The lines of the command table about those who join, and about what several owners sign.
import { KEYRING_OPTIONS, KEYS, SCOPE, YES } from "./table.options.js";
import type { CommandSpec } from "./table.types.js";

/** The commands about joining, in the order in which help shows them. */
export const JOINING_COMMANDS: readonly CommandSpec[] = [
  {
    name: "join",
    args: "",
    summary: "join a workspace by an invite: make an identity, pin the workspace, ask the owners",
    examples: [
      "zopp join --store cluster",
      "zopp join --code-file code.txt --offline > bob.join",
      "pbpaste | zopp join --code-file - --device laptop",
    ],
    options: [
      {
        flags: "--code-file <file>",
        description: "a file with the invite code (default: a hidden prompt); - is stdin",
      },
      { flags: "--device <name>", description: "this device's name (default: the machine's)" },
      { flags: "--offline", description: "print the request to hand it over, instead of sending it to a keyring" },
      ...KEYRING_OPTIONS,
    ],
  },
  {
    name: "invite create",
    args: "<name>",
    summary: "invite a person: the code for `zopp join` is printed this once",
    examples: ["zopp invite create bob --role write --scope shop --expires 2d", "zopp invite create bob --device"],
    options: [
      {
        flags: "--role <role>",
        description: "what the person is granted when admitted: read, submit, write, admin or audit",
      },
      SCOPE,
      KEYS,
      { flags: "--until <time>", description: "the end of the grant: 90d, 2027-02-18 or a full UTC time" },
      { flags: "--expires <time>", description: "the end of the invite (default: 7d)" },
      { flags: "--device", description: "for a further device of a person who is there" },
    ],
  },
  {
    name: "invite list",
    args: "",
    summary: "list who is invited, and, in a cluster, who has used an invite and waits",
    examples: ["zopp invite list", "zopp invite list --context eu-1 -o json"],
    options: [],
  },
  {
    name: "invite revoke",
    args: "<name>",
    summary: "take an invite back",
    examples: ["zopp invite revoke bob"],
    options: [],
  },
  {
    name: "principal approve",
    args: "<name>",
    summary: "admit whoever used an invite, once the fingerprint is compared",
    examples: [
      "zopp principal approve bob",
      "zopp principal approve bob --request bob.join --fingerprint 1f0a-33c2-9be4-07d1-5a6e-c2f8",
    ],
    options: [
      { flags: "--request <file...>", description: "what `zopp join --offline` printed there; - is stdin" },
      {
        flags: "--fingerprint <groups>",
        description: "the fingerprint that `zopp join` showed there, instead of a question",
      },
      ...KEYRING_OPTIONS,
      YES,
    ],
  },
  {
    name: "policy owners",
    args: "[name...]",
    summary: "show who owns the workspace and how many sign, or change it",
    examples: ["zopp policy owners", "zopp policy owners alice bob carol --threshold 2"],
    options: [{ flags: "--threshold <count>", description: "how many owners sign a version (default: as before)" }],
  },
  {
    name: "policy propose",
    args: "[file]",
    summary: "show what waits for owners' signatures, or propose a workspace manifest that was edited by hand",
    examples: ["zopp policy propose", "zopp policy propose edited.yaml", "zopp policy propose --drop"],
    options: [{ flags: "--drop", description: "take back what waits" }],
  },
  {
    name: "policy sign",
    args: "",
    summary: "read what a proposal changes and sign it, as another owner",
    examples: ["zopp policy sign", "zopp policy sign --context eu-1 --yes"],
    options: [{ flags: "-y, --yes", description: "do not ask: you have read what `zopp policy propose` shows" }],
  },
];
