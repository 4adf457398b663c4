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

/** Builds the images that changed; gives the ids of all three, by tag. */
export async function buildImages(store: Store, tell: Tell): Promise<Readonly<Record<string, string>>> {
  const bases = await ensureBases(store, tell);
  const buildArgs = { BUILD_IMAGE: bases.build, RUNTIME_IMAGE: bases.runtime };
  for (const target of PROGRAMS) await store.build({ tag: tagOf(target), context: packageRoot(), target, buildArgs });
  const ids = await store.ids();
  const idOf = (tag: string): string => {
    const id = ids.get(tag);
    if (!id?.startsWith("sha256:")) throw new Error(`buildah names no id of ${tag}`);
    return id;
  };
  return Object.fromEntries(PROGRAMS.map(tagOf).map((tag) => [tag, idOf(tag)]));
}

/** Writes the images' archives into a folder. */
export async function saveImages(store: Store, out: string): Promise<void> {
  mkdirSync(out, { recursive: true });
  for (const [program, archive] of Object.entries(archivesIn(out)) as [Program, string][]) {
    rmSync(archive, { force: true });
    await store.save(tagOf(program), archive);
  }
}

function tagOf(program: Program): string {
  return `localhost/${IMAGES[program]}:${VERSION}`;
}
