// Owns building the three images in a store and writing them as OCI archives.
// What is in them is the Dockerfile's business.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../crds/version.js";
import type { Program } from "../bundle.js";
import { packageRoot } from "../package-root.js";
import { ensureBases, type Tell } from "./bases.js";
import type { Store } from "./buildah.js";

/** Names of the images, by what they run. */
export const IMAGES = { operator: "zopp-operator", keyring: "zopp-keyring", cli: "zopp" } as const;
export const PROGRAMS = Object.keys(IMAGES) as readonly Program[];

/** Paths of the archives in a folder. */
export function archivesIn(folder: string): Readonly<Record<Program, string>> {
  const path = (program: Program) => join(folder, `${IMAGES[program]}.tar`);
  return { operator: path("operator"), keyring: path("keyring"), cli: path("cli") };
}

/** Builds the images and writes their archives into a folder. */
export async function buildImages(store: Store, out: string, tell: Tell): Promise<void> {
  const bases = await ensureBases(store, tell);
  mkdirSync(out, { recursive: true });
  const buildArgs = { BUILD_IMAGE: bases.build, RUNTIME_IMAGE: bases.runtime };
  for (const [program, archive] of Object.entries(archivesIn(out)) as [Program, string][]) {
    const tag = `localhost/${IMAGES[program]}:${VERSION}`;
    await store.build({ tag, context: packageRoot(), target: program, buildArgs });
    rmSync(archive, { force: true });
    await store.save(tag, archive);
  }
}
