// Owns the reference of the command line: every command with its options and examples.
// Does not own the commands: all that is said here stands in the table that commander is given.
import { COMMANDS, GLOBAL_OPTIONS } from "../../cli/table.js";
import type { CommandSpec, OptionSpec } from "../../cli/table.types.js";
import type { ERRORS } from "../../crds/errors.js";
import { code, table } from "./table.js";

/** What an exit code means as a class; the table of errors says which error has which. */
const CLASSES: Readonly<Record<(typeof ERRORS)[keyof typeof ERRORS]["exit"], string>> = {
  1: "anything else",
  2: "wrong usage: nothing was tried",
  3: "denied by policy or rights",
  4: "not found",
  5: "invalid input",
  6: "cannot be opened with what is at hand",
  7: "conflict with what is there",
  8: "unreachable, or not answering in time",
};

/** What a shell says of a program that a signal ended, and `zopp` of itself (cli/main.ts). */
const BY_SIGNAL = [["129, 130, 143", "ended by SIGHUP, SIGINT (Ctrl-C) or SIGTERM; the error is `Interrupted`"]];

/** The page `docs/reference/cli.md`, without its head. */
export function cliReference(): string {
  const exits = Object.entries(CLASSES).map(([exit, text]) => [exit, text]);
  return [
    "## Options of every command",
    optionTable(GLOBAL_OPTIONS),
    "## Exit codes",
    table(["code", "what it means"], [["0", "it is done"], ...exits, ...BY_SIGNAL]).trim(),
    ...COMMANDS.flatMap(command),
    "",
  ].join("\n\n");
}

function command({ name, args, summary, options, examples }: CommandSpec): readonly string[] {
  const words = ["zopp", name, options.length === 0 ? "" : "[options]", args].filter((word) => word !== "");
  return [
    `## zopp ${name}`,
    `${code(words.join(" "))}: ${summary}.`,
    ...(options.length === 0 ? [] : [optionTable(options)]),
    "<!-- not run: the examples of its --help, each with names of its own -->",
    `\`\`\`sh\n${examples.join("\n")}\n\`\`\``,
  ];
}

function optionTable(options: readonly OptionSpec[]): string {
  const rows = options.map(({ flags, description, choices }) => [
    code(flags.replace("...>", ">")),
    [
      description,
      ...(flags.endsWith("...>") ? ["may be repeated"] : []),
      ...(choices === undefined ? [] : [`one of ${choices.map(code).join(", ")}`]),
    ].join("; "),
  ]);
  return table(["option", "what it does"], rows).trim();
}
