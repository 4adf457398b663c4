// A store in a directory: multi-document YAML files anywhere below it, found by what they hold.
// Editing text is yaml.edit.ts' business, replacing files that of files.ts.
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { ZoppError } from "../../crds/errors.js";
import { type Disk, type FileChange, replaceFiles, unwritable } from "./files.js";
import { filesAt, historyOf, textAtHead, textsOf } from "./git.js";
import {
  type Change,
  type Contents,
  type Found,
  KINDS,
  type Kind,
  type Kinds,
  nameOf,
  type ObjectName,
  parseFound,
  type Store,
} from "./store.js";
import { editDocument } from "./yaml.edit.js";
import { readManifests } from "./yaml.read.js";
import { renderManifest } from "./yaml.render.js";

const API_VERSION = "zopp.dev/v1alpha1";
const OURS: ReadonlySet<string> = new Set<Kind>(KINDS);
/** The API group in a file is what makes it worth parsing: templates of other tools need not be YAML at all. */
const MARK = /zopp\.dev\/v/;
const SKIPPED: ReadonlySet<string> = new Set([".git", "node_modules"]);

/** An object with its place in its file. */
interface Located extends Found {
  readonly path: string;
  readonly index: number;
}

/** What a directory held at one commit. An object that did not change is the same one in every commit. */
export interface Past {
  readonly commit: string;
  readonly when: Date;
  readonly objects: readonly Found[];
}

/** A directory store, which can also show git revisions of itself. */
export interface DirectoryStore extends Store {
  readonly kind: "directory";
  /** What the directory held at a git revision. Throws NotFound for an unknown one, GitFailed. */
  at(revision: string): Promise<Contents>;
  /**
   * What it held at every commit, of every branch or (HEAD) of what is checked out, oldest first; `isWhole` is false in a
   * shallow clone; `problems` are the files that could not be read. Throws NotFound, GitFailed.
   */
  history(of?: "HEAD"): Promise<History>;
}

/** All that git remembers of a directory. */
export interface History {
  readonly past: readonly Past[];
  readonly problems: Contents["problems"];
  readonly isWhole: boolean;
}

/** Where a directory store lies and how its files are called in messages. */
export interface DirectoryOptions {
  /** Absolute path; it need not exist yet. */
  readonly root: string;
  /** The folder that messages' paths are relative to. */
  readonly cwd: string;
  readonly disk?: Disk;
}

/** Opens a directory of manifests. Nothing is read before it is asked for. */
export function openDirectory(options: DirectoryOptions): DirectoryStore {
  const { root, cwd, disk } = options;
  const shown = (path: string): string => relative(cwd, join(root, path)) || ".";
  const known: Known = new Map();
  const load = (): Scan => scan(root, shown, known);
  return {
    title: `directory ${relative(cwd, root) || "."}`,
    kind: "directory",
    contents: async (namespace) => {
      const { objects, problems } = load();
      if (namespace === undefined) return { objects, problems };
      const isWanted = (each: Found) =>
        each.kind !== "ZoppSecret" || each.namespace === undefined || each.namespace === namespace;
      return { objects: objects.filter(isWanted), problems };
    },
    read: async (kind, name) => {
      const found = locate(load(), kind, name);
      return found === undefined ? undefined : parseFound(kind, found.value, found.where);
    },
    write: async (changes) => {
      const edits = new Map<string, FileChange>();
      const scanned = load();
      const touched = changes.map((change) => edit(options, scanned, edits, change));
      const real = [...edits.values()].filter(({ before, after }) => before !== after);
      replaceFiles(real, disk);
      return touched.map(shown);
    },
    committed: (kind, name) => committed(root, load(), kind, name),
    at: async (revision) => {
      const files = await filesAt(root, revision);
      const all = files.map(({ path, text }) => parsed(path, `${revision}:${path}`, text));
      return {
        objects: all.flatMap(({ objects }) => objects),
        problems: all.flatMap(({ problems }) => problems),
      };
    },
    history: (of) => history(root, of ?? "--all"),
    close: async () => {},
  };
}

interface Scan extends Contents {
  /** What the files said that hold our objects, by path. */
  readonly texts: Map<string, string>;
  readonly objects: Located[];
  readonly problems: { readonly where: string; readonly error: ZoppError }[];
}

function emptyScan(): Scan {
  return { objects: [], problems: [], texts: new Map() };
}

/** What files held when they were read last: what did not change is not parsed again. */
type Known = Map<string, Parsed & { readonly text: string }>;

function scan(root: string, shown: (path: string) => string, known: Known): Scan {
  const found = emptyScan();
  for (const path of yamlFiles(root, "")) {
    const text = readFileSync(join(root, path), "utf8");
    if (!MARK.test(text)) continue;
    const before = known.get(path);
    const now = before?.text === text ? before : { text, ...parsed(path, shown(path), text) };
    known.set(path, now);
    found.texts.set(path, text);
    found.objects.push(...now.objects);
    found.problems.push(...now.problems);
  }
  return found;
}

/** Symbolic links are not followed: they could lead outside, and inside they would show an object twice. */
function yamlFiles(root: string, folder: string): string[] {
  let entries: ReturnType<typeof readEntries>;
  try {
    entries = readEntries(join(root, folder));
  } catch (error) {
    if (folder === "" && (error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new ZoppError("NotFound", `cannot read the folder ${join(root, folder)}`, { cause: error });
  }
  const sorted = entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : yamlFiles(root, path);
    return entry.isFile() && /\.ya?ml$/.test(entry.name) ? [path] : [];
  });
}

function readEntries(folder: string) {
  return readdirSync(folder, { withFileTypes: true });
}

/** What one file holds of ours. */
interface Parsed {
  readonly objects: readonly Located[];
  readonly problems: Scan["problems"];
}

function parsed(path: string, where: string, text: string): Parsed {
  if (!MARK.test(text)) return { objects: [], problems: [] };
  try {
    return { objects: readManifests(text, where).flatMap((each) => located(path, where, each)), problems: [] };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return { objects: [], problems: [{ where, error }] };
  }
}

function located(path: string, where: string, { index, value }: { index: number; value: unknown }): Located[] {
  const { apiVersion, kind, metadata } = value as {
    apiVersion?: unknown;
    kind?: unknown;
    metadata?: Partial<ObjectName>;
  };
  if (apiVersion !== API_VERSION || typeof kind !== "string" || !OURS.has(kind)) return [];
  const name = typeof metadata?.name === "string" ? metadata.name : "";
  const namespace = typeof metadata?.namespace === "string" ? metadata.namespace : undefined;
  const place = kind === "ZoppSecret" ? { namespace, name } : { name };
  return [{ kind: kind as Kind, ...place, where, path, index, value }];
}

/** The one object of that name. Throws Malformed when it stands there twice, or may hide in a file that cannot be read. */
function locate(scanned: Scan, kind: Kind, name: ObjectName): Located | undefined {
  const named = scanned.objects.filter((object) => object.kind === kind && object.name === name.name);
  // a bundle that does not say its namespace could be any of that name
  const [first, second] = named.filter(({ namespace }) => namespace === undefined || namespace === name.namespace);
  if (second !== undefined && first !== undefined) {
    const places =
      first.where === second.where ? `twice in ${first.where}` : `in two files: ${first.where} and ${second.where}`;
    throw new ZoppError("Malformed", `${kind} ${nameOf(name)} stands ${places}`);
  }
  const [unread] = scanned.problems;
  if (first === undefined && unread !== undefined) throw unread.error;
  return first;
}

/** Adds one change to the edits of its file; gives the file's path. */
function edit(options: DirectoryOptions, scanned: Scan, edits: Map<string, FileChange>, change: Change): string {
  const found = locate(scanned, change.kind, change);
  const present = found === undefined ? undefined : parseFound(change.kind, found.value, found.where);
  const next = change.change(present) as unknown as Readonly<Record<string, unknown>>;
  const path = found?.path ?? newPath(change);
  const file = join(options.root, path);
  const edited = edits.get(file) ?? {
    file,
    before: scanned.texts.get(path) ?? textIfThere(options.root, path),
    after: "",
  };
  const text = edits.get(file)?.after ?? edited.before ?? "";
  const after = found === undefined ? appended(text, next) : editDocument(text, found.index, next, found.where);
  edits.set(file, { ...edited, after });
  return path;
}

function appended(text: string, object: unknown): string {
  if (text.trim() === "") return renderManifest(object);
  return `${text.endsWith("\n") ? text : `${text}\n`}---\n${renderManifest(object)}`;
}

/** Where a new object goes: bundles by namespace, policy at the top, a baseline beside its environment. */
function newPath({ kind, namespace, name }: Change): string {
  if (kind === "ZoppSecret") return join(namespace ?? "", `${name}.yaml`);
  return kind === "ZoppBaseline" ? `${name}.baseline.yaml` : `${name}.yaml`;
}

/** The text of a file that holds nothing of ours yet; undefined when it is not there. Throws FileUnwritable for links. */
function textIfThere(root: string, path: string): string | undefined {
  const file = join(root, path);
  try {
    refuseLinks(root, path);
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unwritable(file, error);
  }
}

/** A link below the root, in the place of the file or of a folder on the way, would lead the write outside. */
function refuseLinks(root: string, path: string): void {
  const parts = path.split(sep);
  for (const [at] of parts.entries()) {
    const way = join(root, ...parts.slice(0, at + 1));
    if (lstatSync(way).isSymbolicLink()) throw new ZoppError("FileUnwritable", `${way} is a symbolic link`);
  }
}

async function committed<K extends Kind>(
  root: string,
  scanned: Scan,
  kind: K,
  name: ObjectName,
): Promise<Kinds[K] | undefined> {
  const found = locate(scanned, kind, name);
  const text = found === undefined ? undefined : await textAtHead(root, found.path);
  if (text === undefined || found === undefined) return undefined;
  const old = parsed(found.path, `HEAD:${found.path}`, text).objects.find(
    (object) => object.kind === kind && object.name === name.name && object.namespace === name.namespace,
  );
  return old === undefined ? undefined : parseFound(kind, old.value, old.where);
}

async function history(root: string, of: "--all" | "HEAD"): Promise<History> {
  const { commits, isWhole } = await historyOf(root, of);
  const files = new Map<string, { readonly id: string; readonly path: string }>();
  for (const { blobs } of commits) for (const [path, id] of blobs) files.set(`${id} ${path}`, { id, path });
  const textOf = await textsOf(root, [...new Set([...files.values()].map(({ id }) => id))]);
  const read = new Map<string, Parsed>();
  for (const [file, { id, path }] of files) read.set(file, parsed(path, `${id.slice(0, 12)}:${path}`, textOf(id)));
  const past = commits.map(({ id, when, blobs }) => ({
    commit: id,
    when,
    objects: [...blobs].flatMap(([path, blob]) => read.get(`${blob} ${path}`)?.objects ?? []),
  }));
  return { past, problems: [...read.values()].flatMap(({ problems }) => problems), isWhole };
}
