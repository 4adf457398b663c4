// Owns bundling each program with the packages it uses: what the images hold, in build/bundle/<program>/.
// Run as it stands by Node (`node hack/bundle.ts`), compiled or not: the Dockerfile has no compiler. So it imports no file of ours.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { build, type Metafile, type Plugin } from "esbuild";

const PROGRAMS = { operator: "operator/main.ts", keyring: "operator/keyring/main.ts", cli: "cli/main.ts" } as const;

/** What has an image. */
export type Program = keyof typeof PROGRAMS;

/** A package of which something is in a bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Its folder, from the checkout's root: the key of its entry in the lock file. */
  readonly path: string;
}

/**
 * What the operator's base class imports and never needs here: zopp connects by itself (operator/kube/client.ts). What
 * little the constructor touches is there; whatever else it called would throw. hack/decisions/0006-images.md has the figures.
 */
const IN_PLACE_OF: Readonly<Record<string, string>> = {
  "@kubernetes/client-node": "export class KubeConfig { loadFromDefault() {} makeApiClient() { return {}; } }",
  gaxios: "export {};",
};

const baseClass: Plugin = {
  name: "the base class's own connection",
  setup(builder) {
    const namespace = "in-place-of";
    builder.onResolve({ filter: /^(@kubernetes\/client-node|gaxios)$/ }, ({ path, importer }) =>
      importer.includes(join("node_modules", "@dot-i", "k8s-operator")) ? { path, namespace } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace }, ({ path }) => ({ contents: IN_PLACE_OF[path] ?? "" }));
  },
};

/** CommonJS packages ask for Node's own modules by `require`. */
const REQUIRE =
  'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);';

/**
 * Writes `<out>/<program>/`: `<program>.mjs`, what it loads only when needed in `parts/`, and licenses.txt. The same
 * sources give the same bytes. Names stay as written, so that a stack says where it was.
 */
export async function bundle(root: string, program: Program, out: string): Promise<readonly BundledPackage[]> {
  const outdir = join(out, program);
  rmSync(outdir, { recursive: true, force: true });
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { [program]: PROGRAMS[program] },
    outdir,
    outExtension: { ".js": ".mjs" },
    chunkNames: "parts/[name]-[hash]",
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "external",
    banner: { js: REQUIRE },
    plugins: [baseClass],
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  const packages = packagesOf(root, metafile);
  const comments = outputFiles.filter(({ path }) => path.endsWith(".LEGAL.txt"));
  mkdirSync(join(outdir, "parts"), { recursive: true });
  for (const { path, contents } of outputFiles) if (path.endsWith(".mjs")) writeFileSync(path, contents);
  const ours = { ...JSON.parse(readFileSync(join(root, "package.json"), "utf8")), path: "." };
  const licenses = [ours, ...packages].map((one) => licenseOf(root, one));
  const kept = [...new Set(comments.map(({ text }) => text.trim()))].toSorted();
  writeFileSync(join(outdir, "licenses.txt"), [...licenses, ...kept, ""].join("\n\n"));
  return packages;
}

/** The entry points that `make bundle` has written. */
export function bundledPrograms(root: string): Readonly<Record<Program, string>> {
  const main = (program: Program) => join(root, "build", "bundle", program, `${program}.mjs`);
  return { operator: main("operator"), keyring: main("keyring"), cli: main("cli") };
}

/** The packages of which at least one byte came into the bundle, by path. */
function packagesOf(root: string, { outputs }: Metafile): readonly BundledPackage[] {
  const files = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  const paths = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []);
  return [...new Set(paths)].toSorted().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
    return { name, version, license, path };
  });
}

/** A heading, and the texts under which a package may be passed on. */
function licenseOf(root: string, { name, version, license, path }: BundledPackage): string {
  const files = globSync("{LICENSE,LICENCE,COPYING,NOTICE,license,notice}*", { cwd: join(root, path) }).toSorted();
  const texts = files.map((file) => readFileSync(join(root, path, file), "utf8").trim());
  return [`==== ${name} ${version} (${license}) ====`, ...texts].join("\n\n");
}

async function main(): Promise<void> {
  const here = import.meta.dirname;
  const root = basename(dirname(here)) === "dist" ? dirname(dirname(here)) : dirname(here);
  const out = join(root, "build", "bundle");
  for (const program of Object.keys(PROGRAMS) as Program[]) {
    const packages = await bundle(root, program, out);
    writeFileSync(join(out, `${program}.packages.json`), `${JSON.stringify(packages, null, 2)}\n`);
    console.log(`${relative(root, join(out, program))}: ${packages.length} packages`);
  }
}

if (import.meta.main) await main();
