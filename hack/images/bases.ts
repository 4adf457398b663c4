// Owns the two images that ours are built on, made here of Debian's and npm's packages, without a registry of images.
// The build base has a shell and npm and is left behind; what is in the runtime base is in runtime-base.ts.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inCache } from "../cache.js";
import { packageRoot } from "../package-root.js";
import { CA_IN_BUILD, output, type Store } from "./buildah.js";
import { layOutRuntime, RUNTIME_CONTAINERFILE } from "./runtime-base.js";

const SUITE = "bookworm";
const NPM = {
  version: "11.19.1",
  integrity: "sha512-ztsxKxt/kkIaAs+2i0GU6I+DRmUdrNasxTZKJe9TCdSjKxlhah/4r/hl5ygMD6XAg1qZ9c2TNomR4qgOydp10g==",
};
const BUILD_CONTAINERFILE = `FROM scratch
ADD debian.tar /
COPY node /usr/local/bin/node
COPY package /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ENV PATH=/usr/local/bin:/usr/bin:/bin NODE_EXTRA_CA_CERTS=${CA_IN_BUILD}
`;

/** Told what is made and how long it takes. */
export type Tell = (line: string) => void;

/** Both bases' tags in a store, after making those that are not there. */
export async function ensureBases(
  store: Store,
  tell: Tell,
): Promise<{ readonly build: string; readonly runtime: string }> {
  const node = nodeOfLock();
  const build = tagOf("build", [recipe("bases"), SUITE, NPM.version, node.version]);
  const runtime = tagOf("runtime", [recipe("runtime-base"), SUITE, node.version]);
  const there = await store.ids();
  if (!there.has(build)) await makeBuildBase(store, build, node.file, tell);
  if (!there.has(runtime)) {
    tell("making the runtime base of Node and Debian's libraries: about 15 s, once");
    await inFolder(async (folder) => {
      await layOutRuntime(folder, node.file, inCache(process.env, "images", `debs-${SUITE}`));
      await buildBase(store, runtime, folder, RUNTIME_CONTAINERFILE);
    });
  }
  return { build, runtime };
}

/** Node as the lock file pins it for this machine: what the tests run with. */
function nodeOfLock(): { readonly file: string; readonly version: string } {
  const folder = join(packageRoot(), "node_modules", `node-linux-${process.arch}`);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  return { file: join(folder, "bin", "node"), version };
}

/** How a base is made, to the letter: another way makes another base. */
function recipe(module: string): string {
  return [module, "buildah"].map((name) => readFileSync(join(import.meta.dirname, `${name}.js`), "utf8")).join("");
}

function tagOf(name: string, inputs: readonly string[]): string {
  return `localhost/zopp-${name}-base:${createHash("sha256").update(inputs.join("\0")).digest("hex").slice(0, 16)}`;
}

async function makeBuildBase(store: Store, tag: string, node: string, tell: Tell): Promise<void> {
  const debian = inCache(process.env, "images", `${SUITE}.tar`);
  if (!existsSync(debian)) {
    tell("making the build base with mmdebstrap: about a minute, once");
    mkdirSync(inCache(process.env, "images"), { recursive: true });
    const partial = `${debian}.${process.pid}.tar`;
    await output("mmdebstrap", ["--quiet", "--variant=minbase", "--include=ca-certificates", SUITE, partial]);
    renameSync(partial, debian);
  }
  await inFolder(async (folder) => {
    await output("npm", ["pack", "--silent", `npm@${NPM.version}`], folder);
    const archive = join(folder, `npm-${NPM.version}.tgz`);
    const digest = createHash("sha512").update(readFileSync(archive)).digest("base64");
    if (`sha512-${digest}` !== NPM.integrity)
      throw new Error(`npm ${NPM.version} is not what it was: sha512-${digest}`);
    await output("tar", ["-xzf", archive, "-C", folder, "--no-same-owner"]);
    copyFileSync(debian, join(folder, "debian.tar"));
    copyFileSync(node, join(folder, "node"));
    await buildBase(store, tag, folder, BUILD_CONTAINERFILE);
  });
}

async function buildBase(store: Store, tag: string, context: string, containerfile: string): Promise<void> {
  const file = join(context, "Containerfile");
  writeFileSync(file, containerfile);
  await store.build({ tag, context, file, afresh: true });
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-base-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
