#!/usr/bin/env node
import { main } from "./program.js";

const code = await main(process.argv);
// Modules of tasks may have opened connections when they were loaded, and a handler may go on after its grace: neither
// keeps a finished command alive. What was written must arrive first.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
