// Owns making an image of one static program, as an OCI archive: the pause image, and those of tests.
// Does not own the images of zopp, which are built from a Dockerfile.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GoOptions, goPrograms } from "../go-programs.js";
import { packageRoot } from "../package-root.js";
import { PAUSE_IMAGE } from "./site.js";

const ARCHITECTURE = process.arch === "x64" ? "amd64" : process.arch;

/** An image whose one file is the program `/<name>`, without rights. */
interface SmallImage {
  /** The folder of the program's sources, below `hack/cluster`. */
  readonly name: string;
  readonly version: string;
  /** As pods name it. */
  readonly image: string;
}

/** Holds the namespaces of every pod. */
export const PAUSE: SmallImage = { name: "pause", version: "1", image: PAUSE_IMAGE };

/** Builds the program and gives the path of an archive of its image, from the cache where it is there. */
export async function smallImage({ name, version, image }: SmallImage, options: GoOptions): Promise<string> {
  const module = join(packageRoot(), "hack", "cluster", name);
  const programs = [{ name, goPackage: `zopp.dev/${name}`, minutes: 0.2, megabytes: 6 }];
  const title = `the cluster's image ${name}`;
  const built = await goPrograms({ title, name: `cluster-${name}`, version, module, ldflags: "", programs }, options);
  const archive = join(built, `${name}.${process.pid}.tar`);
  writeArchive(join(built, name), `/${name}`, image, archive);
  renameSync(archive, join(built, `${name}.tar`));
  return join(built, `${name}.tar`);
}

/** The layout of an archive: https://github.com/opencontainers/image-spec/blob/main/image-layout.md. */
function writeArchive(program: string, path: string, image: string, archive: string): void {
  const folder = mkdtempSync(join(tmpdir(), "zopp-image-"));
  try {
    mkdirSync(join(folder, "blobs", "sha256"), { recursive: true });
    const blob = (bytes: Buffer, mediaType: string) => {
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      writeFileSync(join(folder, "blobs", "sha256", sha256), bytes);
      return { mediaType: `application/vnd.oci.image.${mediaType}`, digest: `sha256:${sha256}`, size: bytes.length };
    };
    const json = (object: object, mediaType: string) => blob(Buffer.from(JSON.stringify(object)), mediaType);
    const layer = blob(layerOf(program, path, folder), "layer.v1.tar");
    const rootfs = { type: "layers", diff_ids: [layer.digest] };
    const settings = { User: "65535:65535", Entrypoint: [path] };
    const config = json({ architecture: ARCHITECTURE, os: "linux", config: settings, rootfs }, "config.v1+json");
    const manifest = json({ schemaVersion: 2, config, layers: [layer] }, "manifest.v1+json");
    const named = { ...manifest, annotations: { "org.opencontainers.image.ref.name": image } };
    writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
    tar(archive, folder, ["oci-layout", "index.json", "blobs"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function layerOf(program: string, path: string, folder: string): Buffer {
  const root = mkdtempSync(join(folder, "root-"));
  const layer = `${root}.tar`;
  copyFileSync(program, join(root, path));
  tar(layer, root, [path.slice(1)]);
  const bytes = readFileSync(layer);
  rmSync(root, { recursive: true });
  rmSync(layer);
  return bytes;
}

function tar(file: string, folder: string, names: readonly string[]): void {
  const args = ["--create", "--file", file, "--directory", folder, "--owner=0", "--group=0", "--numeric-owner"];
  const { status, stderr } = spawnSync("tar", [...args, "--mtime=@0", ...names], { encoding: "utf8" });
  if (status !== 0) throw new Error(`tar failed (exit code ${status}): ${stderr.trim()}`);
}
