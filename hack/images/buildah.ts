// Owns running buildah as root without a daemon: a store of its own, and no mount left behind, also after a failure.
// Does not own what is built.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** Debian's packages that building takes, each with a program of it. */
export const BUILDERS = {
  buildah: "buildah",
  mmdebstrap: "mmdebstrap",
  binutils: "strip",
  "util-linux": "unshare",
} as const;

/** Where the machine's certificates are in a build base while it is used: npm asks its registry from in there. */
export const CA_IN_BUILD = "/run/ca.crt";
const CA_OF_MACHINE = process.env["NODE_EXTRA_CA_CERTS"] || "/etc/ssl/certs/ca-certificates.crt";

/** What one image is built from. */
export interface ImageBuild {
  readonly tag: string;
  readonly context: string;
  readonly file?: string;
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Layers of former builds are not used again. */
  readonly afresh?: boolean;
}

/** A folder of images. */
export class Store {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** The ids of the images by their tags: the same id, the same image. */
  async ids(): Promise<ReadonlyMap<string, string>> {
    const text = await this.#buildah(["images", "--no-trunc", "--format", "{{.Name}}:{{.Tag}} {{.ID}}"]);
    return new Map(text.split("\n").map((line) => line.split(/ +/) as [string, string]));
  }

  /** Builds with every time set to 1970, so that the same files give the same digest. Layers are kept for the next build. */
  async build({ tag, context, file, target, buildArgs = {}, afresh = false }: ImageBuild): Promise<void> {
    const args = ["bud", "--isolation", "chroot", `--layers=${!afresh}`, "--timestamp", "0", "--pull-never"];
    args.push("--identity-label=false", "-t", tag);
    args.push("-v", `${CA_OF_MACHINE}:${CA_IN_BUILD}:ro`);
    if (file !== undefined) args.push("-f", file);
    if (target !== undefined) args.push("--target", target);
    for (const [name, value] of Object.entries(buildArgs)) args.push("--build-arg", `${name}=${value}`);
    await this.#buildah([...args, context]);
  }

  /** Writes an image as an OCI archive that says its name. */
  async save(tag: string, archive: string): Promise<void> {
    await this.#buildah(["push", "--quiet", tag, `oci-archive:${archive}:${tag}`]);
  }

  #buildah(args: readonly string[]): Promise<string> {
    const where = ["--root", join(this.folder, "root"), "--runroot", join(this.folder, "run")];
    // buildah's mounts end with this namespace
    return output("unshare", ["--mount", "buildah", ...where, "--storage-driver", "overlay", ...args]);
  }
}

/** What a program prints; a failure is an error with the end of what it said. */
export async function output(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd });
  let [text, all] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (part) => {
    text += part;
    all += part;
  });
  child.stderr.setEncoding("utf8").on("data", (part) => (all += part));
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} failed (${code}):\n${all.slice(-4000)}`);
  return text;
}
