// Owns looking into an OCI archive: its configuration, its size, and the files that a container of it sees.
// Does not own making one.
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { output } from "./buildah.js";

/** What an image says of itself. */
export interface ImageConfig {
  readonly architecture: string;
  readonly created: string;
  readonly config: {
    readonly User?: string;
    readonly Env?: readonly string[];
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly Labels?: Readonly<Record<string, string>>;
    readonly Volumes?: Readonly<Record<string, object>>;
  };
  readonly history: readonly { readonly created_by?: string }[];
}

/** An image laid out in a folder, until the work is done. */
export interface OpenedImage {
  /** Of its manifest: the same for the same image. */
  readonly digest: string;
  readonly tag: string;
  readonly config: ImageConfig;
  readonly compressedBytes: number;
  /** The folder that is a container's root. */
  readonly root: string;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Opens an archive, does the work, removes the folder. */
export async function withImage<T>(archive: string, work: (image: OpenedImage) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-image-"));
  try {
    return await work(await open(archive, folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function open(archive: string, folder: string): Promise<OpenedImage> {
  const [layout, root] = [join(folder, "layout"), join(folder, "root")];
  await output("mkdir", [layout, root]);
  await output("tar", ["-xf", archive, "-C", layout]);
  const blob = ({ digest }: Descriptor) => join(layout, "blobs", ...digest.split(":"));
  const read = (file: string) => JSON.parse(readFileSync(file, "utf8"));
  const { manifests } = read(join(layout, "index.json")) as { manifests: readonly [Descriptor] };
  const [{ digest, annotations }] = manifests;
  const manifest = read(blob(manifests[0])) as { config: Descriptor; layers: readonly Descriptor[] };
  for (const layer of manifest.layers) await output("tar", ["-xzf", blob(layer), "-C", root, "--same-permissions"]);
  const tag = annotations?.["org.opencontainers.image.ref.name"] ?? "";
  const compressedBytes = statSync(archive).size;
  return { digest, tag, config: read(blob(manifest.config)) as ImageConfig, compressedBytes, root };
}
