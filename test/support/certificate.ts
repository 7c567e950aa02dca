import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "./programs.js";

const run = promisify(execFile);

/** The files that `makeCertificate` writes. The certificate signs itself, so it is also the one that clients must know. */
export const CERTIFICATE = "certificate.pem";
export const KEY = "key.pem";

/** Writes a key and its certificate into a folder. It holds for two days. */
export async function makeCertificate(folder: string, hosts = "IP:127.0.0.1,DNS:localhost"): Promise<void> {
  const openssl = await findProgram({ name: "openssl", package: "openssl" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", join(folder, KEY)];
  const names = ["-subj", "/CN=127.0.0.1", "-addext", `subjectAltName=${hosts}`];
  await run(openssl, ["req", "-x509", "-days", "2", ...key, ...names, "-out", join(folder, CERTIFICATE)]);
}
