// Runs one command line: finds the command, starts its session, prints its result or its error, gives the exit code.
// What commands do is in commands/; the process around it is main.ts' business.
import { Command, CommanderError, Option } from "commander";
import { ZoppError } from "../crds/errors.js";
import { VERSION } from "../crds/version.js";
import type { Context } from "./context.js";
import { loadCommand } from "./load.js";
import { FORMATS, type Format, printable, printError, printResult } from "./output.js";
import { COMMANDS, GLOBAL_OPTIONS, GROUPS } from "./table.js";
import type { CommandSpec, OptionSpec } from "./table.types.js";

/** What asking for help, or for the version, comes as. */
const HELP: ReadonlySet<string> = new Set(["commander.helpDisplayed", "commander.version"]);

/** Runs the command line of a context. Never throws; gives the exit code (see the error table). */
export async function runCli(context: Context): Promise<number> {
  let exit = 0;
  let heard = "";
  const hear = (text: string): void => {
    heard += text;
  };
  const program = newProgram(context, hear, async (spec, call) => {
    exit = await runCommand(context, spec, call);
  });
  try {
    await program.parseAsync([...context.argv], { from: "user" });
    return exit;
  } catch (error) {
    if (!(error instanceof CommanderError)) return printError(context, error, statedFormat(context.argv));
    if (HELP.has(error.code)) return 0;
    if (error.code === "commander.help") {
      context.stderr.write(heard);
      return 2;
    }
    return printError(context, new ZoppError("Usage", usageText(error)), statedFormat(context.argv));
  }
}

/** What a person typed after the verb. */
interface Call {
  readonly args: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
}

type Action = (spec: CommandSpec, call: Call) => Promise<void>;

function newProgram(context: Context, hear: (text: string) => void, action: Action): Command {
  const program = new Command("zopp")
    .description("Kubernetes secrets that live encrypted and signed as custom resources")
    .version(VERSION, "--version", "print the version")
    .helpCommand(false);
  const prepared = (command: Command): Command =>
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => void context.stdout.write(text), writeErr: hear })
      .configureHelp({ showGlobalOptions: true });
  for (const spec of GLOBAL_OPTIONS) program.addOption(option(spec));
  prepared(program);
  const groups = new Map<string, Command>();
  for (const spec of COMMANDS) {
    const [verb = "", sub] = spec.name.split(" ");
    const parent =
      sub === undefined
        ? program
        : (groups.get(verb) ?? prepared(program.command(verb).description(GROUPS[verb] ?? "")));
    if (sub !== undefined) groups.set(verb, parent);
    const command = prepared(parent.command(`${sub ?? verb} ${spec.args}`.trim()).description(spec.summary));
    for (const each of spec.options) command.addOption(option(each));
    command.addHelpText("after", `\nExamples:\n${spec.examples.map((line) => `  ${line}\n`).join("")}`);
    command.action(() => action(spec, { args: command.processedArgs, options: command.optsWithGlobals() }));
  }
  return program;
}

/** An option that may be given several times takes one word each time, so that it never swallows an argument. */
function option({ flags, description, choices }: OptionSpec): Option {
  if (flags.endsWith("...>")) {
    const made = new Option(flags.replace("...>", ">"), `${description} (may be repeated)`);
    return made.argParser((word: string, before: readonly string[] = []) => [...before, word]);
  }
  const made = new Option(flags, description);
  return choices === undefined ? made : made.choices([...choices]);
}

async function runCommand(context: Context, spec: CommandSpec, call: Call): Promise<number> {
  const options = call.options as Readonly<Record<string, string | undefined>>;
  const format = formatOf(options["output"]);
  try {
    const [{ startSession }, command] = await Promise.all([import("./session.js"), loadCommand(spec.name)]);
    const args = call.args.flat().filter((word) => typeof word === "string");
    const session = await startSession(context, { ...options, readsCluster: spec.readsCluster === true });
    try {
      return await printResult(context, await command.run(session, args, call.options), format);
    } finally {
      await session.close();
    }
  } catch (error) {
    return printError(context, error, format);
  }
}

function formatOf(text: string | undefined): Format {
  return FORMATS.find((format) => format === text) ?? "human";
}

/** The format as far as it can be told from a command line that cannot be read. */
function statedFormat(argv: readonly string[]): Format {
  const at = argv.findIndex((word) => word === "-o" || word === "--output");
  const joined = argv.find((word) => /^(?:-o|--output=)./.test(word))?.replace(/^(?:-o|--output=)/, "");
  return formatOf(at < 0 ? joined : argv[at + 1]);
}

/** Commander's words without what stands behind an option's `=`, and without surplus arguments: either may be a value. */
function usageText({ message }: CommanderError): string {
  const [line = ""] = message.replace(/^error: /, "").split("\n", 1);
  // up to the end: a value may itself hold quotes and line ends
  const words = line.replace(/'(-[^=']*)=.*$/s, "'$1'").replace(/( but got \d+): .*$/s, "$1");
  return printable(words);
}
