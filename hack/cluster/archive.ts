// Owns making images as OCI archives of files that are there: of one static program (the pause image), and those of tests.
// Does not own the images of zopp, which are built from a Dockerfile.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
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
  const root = mkdtempSync(join(built, "root-"));
  copyFileSync(join(built, name), join(root, name));
  writeArchive(archive, { root, image, settings: { User: "65535:65535", Entrypoint: [`/${name}`] } });
  rmSync(root, { recursive: true });
  renameSync(archive, join(built, `${name}.tar`));
  return join(built, `${name}.tar`);
}

/** A container's files, and how it starts. */
export interface ImageFiles {
  /** The folder that is its root: all of it is root's. */
  readonly root: string;
  /** Its name with a tag: it is found by its digest, too. */
  readonly image: string;
  readonly settings: Readonly<Record<string, string | readonly string[]>>;
}

/**
 * Writes an image of one layer as an archive; gives its name with its digest.
 * The layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
 */
export function writeArchive(archive: string, { root, image, settings }: ImageFiles): string {
  const folder = mkdtempSync(join(tmpdir(), "zopp-image-"));
  try {
    mkdirSync(join(folder, "blobs", "sha256"), { recursive: true });
    const blob = (bytes: Buffer, mediaType: string) => {
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      writeFileSync(join(folder, "blobs", "sha256", sha256), bytes);
      return { mediaType: `application/vnd.oci.image.${mediaType}`, digest: `sha256:${sha256}`, size: bytes.length };
    };
    const json = (object: object, mediaType: string) => blob(Buffer.from(JSON.stringify(object)), mediaType);
    const layer = blob(layerOf(root, folder), "layer.v1.tar");
    const rootfs = { type: "layers", diff_ids: [layer.digest] };
    const config = json({ architecture: ARCHITECTURE, os: "linux", config: settings, rootfs }, "config.v1+json");
    const manifest = json({ schemaVersion: 2, config, layers: [layer] }, "manifest.v1+json");
    const byDigest = `${image.replace(/:[^:/]*$/, "")}@${manifest.digest}`;
    const manifests = [image, byDigest].map((name) => ({
      ...manifest,
      annotations: { "org.opencontainers.image.ref.name": name },
    }));
    writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
    tar(archive, folder, ["oci-layout", "index.json", "blobs"]);
    return byDigest;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function layerOf(root: string, folder: string): Buffer {
  const layer = join(folder, "layer.tar");
  tar(layer, root, readdirSync(root).toSorted());
  const bytes = readFileSync(layer);
  rmSync(layer);
  return bytes;
}

function tar(file: string, folder: string, names: readonly string[]): void {
  const owner = ["--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--sort=name"];
  const args = ["--create", "--file", file, "--directory", folder, ...owner];
  const { status, stderr } = spawnSync("tar", [...args, ...names], { encoding: "utf8" });
  if (status !== 0) throw new Error(`tar failed (exit code ${status}): ${stderr.trim()}`);
}
