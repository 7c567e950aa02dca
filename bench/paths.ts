import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../scripts/shell.js";

/** This folder. The peers are installed in it. */
export const BENCH = fileURLToPath(new URL(".", import.meta.url));

/** Where the processes' code is compiled to. It is in the package's own scope, so that it imports what users import. */
export const COMPILED = join(ROOT, `.build-bench-${process.pid}`);
