import { currentJob } from "../job/current.js";
import { Retry } from "../job/decisions.js";
import { BrokerError, UnknownTaskError } from "../job/errors.js";
import type { Route } from "../route.js";
import { type AnyTask, DEFINITION, task } from "../task.js";
import { runInline } from "../worker/inline-job.js";
import type { From } from "./canvas.js";
import { type Fields, isFields, malformed, optionalNumber, textOf } from "./fields.js";
import { afterJoin, partBytes } from "./follow.js";
import type { CeleryHost } from "./protocol.js";
import { readMeta } from "./result.js";
import { send } from "./send.js";
import { type Canvas, canvasIn, readCanvas } from "./signature.js";

/** How often a chord is looked at whose backend cannot count: Celery's `result_chord_retry_interval`, in seconds. */
const INTERVAL = 1;
/** As many expired results as one `celery.backend_cleanup` deletes. */
const MOST_CLEANED = 10_000;

/** Celery does not repeat them either. */
const ONCE = { attempts: 1 } as const;

/**
 * The tasks that every worker of Celery's has: what `add.map`, `add.starmap` and `add.chunks` send, and what chords need where
 * the backend does not count. Here as there they are not among the registered ones.
 *
 * @param from - Who sends what follows.
 */
export function builtinTasks(host: CeleryHost, route: Route, from: (id: string) => From): ReadonlyMap<string, AnyTask> {
  const each = (given: Fields, argsOf: (item: unknown) => readonly unknown[]): Promise<unknown[]> =>
    runEach(host, given, argsOf);
  const tasks: readonly AnyTask[] = [
    task("celery.map", ONCE, (given: Fields) => each(given, (item) => [item])),
    task("celery.starmap", ONCE, (given: Fields) => each(given, (item) => listOf(item, "an item"))),
    task("celery.accumulate", ONCE, accumulate),
    task("celery.backend_cleanup", ONCE, async () => void (await route.backend?.sweep(MOST_CLEANED))),
    task("celery.chain", ONCE, () => {
      throw Object.assign(new Error("chain is not a real task"), { name: "NotImplementedError" });
    }),
    // What they send is sent like what follows any task: see `canvasIn`.
    task("celery.group", ONCE, (given: Fields) => checked("celery.group", given).result ?? null),
    task("celery.chunks", ONCE, (given: Fields) => void checked("celery.chunks", given)),
    task("celery.chord", ONCE, (given: Fields) => void checked("celery.chord", given)),
    task(
      "celery.chord_unlock",
      { attempts: 1_000_000, retryOn: BrokerError },
      (group: unknown, body: unknown, given: Fields) =>
        unlock(host, route, from, { group: String(group), body: readCanvas(body, "callback"), given }),
    ),
  ];
  return new Map(tasks.map((one) => [one.name, one]));
}

/** What cannot be read fails the task, and not what follows it. */
function checked(name: string, kwargs: Fields): Fields {
  canvasIn(name, kwargs);
  return kwargs;
}

/** One after the other, in this process, as in Celery. Once the job is told to stop, no further one begins. */
async function runEach(
  host: CeleryHost,
  { task: signature, it }: Fields,
  argsOf: (item: unknown) => readonly unknown[],
): Promise<unknown[]> {
  const name = textOf(isFields(signature) ? signature : {}, "task");
  const definition = host.tasks.get(name)?.[DEFINITION];
  if (definition?.handler === undefined) throw new UnknownTaskError(`this worker has no task "${name}"`);
  const { signal } = currentJob();
  const results: unknown[] = [];
  for (const item of listOf(it, "it")) {
    signal.throwIfAborted();
    results.push(await runInline(definition, argsOf(item), host));
  }
  return results;
}

/** All that it was given, or the one at an index: the end of a task that was replaced by a group. */
function accumulate(...args: unknown[]): unknown {
  const last = args.at(-1);
  const isIndex = isFields(last) && Object.keys(last).join() === "index" && typeof last.index === "number";
  return isIndex ? args[Number(last.index)] : args;
}

interface Locked {
  readonly group: string;
  readonly body: Canvas;
  readonly given: Fields;
}

/** Sends the body of a chord once all results are there; until then, it looks again every now and then. */
async function unlock(
  { settings }: CeleryHost,
  route: Route,
  from: (id: string) => From,
  { group, body, given }: Locked,
): Promise<void> {
  const ids = listOf(given.result, "result").map(idOf);
  const kept = await route.requireBackend().read(ids);
  if (kept.some((one) => one === undefined)) {
    const most = optionalNumber(given, "max_retries");
    if (most !== undefined && currentJob().attempt > most) throw new Error(`chord ${group} was not there in time`);
    throw new Retry({ delay: Math.max(1, 1000 * (optionalNumber(given, "interval") ?? INTERVAL)) });
  }
  const parts = kept.flatMap((one, at) => {
    const { status, result } = readMeta(one?.body ?? new Uint8Array());
    return [partBytes(ids[at] ?? "", String(status), result)];
  });
  const { ttl } = settings.defaults.result;
  await send(afterJoin(body, parts, from(group), ttl), from(group), route, ttl);
}

/** Of a result as Celery's `as_tuple()` writes it: `[[id, parent], children]`. */
function idOf(tuple: unknown): string {
  const [head] = listOf(tuple, "result");
  const [id] = Array.isArray(head) ? (head as unknown[]) : [head];
  if (typeof id === "string") return id;
  throw malformed("has a result without an id");
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(`has ${what} that is no list`);
}
