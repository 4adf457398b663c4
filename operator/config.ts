// The operator's settings: flags and environment variables to one typed object, and the text of --help.
// Opens nothing but what a flag names: the keyring's public key file is read by main.
import { Command, InvalidArgumentError, Option } from "commander";
import { spanMs } from "../crds/span.js";
import { WORKLOADS, type WorkloadKind } from "./controllers/workload.js";
import { type Place, placeOfKey } from "./kube/resources.js";
import { MAX_SHARDS } from "./kube/shards.plan.js";

/** The operator's settings; every one has a flag and a variable ZOPP_OPERATOR_*. */
export interface OperatorConfig {
  /** Absent: KUBECONFIG, ~/.kube/config, or the pod's own account. */
  readonly kubeconfig?: string | undefined;
  /** Namespaces that are followed one by one; absent = all. */
  readonly namespaces?: readonly string[] | undefined;
  /** host:port of the keyring. */
  readonly keyring: string;
  /** File with the keyring's public key (one line, `ed25519:…`), made by `keyring keygen --public`. */
  readonly keyringKey: string;
  /** File with the projected ServiceAccount token (audience zopp-keyring) that the operator enrols with. */
  readonly tokenFile: string;
  readonly metricsPort: number;
  readonly healthPort: number;
  /** The address that metrics and health listen on. */
  readonly bindAddress: string | undefined;
  /** The Lease by which one of several operators leads; absent = this is the only one. */
  readonly leaderElect?: Place | undefined;
  /** Whether the keyring is the pod's own, and one of several of which one serves: this one leads only while it does. */
  readonly keyringElects: "on" | "off";
  /** Operators that work at once, each on its part of the namespaces; 1 = the one that leads works on all. */
  readonly shards: number;
  /** Bundles worked on at once: they mostly wait for the API server and the keyring. */
  readonly workers: number;
  /** How long before the end of a value its bundle says so, in milliseconds. */
  readonly expiryWarning: number;
  /** Applied states of each bundle that are kept as ControllerRevisions; 0 = none. */
  readonly history: number;
  /** Kinds of workloads that are restarted when a Secret of theirs changes; empty = none. */
  readonly restarts: readonly WorkloadKind[];
  /** Whether Jobs are run that bundles ask for, which bring new values to where they are checked. */
  readonly rotationJobs: "on" | "off";
  /** Whether /metrics has series for each bundle. */
  readonly objectMetrics: "on" | "off";
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

const ENVIRONMENT = "ZOPP_OPERATOR";
const DEFAULT_WORKERS = 64;
const MAX_WORKERS = 512;
const DEFAULT_EXPIRY_WARNING = "14d";
const DEFAULT_HISTORY = 3;
const MAX_HISTORY = 100;
const KINDS = Object.keys(WORKLOADS) as WorkloadKind[];
/** Stands for every namespace. */
const ALL = "*";

const AFTER_HELP = `
Every flag is also a variable: --keyring-key is ${ENVIRONMENT}_KEYRING_KEY. A flag wins over its variable.

The operator holds no keys and decides no trust: it asks the keyring beside it to open each bundle
(ZoppSecret), writes the Secret, and says in the bundle's conditions what happened.

  # beside a keyring on this machine, for two namespaces
  zopp-operator --keyring-key keyring.pub --token-file token --namespaces shop-prod,shop-staging

  # is it alive, has it caught up, what has it done
  curl localhost:8081/healthz;  curl localhost:8081/readyz;  curl localhost:8080/metrics`;

/**
 * Reads flags and variables. Prints help or what is wrong and leaves the process (0 or 2) as commander does,
 * unless `exit` is replaced (tests).
 */
export function readConfig(argv: readonly string[], exit: (code: number) => never = process.exit): OperatorConfig {
  const command = operatorCommand();
  // commander says what is wrong by itself; 2 is the exit code for usage
  command.exitOverride((error) => exit(error.exitCode === 0 ? 0 : 2));
  command.parse(argv, { from: "user" });
  const { namespaces, ...rest } = command.opts<OperatorConfig>();
  if (rest.shards > 1 && rest.leaderElect === undefined)
    command.error("error: --shards needs --leader-elect (see --help)");
  if (rest.keyringElects === "on" && (rest.leaderElect === undefined || rest.shards > 1))
    command.error("error: --keyring-elects needs --leader-elect, and no --shards (see --help)");
  return { ...rest, namespaces: namespaces?.includes(ALL) ? undefined : namespaces };
}

/** The command line with all its settings, for `readConfig` and the reference. */
export function operatorCommand(): Command {
  const command = new Command("zopp-operator")
    .description("Turns sealed, signed bundles (ZoppSecret) into Kubernetes Secrets.")
    .addHelpText("after", AFTER_HELP)
    .helpOption("-h, --help", "show this text")
    .showHelpAfterError("(see --help)");
  for (const option of settings()) {
    command.addOption(option.env(`${ENVIRONMENT}_${option.name().toUpperCase().replaceAll("-", "_")}`));
  }
  return command;
}

function settings(): readonly Option[] {
  return [
    new Option("--kubeconfig <file>", "kubeconfig (default: KUBECONFIG, ~/.kube/config, or the pod's account)"),
    new Option(
      "--namespaces <list>",
      "namespaces to serve, separated by commas, or * for all (default: all)",
    ).argParser(toNamespaces),
    new Option("--keyring <host:port>", "address of the keyring").default("127.0.0.1:8443").argParser(toAddress),
    new Option(
      "--keyring-key <file>",
      "file with the keyring's public key; no other keyring is spoken to",
    ).makeOptionMandatory(),
    new Option("--token-file <file>", "projected, pod-bound token to enrol with; read again at each enrolment").default(
      "/var/run/secrets/zopp/token",
    ),
    new Option("--metrics-port <port>", "port of /metrics, 0 for a free one").default(8080).argParser(toPort),
    new Option("--health-port <port>", "port of /healthz, /readyz and /startz, 0 for a free one")
      .default(8081)
      .argParser(toPort),
    new Option("--bind-address <ip>", "address that these ports listen on (default: all, IPv6 too)"),
    ...electionSettings(),
    new Option("--workers <count>", "bundles worked on at once").default(DEFAULT_WORKERS).argParser(toWorkers),
    new Option("--expiry-warning <time>", "how long before the end of a value (`expires`) its bundle says so: 14d, 12h")
      .default(toSpan(DEFAULT_EXPIRY_WARNING), DEFAULT_EXPIRY_WARNING)
      .argParser(toSpan),
    new Option("--history <count>", "applied states of each bundle that are kept, for zopp history; 0 = none")
      .default(DEFAULT_HISTORY)
      .argParser((text) => toInteger(text, 0, MAX_HISTORY, `a number from 0 to ${MAX_HISTORY}`)),
    new Option(
      "--restarts <kinds>",
      `what restarts when a Secret changes whose bundle says \`restart: auto\`: ${KINDS.join(", ")}, separated by commas`,
    )
      .default([], "none")
      .argParser(toKinds),
    new Option(
      "--rotation-jobs <switch>",
      "run the jobs that bundles ask for before new generated values are published",
    )
      .choices(["on", "off"])
      .default("off"),
    new Option(
      "--object-metrics <switch>",
      "zopp_secret_condition in /metrics: a series for each condition of each bundle",
    )
      .choices(["on", "off"])
      .default("off"),
    new Option("--log-level <level>", "least level that is logged")
      .choices(["debug", "info", "warn", "error"])
      .default("info"),
  ];
}

function electionSettings(): readonly Option[] {
  return [
    new Option(
      "--leader-elect <namespace/name>",
      "the Lease by which one of several operators leads while the others stand by (default: this is the only one)",
    ).argParser(toLease),
    new Option(
      "--keyring-elects <switch>",
      "the keyring is of the same pod, and elects too: lead only while it serves, and end when it does no more",
    )
      .choices(["on", "off"])
      .default("off"),
    new Option(
      "--shards <count>",
      "operators that work at once, each on its part of the namespaces and by a Lease of its own; all of them need the same number",
    )
      .default(1)
      .argParser((text) => toInteger(text, 1, MAX_SHARDS, `a number from 1 to ${MAX_SHARDS}`)),
  ];
}

function toNamespaces(text: string): readonly string[] {
  if (text.trim() === ALL) return [ALL];
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0 || names.some((name) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))) {
    throw new InvalidArgumentError("give names of namespaces, separated by commas, or *");
  }
  return [...new Set(names)];
}

function toLease(text: string): Place {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\/[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError("give namespace/name of a Lease");
  }
  return placeOfKey(text);
}

function toKinds(text: string): readonly WorkloadKind[] {
  const kinds = new Set(text.split(",").map((kind) => kind.trim()));
  kinds.delete("");
  const known = KINDS.filter((kind) => kinds.has(kind));
  if (known.length !== kinds.size) throw new InvalidArgumentError(`give ${KINDS.join(", ")}, separated by commas`);
  return known;
}

function toAddress(text: string): string {
  const port = Number(/^(?:\[[0-9a-f:]+\]|[-.a-zA-Z0-9]+):(\d{1,5})$/.exec(text)?.[1]);
  if (!(port > 0 && port < 65_536)) throw new InvalidArgumentError("give host:port");
  return text;
}

function toPort(text: string): number {
  return toInteger(text, 0, 65_535, "a port");
}

function toWorkers(text: string): number {
  return toInteger(text, 1, MAX_WORKERS, `a number from 1 to ${MAX_WORKERS}`);
}

function toSpan(text: string): number {
  const ms = spanMs(text);
  if (ms === undefined) throw new InvalidArgumentError("give a time like 14d, 12h or 30m");
  return ms;
}

function toInteger(text: string, least: number, most: number, noun: string): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new InvalidArgumentError(`give ${noun}`);
}
