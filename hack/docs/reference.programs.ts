// Owns the reference of the two processes: flags, variables and defaults of operator and keyring.
// Does not own the settings: all that is said here stands in the commander definitions of their config.ts.
import type { Command, Option } from "commander";
import { operatorCommand } from "../../operator/config.js";
import { command as keyringCommand } from "../../operator/keyring/config.js";
import { code, table } from "./table.js";

/** The page `docs/reference/programs.md`, without its head. */
export function programReference(): string {
  const keyring = keyringCommand({ serve: nothing, keygen: nothing, install: nothing });
  const commands = keyring.commands.map((command) => section(`keyring ${command.name()}`, command));
  return [
    section("operator", operatorCommand()),
    `## keyring\n\n${sentence(keyring.description())}\n`,
    ...commands,
  ].join("\n");
}

async function nothing(): Promise<void> {}

function section(title: string, command: Command): string {
  const rows = command.options.map((option) => [
    code(option.flags),
    option.envVar === undefined ? "" : code(option.envVar),
    defaultOf(option),
    option.description + (option.argChoices === undefined ? "" : `: ${option.argChoices.map(code).join(", ")}`),
  ]);
  const head = ["flag", "variable", "default", "what it is"];
  return `## ${title}\n\n${sentence(command.description())}\n\n${table(head, rows)}`;
}

function defaultOf({ mandatory, defaultValue, defaultValueDescription }: Option): string {
  if (mandatory && defaultValue === undefined) return "required";
  return defaultValue === undefined ? "" : code(defaultValueDescription ?? String(defaultValue));
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1).replace(/\.?$/, ".")}`;
}
