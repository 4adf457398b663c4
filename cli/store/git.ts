// Reads committed manifests from git's object store: HEAD's for ancestors, a revision's for a base, all for exposure.
// Never writes, and runs only git's plumbing, which executes nothing of the checkout's configuration.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { ZoppError } from "../../crds/errors.js";

/** A committed file below the folder that was asked for. */
export interface CommittedFile {
  /** Relative to that folder. */
  readonly path: string;
  readonly text: string;
}

/** A commit, and the YAML files below a folder that it has. */
export interface Commit {
  readonly id: string;
  /** When it was committed, as its committer says. */
  readonly when: Date;
  /** Ids of the files' contents by path relative to the folder. */
  readonly blobs: ReadonlyMap<string, string>;
}

/** Runs git; `input` is its stdin. stdout comes byte for byte. */
function plumb(folder: string, args: readonly string[], input = ""): Promise<{ ok: boolean; stdout: Buffer }> {
  const options = {
    cwd: folder,
    // git is as long as the repository is: what is cut off would be missing in silence
    maxBuffer: Number.POSITIVE_INFINITY,
    encoding: "buffer",
    env: { ...process.env, GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C" },
  } as const;
  return new Promise((resolve) => {
    const all = ["--no-replace-objects", "--literal-pathspecs", ...args];
    const child = execFile("git", all, options, (error, stdout) => resolve({ ok: error === null, stdout }));
    child.stdin?.on("error", () => undefined); // git that ends early says why by its exit code
    child.stdin?.end(input);
  });
}

async function git(folder: string, args: readonly string[]): Promise<{ ok: boolean; stdout: string }> {
  const { ok, stdout } = await plumb(folder, args);
  return { ok, stdout: stdout.toString("utf8") };
}

/** What git prints. Throws GitFailed when it fails: what it printed before is not all that there is. */
async function needGit(folder: string, args: readonly string[], input?: string): Promise<Buffer> {
  const { ok, stdout } = await plumb(folder, args, input);
  if (!ok) throw new ZoppError("GitFailed", `git ${args[0]} fails in ${folder}`);
  return stdout;
}

/** The text of a file at HEAD; undefined outside git, before the first commit, or where HEAD lacks it. */
export async function textAtHead(folder: string, path: string): Promise<string | undefined> {
  const { ok, stdout } = await git(folder, ["cat-file", "blob", `HEAD:./${path.split("\\").join("/")}`]);
  return ok ? stdout : undefined;
}

/** All YAML files below a folder at a revision. Throws NotFound when there is no such revision, GitFailed. */
export async function filesAt(folder: string, revision: string): Promise<readonly CommittedFile[]> {
  const found = await git(folder, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`]);
  const commit = found.stdout.trim();
  if (!found.ok || !/^[0-9a-f]{40,64}$/.test(commit))
    throw new ZoppError("NotFound", `git has no revision ${revision} here`);
  const blobs = await blobsOf(folder, commit);
  const textOf = await textsOf(folder, [...new Set(blobs.values())]);
  return [...blobs].map(([path, id]) => ({ path: join(path), text: textOf(id) }));
}

/**
 * Every commit that touched the folder, of every branch and tag or of what is checked out, oldest first. `isWhole` is false
 * where the clone is shallow. Throws NotFound outside git, GitFailed.
 */
export async function historyOf(
  folder: string,
  of: "--all" | "HEAD",
): Promise<{ commits: readonly Commit[]; isWhole: boolean }> {
  const shallow = await git(folder, ["rev-parse", "--is-shallow-repository"]);
  if (!shallow.ok)
    throw new ZoppError(
      "NotFound",
      `${folder} is no git checkout: run \`git init\` and commit, or ask a cluster by \`--store cluster\``,
    );
  const commits: Commit[] = [];
  for (const line of await commitLines(folder, of)) {
    const [seconds, id = ""] = line.split(" ");
    commits.push({ id, when: new Date(Number(seconds) * 1000), blobs: await blobsOf(folder, id) });
  }
  return { commits, isWhole: shallow.stdout.trim() === "false" };
}

/** `<seconds> <id>` of each commit; none before the first one. */
async function commitLines(folder: string, of: "--all" | "HEAD"): Promise<readonly string[]> {
  if (of === "HEAD" && !(await git(folder, ["rev-parse", "--verify", "--quiet", "HEAD"])).ok) return [];
  // a merge that dropped a branch's changes would hide that branch: whoever asks for all may not miss it
  const which = of === "--all" ? ["--all", "--full-history"] : [of];
  const log = (await needGit(folder, ["rev-list", ...which, "--reverse", "--timestamp", "--", "."])).toString("utf8");
  return log.split("\n").slice(0, -1);
}

async function blobsOf(folder: string, commit: string): Promise<ReadonlyMap<string, string>> {
  const listed = (await needGit(folder, ["ls-tree", "-r", "-z", commit, "."])).toString("utf8");
  const lines = listed.split("\0").filter((line) => /\.ya?ml$/.test(line));
  // <mode> blob <id>\t<path>; links and submodules hold no manifest
  return new Map(
    lines.flatMap((line) => {
      const [, id, path] = /^100[0-7]{3} blob ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
      return id === undefined || path === undefined ? [] : [[path, id] as const];
    }),
  );
}

/** So many contents are read by one run of git: their bytes are all held at once. */
const TEXTS_AT_ONCE = 500;

/** Gives the text of each of these blobs by its id. Throws GitFailed, as what it gives does for a blob that git has not. */
export async function textsOf(folder: string, ids: readonly string[]): Promise<(id: string) => string> {
  const texts = new Map<string, string>();
  for (let at = 0; at < ids.length; at += TEXTS_AT_ONCE) {
    const input = ids.slice(at, at + TEXTS_AT_ONCE).map((id) => `${id}\n`);
    const batch = await needGit(folder, ["cat-file", "--batch"], input.join(""));
    for (const [id, text] of splitBatch(batch)) texts.set(id, text);
  }
  return (id) => {
    const text = texts.get(id);
    if (text === undefined) throw new ZoppError("GitFailed", `git has no object ${id} any more`);
    return text;
  };
}

function splitBatch(stdout: Buffer): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (let at = 0; at < stdout.length; ) {
    const end = stdout.indexOf(10, at);
    // <id> blob <size>, or <id> missing
    const [id = "", , size] = stdout.toString("utf8", at, end).split(" ");
    at = end + 1;
    if (size === undefined) continue;
    const next = at + Number(size);
    texts.set(id, stdout.toString("utf8", at, next));
    at = next + 1;
  }
  return texts;
}
