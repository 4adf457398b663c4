// The images as `make images` left them: what is in them, what is not, and that they run from a read-only root.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, lstatSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import t from "tap";
import { VERSION } from "../../crds/version.js";
import { RUNTIME } from "../child.js";
import { eventually } from "../eventually.js";
import { packageRoot } from "../package-root.js";
import { startTestbed } from "../testbed.js";
import { withImage } from "./archive.js";
import { archivesIn, IMAGES, PROGRAMS } from "./build.js";
import { output } from "./buildah.js";
import { inRoot } from "./run.js";

const OUT = join(packageRoot(), "build", "images");
const archives = archivesIn(OUT);
const refusal = PROGRAMS.every((program) => existsSync(archives[program])) ? false : "`make images` was not run";
const skip = process.getuid?.() === 0 ? refusal : "only root can lay out an image's files";

/** Every file and link, by its path in the image. */
const filesIn = (root: string) =>
  globSync("**/{*,.*}", { cwd: root }).filter((file) => !lstatSync(join(root, file)).isDirectory());

/** Certificates that this machine trusts and Debian does not ship: they let builds out, and must not come along. */
function certificatesOfMachine(): readonly string[] {
  const split = (text: string) => text.match(/-----BEGIN CERTIFICATE-----[^-]+/g) ?? [];
  const shipped = globSync("/usr/share/ca-certificates/mozilla/*.crt").flatMap((file) =>
    split(readFileSync(file, "utf8")),
  );
  const bundle = process.env["NODE_EXTRA_CA_CERTS"] || "/etc/ssl/certs/ca-certificates.crt";
  return existsSync(bundle) ? split(readFileSync(bundle, "utf8")).filter((one) => !shipped.includes(one)) : [];
}

for (const program of PROGRAMS) {
  const name = IMAGES[program];

  t.test(`${name} runs one program as a user without rights, and says what it is`, { skip }, (t) =>
    withImage(archives[program], async ({ config: { config, created }, tag, compressedBytes }) => {
      t.equal(tag, `localhost/${name}:${VERSION}`);
      t.equal(config.User, "65532:65532");
      t.strictSame(config.Entrypoint, ["/nodejs/bin/node", `/app/${program}.mjs`]);
      t.notOk(config.Cmd?.length, "arguments are the user's alone");
      t.match(config.Labels, {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.description": String,
      });
      const env = Object.fromEntries((config.Env ?? []).map((line) => line.split(/=(.*)/s)));
      if (program !== "cli") t.match(env, RUNTIME, "started as the tests and the benchmark start it");
      t.match(created, /^1970-01-01T00:00:00/);
      t.ok(compressedBytes < 60e6, `${compressedBytes} bytes`);
    }),
  );

  t.test(`${name} holds no shell, no package manager, nothing that any user may change`, { skip }, (t) =>
    withImage(archives[program], async ({ root }) => {
      const files = filesIn(root);
      const programs = files.filter((file) => {
        const stat = lstatSync(join(root, file));
        return stat.isFile() && (stat.mode & 0o111) !== 0 && !/\.so\b/.test(file);
      });
      t.strictSame(programs, ["nodejs/bin/node"], "one file can be executed");
      t.strictSame(
        files.filter((file) => /(^|\/)(node_modules|npm|(ba|da)?sh|busybox|apt|dpkg)$|(^|\/)node_modules\//.test(file)),
        [],
      );
      const loose = files.filter((file) => {
        const { mode, uid } = lstatSync(join(root, file));
        return !lstatSync(join(root, file)).isSymbolicLink() && ((mode & 0o6022) !== 0 || uid !== 0);
      });
      t.strictSame(loose, [], "every file is root's, for others to read");
      t.equal(lstatSync(join(root, "tmp")).mode & 0o7777, 0o1777);
      t.equal(lstatSync(join(root, "home/nonroot")).uid, 65532);
      t.ok(files.includes("app/licenses.txt"));
    }),
  );

  t.test(`${name} carries nothing of the place where it was built`, { skip }, (t) =>
    withImage(archives[program], async ({ root, config }) => {
      const registry = new URL((await output("npm", ["config", "get", "registry"])).trim()).host;
      const marks = [packageRoot(), hostname(), registry, ...certificatesOfMachine()].filter((mark) => mark.length > 3);
      const places = filesIn(root).filter((file) => lstatSync(join(root, file)).isFile());
      const texts = places.map((file) => [file, readFileSync(join(root, file), "latin1")] as const);
      for (const [place, text] of [...texts, ["its configuration", JSON.stringify(config)] as const]) {
        const seen = marks.filter((mark) => text.includes(mark));
        if (seen.length > 0) t.fail(`${place} holds ${seen}`);
      }
      t.ok(places.length > 15, "files were read");
    }),
  );

  t.test(
    `${name}'s SBOM is valid CycloneDX and lists what was bundled, Node and the libraries`,
    { skip },
    async (t) => {
      const text = readFileSync(join(OUT, `${name}.cdx.json`), "utf8");
      t.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text), null);
      const broken = text.replace('"type": "library"', '"type": "no such thing"');
      t.not(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(broken), null, "the check can fail");
      const { components } = JSON.parse(text) as {
        components: readonly { name: string; group?: string; version: string }[];
      };
      const listed = new Set(components.map((one) => `${one.name} ${one.version}`));
      const lock = JSON.parse(readFileSync(join(packageRoot(), "package-lock.json"), "utf8"));
      t.ok(listed.has(`undici ${lock.packages["node_modules/undici"].version}`));
      t.ok(listed.has(`node ${lock.packages[`node_modules/node-linux-${process.arch}`].version}`));
      t.match([...listed], /libc6 /);
      t.notMatch([...listed].join("\n"), /^(tap|typescript|esbuild) /m);
    },
  );
}

t.test(
  "the images' operator and keyring make a Secret, follow a change and end well, from read-only roots",
  { skip },
  (t) =>
    withImage(archives.operator, (operator) =>
      withImage(archives.keyring, async (keyring) => {
        const bed = await startTestbed({ programs: { operator: inRoot(operator), keyring: inRoot(keyring) } });
        try {
          for (const [at, value] of ["one", "two"].entries()) {
            // versions are seconds: the change is written later than what it changes
            await bed.applyBundle(bed.seal({ PASSWORD: value }, { now: new Date(Date.now() + at * 2000) }));
            await eventually(async () => (await bed.secret()).data?.["PASSWORD"] === value);
          }
          t.equal(await bed.operator.stop(), 0, "the operator ends well");
          t.equal(await bed.keyring.stop(), 0, "the keyring ends well");
        } finally {
          await bed.stop();
        }
      }),
    ),
);

t.test("the CLI's image says its version, and what is wrong", { skip }, (t) =>
  withImage(archives.cli, async (cli) => {
    const { main, node = [""] } = inRoot(cli);
    const [program, ...args] = node;
    const run = (...words: string[]) => spawnSync(program, [...args, main, ...words], { encoding: "utf8" });
    t.match(run("--version"), { status: 0, stdout: `${VERSION}\n` });
    t.match(run("list"), { status: 2, stderr: /no store is named/ });
  }),
);
