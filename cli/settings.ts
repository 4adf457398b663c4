// Which store, workspace and environment a command works on: flags before ZOPP_* before zopp.yaml searched upward.
// None of these is a pin: whatever they name is judged from one before it is trusted.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { ZoppError } from "../crds/errors.js";
import type { Context } from "./context.js";

/** The name of the file with a folder's defaults. */
export const SETTINGS_FILE = "zopp.yaml";

/** The flags that every command has. */
export interface GlobalOptions {
  readonly store?: string;
  readonly kubeconfig?: string;
  /** A kubeconfig context: the store, unless another one is named. */
  readonly context?: string;
  /** True where the flags of kubectl say what else is read, and not which store is worked on. */
  readonly readsCluster?: boolean;
  readonly workspace?: string;
  readonly output?: string;
}

/** Where objects are kept. */
export type StorePlace =
  | { readonly kind: "directory"; readonly root: string }
  | { readonly kind: "cluster"; readonly context?: string | undefined };

/** Defaults of one run. */
export interface Settings {
  readonly store?: StorePlace | undefined;
  readonly workspace?: string | undefined;
  readonly project?: string | undefined;
  readonly environment?: string | undefined;
  /** The zopp.yaml that was found. */
  readonly file?: string | undefined;
}

const FIELDS = ["workspace", "project", "environment", "store"] as const;
type SettingsFile = Partial<Record<(typeof FIELDS)[number], string>>;
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** Reads flags, ZOPP_* and the nearest zopp.yaml. Throws Malformed for a zopp.yaml with other fields, Usage for bad flags. */
export async function readSettings(context: Context, options: GlobalOptions): Promise<Settings> {
  const file = nearest(context.cwd);
  const found = file === undefined ? {} : await readSettingsFile(file);
  const { env } = context;
  const stated = options.store ?? clusterOf(options) ?? env["ZOPP_STORE"];
  return {
    store: stated === undefined ? storeOf(found.store, file) : storePlace(stated, context.cwd),
    workspace: options.workspace ?? env["ZOPP_WORKSPACE"] ?? found.workspace,
    project: env["ZOPP_PROJECT"] ?? found.project,
    environment: env["ZOPP_ENVIRONMENT"] ?? found.environment,
    file,
  };
}

/** The flags of kubectl mean a cluster too. */
function clusterOf({ context, kubeconfig, readsCluster }: GlobalOptions): string | undefined {
  if (readsCluster === true) return undefined;
  if (context !== undefined) return `cluster:${context}`;
  return kubeconfig === undefined ? undefined : "cluster";
}

/** `cluster`, `cluster:CONTEXT`, or a directory. */
export function storePlace(text: string, cwd: string): StorePlace {
  if (text === "cluster") return { kind: "cluster" };
  if (text.startsWith("cluster:")) return { kind: "cluster", context: text.slice("cluster:".length) };
  return { kind: "directory", root: resolve(cwd, text) };
}

/** A checkout's zopp.yaml may be written by others: it names nothing outside its own folder, and none of a person's clusters. */
function storeOf(store: string | undefined, file: string | undefined): StorePlace | undefined {
  if (store === undefined || file === undefined) return undefined;
  const place = storePlace(store, dirname(file));
  if (place.kind === "cluster" && place.context !== undefined) {
    throw new ZoppError("Malformed", `${file}: store names a context: choose one by --context or ZOPP_STORE`);
  }
  if (place.kind === "directory" && !liesBelow(dirname(file), place.root)) {
    throw new ZoppError(
      "Malformed",
      `${file}: store must lie below the folder of ${SETTINGS_FILE}; name others by --store`,
    );
  }
  return place;
}

/** Whether a path lies in a folder, or is it, by its name and also once links are followed. */
export function liesBelow(folder: string, path: string): boolean {
  return !leaves(folder, path) && !leaves(real(folder), real(path));
}

function leaves(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return isAbsolute(way) || way.split(/[\\/]/)[0] === "..";
}

/** Where a path leads once its links are followed, as far as it is there. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(real(dirname(path)), basename(path));
  }
}

function nearest(cwd: string): string | undefined {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const file = join(folder, SETTINGS_FILE);
    if (existsSync(file)) return file;
    if (dirname(folder) === folder) return undefined;
  }
}

async function readSettingsFile(file: string): Promise<SettingsFile> {
  const { readManifests } = await import("./store/yaml.read.js");
  const value = readManifests(readFileSync(file, "utf8"), file)[0]?.value ?? {};
  for (const [field, text] of Object.entries(value)) {
    if (!(FIELDS as readonly string[]).includes(field))
      throw new ZoppError("Malformed", `${file}: ${field} is not a field of ${SETTINGS_FILE}`);
    if (typeof text !== "string") throw new ZoppError("Malformed", `${file}: ${field} is not a string`);
  }
  return value as SettingsFile;
}

/** An environment's full path in its parts. */
export interface EnvironmentPath {
  readonly workspace: string;
  readonly project: string;
  readonly environment: string;
}

/**
 * The environment that a text means: `dev`, `shop/dev` or `acme/shop/dev`, the rest from the settings.
 * Throws Usage when something is missing or is no label.
 */
export function environmentPath(text: string | undefined, settings: Settings): EnvironmentPath {
  const parts = text === undefined ? [] : text.split("/");
  if (parts.length > 3) throw new ZoppError("Usage", "an environment reads WORKSPACE/PROJECT/ENVIRONMENT");
  const environment = parts.at(-1) ?? settings.environment;
  const project = parts.at(-2) ?? settings.project;
  const workspace = parts.at(-3) ?? settings.workspace;
  return {
    workspace: label("workspace", workspace),
    project: label("project", project),
    environment: label("environment", environment),
  };
}

/** The environment that a workspace calls by its scope, `project/environment`. */
export function pathIn(workspace: string, scope: string): EnvironmentPath {
  const [project = "", environment = ""] = scope.split("/");
  return { workspace, project, environment };
}

/** A label, or Usage saying which part is missing or malformed. */
export function label(part: string, text: string | undefined): string {
  if (text === undefined)
    throw new ZoppError(
      "Usage",
      `no ${part} is named: give it in the command, as ZOPP_${part.toUpperCase()} or in ${SETTINGS_FILE}`,
    );
  if (!LABEL.test(text))
    throw new ZoppError("Usage", `the ${part} must be of a-z, 0-9 and -, at most 63, without dots`);
  return text;
}

/** The nearest label to a name that the machine gave; `otherwise` when nothing is left of it. */
export function labelFrom(text: string, otherwise: string): string {
  const found = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return found === "" ? otherwise : found;
}

/** `acme/shop/dev`. */
export function pathText({ workspace, project, environment }: EnvironmentPath): string {
  return `${workspace}/${project}/${environment}`;
}
