// Owns what lies in the runtime base: Node, the libraries it needs, certificates, accounts. The layout is that of the
// public distroless images of Node, so that one Dockerfile fits both. No shell, nothing to install with.
import {
  chmodSync,
  chownSync,
  cpSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { output } from "./buildah.js";

export const RUNTIME_CONTAINERFILE = `FROM scratch
ADD rootfs.tar /
ENV PATH=/nodejs/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
WORKDIR /home/nonroot
ENTRYPOINT ["/nodejs/bin/node"]
`;

const PACKAGES = ["libc6", "libgcc-s1", "libstdc++6", "ca-certificates"];
/** Of those packages, what Node loads, and the terms of each. */
const KEPT = [
  "{,usr/}lib/*-linux-gnu/{libc,libm,libdl,libpthread,libresolv,libnss_dns,libnss_files,libgcc_s,libstdc++}.so.*",
  "{,usr/}lib/*-linux-gnu/ld-linux-*",
  "{,usr/}lib*/ld-linux-*",
  "usr/share/doc/*/copyright",
];
const FILES = {
  "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
  "etc/group": "root:x:0:\nnonroot:x:65532:\n",
  "etc/nsswitch.conf": "hosts: files dns\n",
};

/** Writes the root file system as `<context>/rootfs.tar`, which keeps owners. Debian's packages are downloaded into `debs` once and used again from there. */
export async function layOutRuntime(context: string, node: string, debs: string): Promise<void> {
  const root = join(context, "rootfs");
  for (const folder of ["etc/ssl/certs", "home/nonroot", "nodejs/bin", "tmp", "var/lib/dpkg/status.d"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  chmodSync(join(root, "tmp"), 0o1777);
  chownSync(join(root, "home/nonroot"), 65532, 65532);
  const unpacked = `${root}.unpacked`;
  for (const deb of await download(debs)) {
    await output("dpkg-deb", ["--extract", deb, unpacked]);
    const control = await output("dpkg-deb", ["--field", deb]);
    // where scanners look in images that have no dpkg
    writeFileSync(join(root, "var/lib/dpkg/status.d", /^Package: (.*)$/m.exec(control)?.[1] ?? ""), control);
  }
  for (const file of KEPT.flatMap((pattern) => globSync(pattern, { cwd: unpacked }))) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    cpSync(join(unpacked, file), join(root, file), { verbatimSymlinks: true });
  }
  const authorities = globSync("usr/share/ca-certificates/mozilla/*.crt", { cwd: unpacked }).toSorted();
  const bundle = authorities.map((file) => readFileSync(join(unpacked, file), "utf8")).join("");
  writeFileSync(join(root, "etc/ssl/certs/ca-certificates.crt"), bundle);
  for (const [file, text] of Object.entries(FILES)) writeFileSync(join(root, file), text);
  await output("strip", ["-o", join(root, "nodejs/bin/node"), node]);
  rmSync(unpacked, { recursive: true });
  const version = (await output("chroot", [root, "/nodejs/bin/node", "--version"])).trim();
  if (!version.startsWith("v24.")) throw new Error(`the runtime base's Node says ${version}`);
  await output("tar", ["--sort=name", "-cf", join(context, "rootfs.tar"), "-C", root, "."]);
}

async function download(debs: string): Promise<readonly string[]> {
  mkdirSync(debs, { recursive: true });
  const there = () => readdirSync(debs).filter((file) => file.endsWith(".deb"));
  if (there().length < PACKAGES.length) await output("apt-get", ["download", "--quiet", ...PACKAGES], debs);
  return there()
    .toSorted()
    .map((file) => join(debs, file));
}
