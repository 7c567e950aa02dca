import type { Command } from "commander";
import { Taskwright } from "../app.js";
import { loadConfigFile } from "../config/file.js";
import type { Settings } from "../config/resolve.js";
import type { Logger } from "../contracts/index.js";
import { defaultLogger } from "../logger.js";
import { type LoadedApp, loadApp, type ModuleRequest } from "./modules.js";
import { collectSettingFlags } from "./setting-flags.js";

/** What a command works with: an app with the file and the flags laid around its code. */
export interface Session extends LoadedApp {
  readonly settings: Settings;
}

/** The options that every command has. */
export interface CommonOptions {
  readonly json?: true;
  readonly debug?: true;
  readonly config?: string;
}

/** Commands print their own results; `doctor` shows what drivers warn of, and a worker logs it when it starts. */
const QUIET: Logger = { ...defaultLogger, warn() {} };

/** For commands that can, but need not, have the code of the tasks at hand. */
export interface AppOptions extends CommonOptions {
  readonly app?: string;
}

/** Adds `--app`. */
export function addAppOption(command: Command): Command {
  return command.option("--app <module>", "the module that exports the app, as tasks.ts or tasks.ts#app");
}

/** Opens a session with the app of `--app`, or one made of the settings alone. */
function openSession(command: Command): Promise<Session> {
  const { app } = command.optsWithGlobals<AppOptions>();
  return openModules(command, { modules: app === undefined ? [] : [app], discover: [] });
}

/** Opens a session with the app found in modules. Nothing is connected yet. */
export async function openModules(command: Command, request: ModuleRequest): Promise<Session> {
  const { config } = command.optsWithGlobals<CommonOptions>();
  const file = await loadConfigFile(process.cwd(), config);
  const any = request.modules.length + request.discover.length > 0;
  const loaded = any ? await loadApp(request) : { app: new Taskwright<unknown>({ logger: QUIET }), files: [] };
  loaded.app.configure({ file, flags: collectSettingFlags(command) });
  return { ...loaded, settings: await loaded.app.settings() };
}

/** Opens a session, and closes its app whatever happens. */
export async function withSession<T>(command: Command, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(command);
  try {
    return await use(session);
  } finally {
    await session.app.close();
  }
}
