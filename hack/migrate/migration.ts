// Owns following docs/migrating.md: somebody's shell in a checkout whose policy a running zopp serves, and its blocks.
// Does not own the other tools, nor what must be so after each step.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderManifest } from "../../cli/store/yaml.render.js";
import { formatToken } from "../../crds/crypto/token.js";
import { digestOfOwners, seedOf } from "../fixtures.js";
import { packageRoot } from "../package-root.js";
import type { Testbed } from "../testbed.js";

const ZOPP = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const PAGE = join(packageRoot(), "docs", "migrating.md");

/** Where alice follows the page: a checkout with the testbed's policy, and a PATH with zopp, kubectl and other tools. */
export class Migration {
  readonly checkout: string;
  readonly #env: NodeJS.ProcessEnv;

  /** `programs` are folders; `env` is added to what her shell has. */
  constructor(bed: Testbed, programs: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const bin = join(bed.folder, "bin");
    this.checkout = join(bed.folder, "checkout");
    mkdirSync(bin);
    writeFileSync(join(bin, "zopp"), `#!/bin/sh\nexec '${process.execPath}' '${ZOPP}' "$@"\n`);
    chmodSync(join(bin, "zopp"), 0o755);
    this.write("zopp.yaml", "workspace: acme\nproject: shop\nenvironment: production\nstore: zopp\n");
    this.write("zopp/acme.yaml", renderManifest(bed.workspace));
    this.write("zopp/acme.shop.production.yaml", renderManifest(bed.environment.object));
    this.#env = {
      PATH: [bin, bed.controlPlane.bin, ...programs, process.env["PATH"] ?? ""].join(delimiter),
      HOME: bed.folder,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "alice",
      GIT_AUTHOR_EMAIL: "alice@shop.example",
      GIT_COMMITTER_NAME: "alice",
      GIT_COMMITTER_EMAIL: "alice@shop.example",
      KUBECONFIG: bed.controlPlane.kubeconfig,
      ZOPP_TOKEN: formatToken(seedOf("alice"), digestOfOwners(bed.workspace)),
      ...env,
    };
  }

  /** Writes a file of the checkout, and its folder. */
  write(file: string, text: string): void {
    const path = join(this.checkout, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** Does what the page says under `## title` and, below it, `### step`; gives what it printed. */
  async follow(title: string, step: string): Promise<string> {
    const section = under(readFileSync(PAGE, "utf8"), "##", title);
    const blocks = [...under(section, "###", step).matchAll(/^```sh\n(.*?)^```$/gms)];
    if (blocks.length === 0) throw new Error(`docs/migrating.md has no commands under ${title}, ${step}`);
    return this.run(blocks.map(([, text = ""]) => text).join("\n"));
  }

  /** Runs lines of a shell, up to the first that fails, which is an error with what was printed. */
  run(script: string): Promise<string> {
    const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
      cwd: this.checkout,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
    return new Promise((resolve, reject) => {
      child.once("error", reject).once("close", (code) => {
        if (code === 0) resolve(text);
        else reject(new Error(`exit code ${code} of:\n${script}\n${text}`));
      });
    });
  }
}

/** The part of a page under one heading, up to the next of its level or above. */
function under(page: string, level: string, heading: string): string {
  const lines = page.split("\n");
  const start = lines.indexOf(`${level} ${heading}`);
  if (start < 0) throw new Error(`docs/migrating.md has no heading ${heading}`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^#+ /.test(line) && line.indexOf(" ") <= level.length);
  return rest.slice(0, end < 0 ? rest.length : end).join("\n");
}
