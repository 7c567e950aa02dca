import {
  countOf,
  type Fields,
  isFields,
  malformed,
  optionalFields,
  optionalFlag,
  optionalList,
  optionalNumber,
  optionalText,
  textOf,
} from "./fields.js";
import { optionalInstant } from "./instant.js";

/**
 * A task with arguments and options bound, in Celery's form: what `add.s(1)` is on the wire. Canvases are signatures whose
 * `subtask_type` says which, with their parts in `kwargs`.
 */
export interface WireSignature {
  readonly task: string;
  readonly args: readonly unknown[];
  readonly kwargs: Fields;
  readonly options: Fields;
  readonly subtask_type: string | null;
  /** Takes nothing from the task before it (`si`). */
  readonly immutable: boolean;
}

/** A signature, taken apart. */
export type Canvas =
  | { readonly kind: "task"; readonly signature: WireSignature }
  | { readonly kind: "chain"; readonly signature: WireSignature; readonly steps: readonly Canvas[] }
  | { readonly kind: "group"; readonly signature: WireSignature; readonly members: readonly Canvas[] }
  | {
      readonly kind: "chord";
      readonly signature: WireSignature;
      readonly header: readonly Canvas[];
      readonly body: Canvas;
    };

/** What callers mark a workflow with (`sig.stamp(...)`, from Celery 5.3 on), and which of it is theirs, as in the headers. */
export interface Stamps {
  readonly stamped_headers: readonly string[];
  readonly stamps: Fields;
}

/** What nests deeper is nobody's workflow. */
const DEEPEST = 100;

/** Reads one signature, and all in it. Throws UnreadableError. */
export function readCanvas(value: unknown, where: string, depth = 0): Canvas {
  if (depth > DEEPEST) throw malformed(`has signatures nested deeper than ${DEEPEST} levels in its ${where}`);
  const signature = readSignature(value, where, depth);
  const { kwargs, subtask_type: kind } = signature;
  const read = (one: unknown, part: string): Canvas => readCanvas(one, `${where}.${part}`, depth + 1);
  switch (kind) {
    case "chain":
      return { kind, signature, steps: listOf(kwargs.tasks, `${where}.tasks`).map((one) => read(one, "tasks")) };
    case "group":
      return { kind, signature, members: listOf(kwargs.tasks, `${where}.tasks`).map((one) => read(one, "tasks")) };
    case "chunks":
      return readCanvas(starmaps(signature, where), where, depth + 1);
    case "chord":
      return { kind, signature, header: readHeader(kwargs.header, read), body: read(kwargs.body, "body") };
    default:
      return { kind: "task", signature };
  }
}

/** `add.chunks(it, n)` is a group of starmaps, of `n` items each. */
function starmaps(
  { kwargs: { task, it, n }, options: { task_id: _, ...options } }: WireSignature,
  where: string,
): object {
  const size = typeof n === "number" && Number.isSafeInteger(n) && n > 0 ? n : 0;
  if (size === 0) throw malformed(`has a ${where} whose chunks have no size`);
  const items = listOf(it, `${where}.it`);
  const tasks = Array.from({ length: Math.ceil(items.length / size) }, (__, at) => {
    const kwargs = { task, it: items.slice(at * size, (at + 1) * size) };
    return { task: "celery.starmap", args: [], kwargs, options, subtask_type: "xstarmap", immutable: true };
  });
  return { task: "celery.group", args: [], kwargs: { tasks }, options: {}, subtask_type: "group", immutable: false };
}

/** Reads a field that holds a signature, several, or none. */
export function readCanvases(value: unknown, where: string, depth = 0): Canvas[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map((one) => readCanvas(one, where, depth));
}

/** The canvas that a message of one of Celery's own tasks is, where it is one. */
export function canvasIn(name: string, kwargs: Fields): { canvas: Canvas; args: readonly unknown[] } | undefined {
  const signature = { task: name, args: [], kwargs, options: {}, immutable: false };
  const { partial_args: partial = [], group_id: id } = kwargs;
  const args = listOf(partial, "partial_args");
  switch (name) {
    case "celery.group":
      return { canvas: readCanvas({ ...signature, options: { task_id: id }, subtask_type: "group" }, "group"), args };
    case "celery.chunks":
      return { canvas: readCanvas({ ...signature, subtask_type: "chunks" }, "chunks"), args };
    case "celery.chord":
      return { canvas: readCanvas({ ...signature, subtask_type: "chord" }, "chord"), args };
    default:
      return undefined;
  }
}

/** A chord's header is a list, or a group with the list in it. */
function readHeader(value: unknown, read: (one: unknown, part: string) => Canvas): Canvas[] {
  if (Array.isArray(value)) return value.map((one) => read(one, "header"));
  const header = read(value, "header");
  return header.kind === "group" ? [...header.members] : [header];
}

function readSignature(value: unknown, where: string, depth: number): WireSignature {
  if (!isFields(value)) throw malformed(`has a ${where} that is no signature`);
  const args = value.args ?? [];
  if (!Array.isArray(args)) throw malformed(`has args in its ${where} that are no list`);
  const options = optionalFields(value, "options") ?? {};
  checkOptions(options, where, depth);
  return {
    task: textOf(value, "task"),
    args,
    kwargs: optionalFields(value, "kwargs") ?? {},
    options,
    subtask_type: optionalText(value, "subtask_type") ?? null,
    immutable: optionalFlag(value, "immutable") ?? false,
  };
}

/** What is read of the options when the signature is sent: it must not turn out wrong then, when its parent has run. */
function checkOptions(options: Fields, where: string, depth: number): void {
  for (const name of ["task_id", "group_id", "root_id", "parent_id", "reply_to", "queue", "routing_key", "shadow"]) {
    optionalText(options, name);
  }
  for (const name of ["group_index", "retries"]) countOf(options, name);
  for (const name of ["countdown", "priority", "time_limit", "soft_time_limit"]) optionalNumber(options, name);
  stampsOf(options);
  optionalInstant(options, "eta");
  if (typeof options.expires !== "number") optionalInstant(options, "expires");
  optionalFields(options, "headers");
  for (const name of ["link", "link_error", "chain", "chord"]) {
    readCanvases(options[name], `${where}.${name}`, depth + 1);
  }
}

/** A signature has its stamps among its options, each by its name, and says which names are stamps. */
export function stampsOf(options: Fields): Stamps | undefined {
  const names = optionalList(options, "stamped_headers") ?? [];
  if (names.length === 0) return undefined;
  if (!names.every((name) => typeof name === "string")) throw malformed("has stamped_headers that are no names");
  return {
    stamped_headers: names,
    stamps: Object.fromEntries(names.map((name) => [name, Object.hasOwn(options, name) ? options[name] : null])),
  };
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(`has a ${where} that is no list`);
}
