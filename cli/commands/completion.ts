// `zopp completion`: a script for bash, zsh or fish, made of the command table.
// Completes words that the table knows; names in a store are not read, since that could ask for a passphrase.
import { ZoppError } from "../../crds/errors.js";
import type { Result } from "../output.js";
import type { Session } from "../session.js";
import { COMMANDS, GLOBAL_OPTIONS, GROUPS } from "../table.js";
import type { OptionSpec } from "../table.types.js";

const SHELLS: Readonly<Record<string, () => string>> = { bash, zsh, fish };

/** Runs `zopp completion SHELL`. */
export async function run(_session: Session, [shell = ""]: readonly string[]): Promise<Result> {
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell]?.() : undefined;
  if (script === undefined) throw new ZoppError("Usage", "completion is for bash, zsh or fish");
  return { data: { shell, script }, human: [], raw: Buffer.from(script, "utf8") };
}

/** The long and short names of an option. */
function namesOf({ flags }: OptionSpec): readonly string[] {
  return flags.split(/[ ,]+/).filter((word) => word.startsWith("-"));
}

const globals = (): string[] => [...GLOBAL_OPTIONS.flatMap(namesOf), "--help"];

/** Verbs and groups that may come first. */
function verbs(): string[] {
  return [...new Set(COMMANDS.map(({ name }) => name.split(" ")[0] ?? ""))];
}

/** What may follow a command or group: its sub-verbs or options. */
function following(): [string, string[]][] {
  const groups = new Map<string, string[]>();
  for (const { name } of COMMANDS) {
    const [verb = "", sub] = name.split(" ");
    if (sub !== undefined) groups.set(verb, [...(groups.get(verb) ?? []), sub]);
  }
  const commands = COMMANDS.map(({ name, options, args }): [string, string[]] => {
    const own = [...options.flatMap(namesOf), ...globals()];
    return [name, args === "<shell>" ? [...Object.keys(SHELLS), ...own] : own];
  });
  return [...groups, ...commands];
}

function bash(): string {
  const cases = following().map(([name, words]) => `    "${name}") words="${words.join(" ")}" ;;`);
  return `# bash completion of zopp
_zopp() {
  local word="\${COMP_WORDS[COMP_CWORD]}" path="" at words
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in -*) ;; *) path="\${path:+$path }\${COMP_WORDS[at]}" ;; esac
  done
  while :; do
    case "$path" in
    "") words="${[...verbs(), ...globals(), "--version"].join(" ")}" ;;
${cases.join("\n")}
    *) path="\${path% *}"; continue ;;
    esac
    break
  done
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _zopp zopp kubectl-zopp
`;
}

function zsh(): string {
  return `#compdef zopp kubectl-zopp
autoload -U +X bashcompinit && bashcompinit
${bash()}`;
}

function fish(): string {
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = verbs().map((verb) => {
    const summary = COMMANDS.find(({ name }) => name === verb)?.summary ?? GROUPS[verb] ?? "";
    return `complete -c zopp -n __fish_use_subcommand -f -a ${verb} -d ${quoted(summary)}`;
  });
  for (const { name, summary, options } of COMMANDS) {
    const [verb = "", sub] = name.split(" ");
    if (sub !== undefined)
      lines.push(`complete -c zopp -n '__fish_seen_subcommand_from ${verb}' -f -a ${sub} -d ${quoted(summary)}`);
    const condition = sub === undefined ? verb : sub;
    for (const option of options)
      lines.push(`complete -c zopp -n '__fish_seen_subcommand_from ${condition}' ${fishOption(option, quoted)}`);
  }
  for (const option of GLOBAL_OPTIONS) lines.push(`complete -c zopp ${fishOption(option, quoted)}`);
  const shells = Object.keys(SHELLS).join(" ");
  lines.push(`complete -c zopp -n '__fish_seen_subcommand_from completion' -f -a ${quoted(shells)}`);
  return `# fish completion of zopp\n${lines.join("\n")}\n`;
}

function fishOption(option: OptionSpec, quoted: (text: string) => string): string {
  const names = namesOf(option).map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const value = option.flags.includes("<") ? ["-r"] : [];
  const choices = option.choices === undefined ? [] : [`-f -a ${quoted(option.choices.join(" "))}`];
  return [...names, ...value, ...choices, `-d ${quoted(option.description)}`].join(" ");
}
