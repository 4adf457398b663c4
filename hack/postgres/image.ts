// Owns the image with a PostgreSQL server, psql and the example's rotation job, for a cluster's node.
// Does not own the files in it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeArchive } from "../cluster/archive.js";
import { layOutPostgres, NOBODY, PATH } from "./root.js";

/** As the example's manifests name it. */
export const POSTGRES_IMAGE = "localhost/zopp-postgres:15";

/** Writes the archive; gives the image's name with its digest. */
export async function writePostgresImage(archive: string, log: (line: string) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-postgres-"));
  try {
    const root = join(folder, "root");
    await layOutPostgres(root, log);
    const settings = { User: `${NOBODY}:${NOBODY}`, Entrypoint: ["/bin/start"], Env: [`PATH=${PATH}`, "PGHOST=/tmp"] };
    return writeArchive(archive, { root, image: POSTGRES_IMAGE, settings });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
