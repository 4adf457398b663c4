// Owns the manifest by which krew, kubectl's plugin manager, installs zopp: from the npm package's archive.
// Does not own the archive.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { renderManifest } from "../../cli/store/yaml.render.js";

/** What a manifest speaks of. */
export interface KrewParts {
  readonly version: string;
  /** The path of the npm package's tarball. */
  readonly archive: string;
  /** Where the files of the release will lie. */
  readonly url: string;
  /** The range of Node's versions, as package.json says it. */
  readonly node: string;
}

/** The manifest's text; its file must be called zopp.yaml. */
export function krewManifest({ version, archive, url, node }: KrewParts): string {
  const os = { key: "os", operator: "In", values: ["linux", "darwin"] };
  return renderManifest({
    apiVersion: "krew.googlecontainertools.github.com/v1alpha2",
    kind: "Plugin",
    metadata: { name: "zopp" },
    spec: {
      version: `v${version}`,
      homepage: "https://zopp.dev",
      shortDescription: "Seal and sign secrets as custom resources",
      description:
        "Writes, reads and checks Kubernetes secrets that live encrypted and signed as custom resources, in git and in the cluster.\n",
      caveats: `Needs Node ${node} in PATH.\n`,
      platforms: [
        {
          selector: { matchExpressions: [os] },
          uri: `${url}/${basename(archive)}`,
          sha256: createHash("sha256").update(readFileSync(archive)).digest("hex"),
          files: [{ from: "package/*", to: "." }],
          bin: "cli.mjs",
        },
      ],
    },
  });
}
