import type { Taskwright } from "../app.js";
import { unknownKey } from "../config/nearest.js";
import type { AnyTask } from "../task.js";
import { CliError, EXIT } from "./failure.js";

/** The task of this name, or an error that names the nearest one. */
export function findTask(app: Taskwright<unknown>, name: string): AnyTask {
  const task = app.tasks.get(name);
  if (task !== undefined) return task;
  throw new CliError(unknownKey("task", name, [...app.tasks.keys()]), EXIT.notFound);
}
