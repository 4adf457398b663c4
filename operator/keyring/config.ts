// The keyring's settings: flags and variables to typed objects, and the text of --help.
// Opens no file.
import { Command, InvalidArgumentError, Option } from "commander";
import { type Pin, parsePin } from "../../crds/policy/pin.js";
import { VERSION } from "../../crds/version.js";
import type { ListenOptions } from "../health.js";
import { type Place, placeOfKey } from "../kube/resources.js";
import type { Level } from "../log.js";
import type { EnrolRules } from "./enrol.js";
import type { InstallConfig } from "./install.js";
import type { Trust } from "./pins.js";

/** What `serve` is told. */
export interface ServeConfig {
  /** File with the seed, made by `keygen`; or the files of its shares, made by `install`. */
  readonly seed: readonly string[];
  /** Absent: KUBECONFIG, ~/.kube/config, or the pod's own account. */
  readonly kubeconfig?: string | undefined;
  /** Where ledger, log and the ConfigMap zopp-cluster live; no environment may serve it. */
  readonly namespace: string;
  readonly trust: Trust;
  /** `namespace/name` of the operator's ServiceAccount. */
  readonly operatorAccount: string;
  /** Where the operator runs: in the keyring's own pod, or apart. */
  readonly operatorPod: EnrolRules["pod"];
  /** The Lease by which one of several keyrings of this seed serves; absent = by none. */
  readonly leaderElect?: Place | undefined;
  /** How many audit segments stay in the cluster; 0 = all. */
  readonly auditKeep: number;
  readonly listen: ListenOptions;
  readonly metrics: ListenOptions;
  readonly health: ListenOptions;
  /** How long it answers after SIGTERM, not ready, while somebody is connected. */
  readonly drainSeconds: number;
  readonly logLevel: Level;
}

/** What the commands do. */
export interface Actions {
  serve(config: ServeConfig): Promise<void>;
  keygen(seed: string, publicFile: string): Promise<void>;
  install(config: InstallConfig): Promise<void>;
}

interface Flags extends Omit<ServeConfig, "trust" | "operatorPod"> {
  readonly trust?: readonly Pin[];
  readonly firstUse?: boolean;
  readonly podUid?: string;
  readonly operator?: "remote";
}

const ENVIRONMENT = "ZOPP_KEYRING";

const AFTER_HELP = `
Examples:
  keyring keygen --seed seed --public keyring.pub
  keyring serve --seed seed --trust acme@20261123101112:<owners' digest> \\
    --namespace zopp-system --operator-account zopp-system/zopp --pod-uid $POD_UID

  # the operator in a Deployment of its own: every pod of its account may enrol, over the pod network
  keyring serve … --operator-account zopp-system/zopp-operator --operator remote --listen :8443 \\
    --drain-seconds 3

The pin comes from an owner: "zopp trust" prints it. Every flag of serve is also a variable:
--pod-uid is ${ENVIRONMENT}_POD_UID. A flag wins over its variable.`;

/** The command line; parse it with parseAsync. */
export function command(actions: Actions): Command {
  const program = new Command("keyring")
    .description("Holds a cluster's private keys and decides what is trusted; releases entry keys to the operator.")
    .version(VERSION)
    .addHelpText("after", AFTER_HELP)
    .showHelpAfterError("(see --help)")
    // commander has said what is wrong; 2 is the exit code for usage
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  program
    .command("keygen")
    .description("make a seed, and the public key file that the operator pins this keyring by; never overwrites")
    .requiredOption("--seed <file>", "file to write the seed to, readable by its owner only")
    .requiredOption("--public <file>", "file to write the public key to")
    .action(({ seed, public: publicFile }: { seed: string; public: string }) => actions.keygen(seed, publicFile));
  const install = program
    .command("install")
    .description("make the seed of this cluster's keyring unless it is there, and publish its public key (Helm hook)");
  for (const option of installOptions()) install.addOption(option.makeOptionMandatory());
  install.action((config: InstallConfig) => actions.install(config));
  const serve = program.command("serve").description("serve the pinned workspaces of this cluster");
  for (const option of options())
    serve.addOption(option.env(`${ENVIRONMENT}_${option.name().toUpperCase().replaceAll("-", "_")}`));
  serve.action(({ trust = [], firstUse = false, podUid, operator, ...rest }: Flags) => {
    const operatorPod = operatorPodOf(serve, podUid, operator);
    return actions.serve({ ...rest, operatorPod, trust: trustOf(serve, trust, firstUse && isMeant(serve)) });
  });
  return program;
}

function trustOf(serve: Command, pins: readonly Pin[], firstUse: boolean): Trust {
  if (firstUse && pins.length > 0) serve.error("error: --first-use and --trust exclude each other", { exitCode: 2 });
  if (!firstUse && pins.length === 0)
    serve.error("error: give at least one --trust PIN (or --first-use to try zopp out)", { exitCode: 2 });
  return { pins, firstUse };
}

/** commander takes a flag's variable for a yes, whatever it says. */
function isMeant(serve: Command): boolean {
  if (serve.getOptionValueSource("firstUse") !== "env") return true;
  const said = process.env[`${ENVIRONMENT}_FIRST_USE`] ?? "";
  if (["", "0", "false"].includes(said)) return false;
  if (["1", "true"].includes(said)) return true;
  return serve.error(`error: ${ENVIRONMENT}_FIRST_USE is true or false`, { exitCode: 2 });
}

function operatorPodOf(serve: Command, uid: string | undefined, operator: "remote" | undefined): EnrolRules["pod"] {
  if (uid !== undefined && operator === undefined) return { uid };
  if (uid === undefined && operator === "remote") return "any";
  return serve.error("error: give either --pod-uid (one pod for both) or --operator remote (pods of its own)", {
    exitCode: 2,
  });
}

function installOptions(): readonly Option[] {
  return [
    new Option("--namespace <name>", "namespace of the three objects"),
    new Option("--secret <name>", "Secret for one share of the seed"),
    new Option("--share-config-map <name>", "ConfigMap for the other share"),
    new Option("--public-config-map <name>", "ConfigMap for the public key"),
    new Option("--mounted-secret <file>", "where the Secret's share is mounted, if it is there already"),
    new Option("--mounted-share <file>", "where the ConfigMap's share is mounted, if it is there already"),
  ];
}

function options(): readonly Option[] {
  return [
    new Option("--seed <file...>", "file with the seed; or the files of its shares: again, or by commas")
      .makeOptionMandatory()
      .argParser(toFiles),
    new Option(
      "--trust <pin...>",
      "a workspace to serve, as WORKSPACE@VERSION:DIGEST; several: again or by commas",
    ).argParser(toPins),
    new Option("--first-use", "serve the first workspace that appears, and no other ever (demo, solo)"),
    new Option("--namespace <name>", "namespace of ledger and log").default("zopp-system"),
    new Option("--operator-account <namespace/name>", "the operator's ServiceAccount")
      .makeOptionMandatory()
      .argParser(toAccount),
    new Option("--pod-uid <uid>", "uid of the pod that keyring and operator share").argParser(toUid),
    new Option("--operator <where>", "remote: in pods of its own, instead of --pod-uid").choices(["remote"]),
    new Option("--kubeconfig <file>", "kubeconfig (default: KUBECONFIG, ~/.kube/config, or the pod's account)"),
    new Option("--listen <host:port>", "gRPC; without host, on all addresses, IPv6 too")
      .default({ host: "127.0.0.1", port: 8443 }, "127.0.0.1:8443")
      .argParser(toListen),
    new Option("--metrics <host:port>", "/metrics; without host as --listen")
      .default({ port: 8082 }, ":8082")
      .argParser(toListen),
    new Option("--health <host:port>", "/healthz, /readyz and /startz; without host as --listen")
      .default({ port: 8083 }, ":8083")
      .argParser(toListen),
    new Option(
      "--leader-elect <namespace/name>",
      "the Lease by which one of several keyrings of this seed serves while the others stand by (default: by none); with " +
        "--pod-uid it ends when it has not heard its operator for two minutes",
    ).argParser((text) => placeOfKey(toAccount(text))),
    new Option(
      "--drain-seconds <number>",
      "how long it answers who is connected after SIGTERM, not ready; a second SIGTERM ends that",
    )
      .default(0)
      .argParser(toSeconds),
    new Option(
      "--audit-keep <segments>",
      "how many audit segments stay in the cluster: small ones are folded, and those before dropped once they were " +
        "written to stdout; 0 keeps all",
    )
      .default(512)
      .argParser(toSegments),
    new Option("--log-level <level>", "least level that is logged")
      .choices(["debug", "info", "warn", "error"])
      .default("info"),
  ];
}

function toPins(text: string, before: readonly Pin[] | undefined): readonly Pin[] {
  try {
    return [...(before ?? []), ...text.split(",").map(parsePin)];
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function toFiles(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...text.split(",")];
}

function toUid(text: string): string {
  if (!/^[-.0-9A-Za-z]{1,64}$/.test(text)) throw new InvalidArgumentError("give the uid of a pod");
  return text;
}

function toAccount(text: string): string {
  if (!/^[a-z0-9][-a-z0-9]*\/[a-z0-9][-a-z0-9.]*$/.test(text)) throw new InvalidArgumentError("give namespace/name");
  return text;
}

function toSeconds(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError("give a whole number of seconds");
  return Number(text);
}

function toSegments(text: string): number {
  const count = Number(text);
  if (!/^\d{1,6}$/.test(text) || (count > 0 && count < 16))
    throw new InvalidArgumentError("give 0 or a whole number of at least 16");
  return count;
}

function toListen(text: string): ListenOptions {
  const match = /^(\[[0-9a-f:]+\]|[-.a-zA-Z0-9]*):(\d{1,5})$/.exec(text);
  const [host, port] = [match?.[1]?.replace(/^\[|\]$/g, ""), Number(match?.[2])];
  if (host === undefined || port > 65_535) throw new InvalidArgumentError("give host:port, or :port for all addresses");
  return { port, ...(host === "" ? {} : { host }) };
}
