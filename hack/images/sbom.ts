// Owns saying what is in an image, as CycloneDX: the npm packages in its bundle, Node, and Debian's packages of its base.
// It looks into the image; of the bundle's packages it takes the word of the bundler, which gave the very same bytes.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import type { BundledPackage } from "../bundle.js";

/** What an SBOM is made of. */
export interface SbomParts {
  /** The image's name, without registry and tag. */
  readonly name: string;
  readonly version: string;
  /** Of the image's manifest. */
  readonly digest: string;
  /** The folder that is a container's root. */
  readonly root: string;
  readonly packages: readonly BundledPackage[];
  /** The lock file's text. */
  readonly lock: string;
}

type Component = Models.Component;
const { Library, Container, Application } = Enums.ComponentType;

/** The SBOM's text. The same image gives the same text: no serial number, no time. */
export function sbomOf({ name, version, digest, root, packages, lock }: SbomParts): string {
  const image = component(Container, name, version, `pkg:oci/${name}@${encodeURIComponent(digest)}`);
  image.licenses.add(new Models.SpdxLicense("Apache-2.0"));
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: image }) });
  const { packages: locked } = JSON.parse(lock) as { packages: Readonly<Record<string, { integrity?: string }>> };
  const parts = [nodeOf(root), ...debianOf(root), ...packages.map((one) => npmOf(one, locked[one.path]?.integrity))];
  for (const part of parts) {
    bom.components.add(part);
    image.dependencies.add(part.bomRef);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function component(type: Enums.ComponentType, name: string, version: string, purl: string): Component {
  return new Models.Component(type, name, { version, purl, bomRef: purl });
}

/** npm writes a scope's @ as %40. */
function npmOf({ name, version, license }: BundledPackage, integrity: string | undefined): Component {
  const found = component(Library, name, version, `pkg:npm/${name.replace("@", "%40")}@${version}`);
  const plain = license.replace(/^\((.*)\)$/, "$1");
  found.licenses.add(
    / (AND|OR|WITH) /.test(plain) ? new Models.LicenseExpression(plain) : new Models.SpdxLicense(plain),
  );
  const digest = integrity?.replace(/^sha512-/, "");
  if (digest === undefined) throw new Error(`the lock file has no digest of ${name} ${version}`);
  found.hashes.set(Enums.HashAlgorithm["SHA-512"], Buffer.from(digest, "base64").toString("hex"));
  return found;
}

/** Its version as the binary itself holds it, where it names its sources. */
function nodeOf(root: string): Component {
  const version = /\/node-v(\d+\.\d+\.\d+)\.tar\.gz/.exec(readFileSync(join(root, "nodejs/bin/node"), "latin1"))?.[1];
  if (version === undefined) throw new Error("the image's Node does not say its version");
  const found = component(Application, "node", version, `pkg:generic/node@${version}`);
  found.licenses.add(new Models.SpdxLicense("MIT"));
  return found;
}

function debianOf(root: string): readonly Component[] {
  const folder = join(root, "var/lib/dpkg/status.d");
  return readdirSync(folder)
    .toSorted()
    .map((file) => {
      const fields = new Map(
        readFileSync(join(folder, file), "utf8")
          .split("\n")
          .map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]),
      );
      const [name, version] = [fields.get("Package") ?? file, fields.get("Version") ?? ""];
      const purl = `pkg:deb/debian/${name.replaceAll("+", "%2B")}@${encodeURIComponent(version)}`;
      return component(Library, name, version, `${purl}?arch=${fields.get("Architecture")}`);
    });
}
