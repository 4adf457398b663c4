// Reads committed manifests from git's object store: HEAD's for ancestors, any revision's for `verify --base`.
// Never writes, and runs only git's plumbing, which executes nothing of the checkout's configuration.
import { execFile } from "node:child_process";
import { join, posix } from "node:path";
import { ZoppError } from "../../crds/errors.js";

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** A committed file below the folder that was asked for. */
export interface CommittedFile {
  /** Relative to that folder. */
  readonly path: string;
  readonly text: string;
}

function git(folder: string, args: readonly string[]): Promise<{ ok: boolean; stdout: string }> {
  const options = {
    cwd: folder,
    maxBuffer: MAX_OUTPUT_BYTES,
    env: { ...process.env, GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C" },
  };
  return new Promise((resolve) => {
    execFile("git", ["--no-replace-objects", "--literal-pathspecs", ...args], options, (error, stdout) =>
      resolve({ ok: error === null, stdout }),
    );
  });
}

/** The text of a file at HEAD; undefined outside git, before the first commit, or where HEAD lacks it. */
export async function textAtHead(folder: string, path: string): Promise<string | undefined> {
  const { ok, stdout } = await git(folder, ["cat-file", "blob", `HEAD:./${path.split("\\").join("/")}`]);
  return ok ? stdout : undefined;
}

/** All YAML files below a folder at a revision. Throws NotFound when there is no such revision. */
export async function filesAt(folder: string, revision: string): Promise<readonly CommittedFile[]> {
  const found = await git(folder, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`]);
  const commit = found.stdout.trim();
  if (!found.ok || !/^[0-9a-f]{40,64}$/.test(commit))
    throw new ZoppError("NotFound", `git has no revision ${revision} here`);
  const prefix = (await git(folder, ["rev-parse", "--show-prefix"])).stdout.trim();
  const tree = await git(folder, ["ls-tree", "-r", "-z", "--name-only", commit, "."]);
  const paths = tree.stdout.split("\0").filter((path) => /\.ya?ml$/.test(path));
  const files: CommittedFile[] = [];
  for (const path of paths) {
    const blob = await git(folder, ["cat-file", "blob", `${commit}:${posix.join(prefix, path)}`]);
    if (blob.ok) files.push({ path: join(path), text: blob.stdout });
  }
  return files;
}
