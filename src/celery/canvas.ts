import type { OutgoingJob } from "../contracts/broker.js";
import { resolveWhen } from "../contracts/clock.js";
import { countOf, type Fields, optionalFields, optionalNumber, optionalText } from "./fields.js";
import { derivedId, writeMessage } from "./outgoing.js";
import { type Canvas, readCanvas, readCanvases, stampsOf, type WireSignature } from "./signature.js";
import { fromWire } from "./signature-data.js";
import type { Form } from "./values.js";

/** What a workflow's next steps come to: nothing is sent yet. */
export interface Sending {
  readonly jobs: OutgoingJob[];
  /** How many parts each chord waits for, by its group's id. */
  readonly chords: { readonly group: string; readonly parts: number }[];
}

/** Who sends the next steps, and how. */
export interface From {
  /** The job that leads to them. */
  readonly id: string;
  readonly rootId: string;
  readonly now: number;
  readonly form: Form;
  /** Where a task goes whose signature names no queue. */
  readonly queueOf: (task: string) => string;
}

/** A result handle as Celery's `as_tuple()` writes it: `[[id, parent], children]`. */
export type ResultTuple = readonly [readonly [string, unknown], readonly unknown[] | null];

/**
 * Sends signatures of any kind, as Celery's `apply_async` does: chains one step at a time with the rest in the message, the
 * members of a group together, a chord's header with its body in each.
 */
export class Applier {
  readonly sending: Sending = { jobs: [], chords: [] };
  readonly #from: From;

  constructor(from: From) {
    this.#from = from;
  }

  /**
   * Plans one signature.
   *
   * @param args - Come before its own arguments, unless it is immutable.
   * @param over - Options that are stronger than its own.
   * @param place - Where in the workflow it stands, to derive an id from.
   */
  apply(canvas: Canvas, args: readonly unknown[], over: Fields, place: string): ResultTuple {
    switch (canvas.kind) {
      case "task":
        return this.#task(canvas.signature, args, over, place);
      case "chain":
        return this.#chain(canvas, args, over, place);
      case "group":
        return this.#group(canvas, args, over, place);
      case "chord":
        return this.#chord(canvas, args, over, place);
    }
  }

  #task(signature: WireSignature, args: readonly unknown[], over: Fields, place: string): ResultTuple {
    const options = merged(signature.options, over);
    const { id: parentId, rootId, form, now, queueOf } = this.#from;
    const { queue, priority, notBefore, expires, timeout, result, ...own } = fromWire({ ...signature, options }).data
      .options;
    const id = own.id ?? derivedId(parentId, place);
    const chord =
      options.chord === undefined || options.chord === null ? undefined : readCanvas(options.chord, "chord");
    this.sending.jobs.push(
      writeMessage({
        id,
        task: signature.task,
        queue: queue ?? optionalText(options, "routing_key") ?? queueOf(signature.task),
        priority: priority ?? 0,
        args: argsOf(signature, args),
        kwargs: signature.kwargs,
        rootId,
        parentId,
        form,
        groupId: optionalText(options, "group_id"),
        groupIndex: indexOf(options),
        retries: countOf(options, "retries"),
        eta: notBefore && resolveWhen(notBefore, now),
        expires: expires && resolveWhen(expires, now),
        hardLimit: timeout === undefined ? undefined : timeout / 1000,
        softLimit: optionalNumber(options, "soft_time_limit"),
        ignoreResult: result?.keep === false,
        replyTo: optionalText(options, "reply_to"),
        shadow: optionalText(options, "shadow"),
        callbacks: wires(readCanvases(options.link, "link")),
        errbacks: wires(readCanvases(options.link_error, "link_error")),
        chain: wires(readCanvases(options.chain, "chain")),
        chord: chord?.signature,
        headers: optionalFields(options, "headers"),
        stamps: stampsOf(options),
      }),
    );
    return [[id, null], null];
  }

  /** The first step is sent with the others in its message, the next one last. What ends the chain goes to its last step. */
  #chain(
    canvas: Extract<Canvas, { kind: "chain" }>,
    args: readonly unknown[],
    over: Fields,
    place: string,
  ): ResultTuple {
    const { task_id, group_id, group_index, chord, chain, link, link_error, ...rest } = merged(
      canvas.signature.options,
      over,
    );
    const steps = upgraded(flattened(canvas.steps));
    const last = steps.length - 1;
    const frozen = steps.map((step, at) => {
      const own = at === last ? present({ task_id, group_id, group_index, chord, link }) : {};
      const id = step.signature.options.task_id ?? own.task_id ?? derivedId(this.#from.id, `${place}.${at}`);
      return withOptions(withErrbacks(step, link_error), { ...own, task_id: id });
    });
    const [first, ...others] = frozen;
    if (first === undefined) return [[derivedId(this.#from.id, place), null], []];
    const following = [...readCanvases(chain, "chain"), ...others.reverse()];
    const given = argsOf(canvas.signature, args);
    return this.apply(first, given, { ...rest, chain: wires(following) }, `${place}.0`);
  }

  #group(
    canvas: Extract<Canvas, { kind: "group" }>,
    args: readonly unknown[],
    over: Fields,
    place: string,
  ): ResultTuple {
    const { task_id, ...options } = merged(canvas.signature.options, over);
    const group = typeof task_id === "string" ? task_id : derivedId(this.#from.id, place);
    const members = unrolled(canvas.members);
    const children = members.map((member, at) => {
      const id = member.signature.options.task_id ?? derivedId(this.#from.id, `${place}.${at}`);
      return this.apply(withOptions(member, { task_id: id }), args, { ...options, group_id: group }, `${place}.${at}`);
    });
    const chord = options.chord ?? members.at(-1)?.signature.options.chord;
    if (chord !== undefined && chord !== null) this.#expect(group, members);
    return [[group, null], children];
  }

  #chord(
    canvas: Extract<Canvas, { kind: "chord" }>,
    args: readonly unknown[],
    over: Fields,
    place: string,
  ): ResultTuple {
    const { task_id, chain, chord, link, link_error, group_id, group_index, ...options } = merged(
      canvas.signature.options,
      over,
    );
    const ends = present({ task_id, chain, chord, link, link_error, group_id, group_index });
    const id = canvas.body.signature.options.task_id ?? task_id ?? derivedId(this.#from.id, `${place}.body`);
    const body = withOptions(canvas.body, {
      ...ends,
      task_id: id,
      root_id: this.#from.rootId,
      parent_id: this.#from.id,
    });
    const members = unrolled(canvas.header);
    const result: ResultTuple = [[String(id), null], null];
    if (members.length === 0) return this.apply(body, [[]], {}, `${place}.body`);
    const group = groupOf(canvas) ?? derivedId(this.#from.id, place);
    const given = argsOf(canvas.signature, args);
    for (const [at, member] of members.entries()) {
      const memberId = member.signature.options.task_id ?? derivedId(this.#from.id, `${place}.${at}`);
      const bound = { task_id: memberId, group_id: group, group_index: at, chord: body.signature };
      this.apply(withOptions(member, bound), given, options, `${place}.${at}`);
    }
    this.#expect(group, members);
    return result;
  }

  #expect(group: string, members: readonly Canvas[]): void {
    this.sending.chords.push({ group, parts: members.reduce((sum, member) => sum + sizeOf(member), 0) });
  }
}

/** How many results a signature leaves in the group it is in. */
function sizeOf(canvas: Canvas): number {
  if (canvas.kind === "group") return canvas.members.reduce((sum, member) => sum + sizeOf(member), 0);
  if (canvas.kind === "chord") return sizeOf(canvas.body);
  if (canvas.kind === "chain")
    return (
      [...canvas.steps]
        .reverse()
        .map(sizeOf)
        .find((size) => size > 0) ?? 0
    );
  return 1;
}

/** The id that a frozen chord's header has. */
function groupOf({ signature }: Canvas): string | undefined {
  const header = signature.kwargs.header;
  const options = typeof header === "object" && header !== null && "options" in header ? header.options : undefined;
  const id = typeof options === "object" && options !== null && "task_id" in options ? options.task_id : undefined;
  return typeof id === "string" ? id : undefined;
}

function argsOf({ args, immutable }: WireSignature, given: readonly unknown[]): readonly unknown[] {
  return immutable ? args : [...given, ...args];
}

/** Stronger options win, but the group that a signature is in is its own, and it keeps its stamps. */
function merged(own: Fields, over: Fields): Fields {
  const group = own.group_id ?? over.group_id;
  const stamped = [...new Set([...namesIn(own), ...namesIn(over)])];
  return {
    ...own,
    ...present(over),
    ...(group !== undefined && { group_id: group }),
    ...(stamped.length > 0 && { stamped_headers: stamped }),
  };
}

function namesIn({ stamped_headers: names }: Fields): readonly unknown[] {
  return Array.isArray(names) ? names : [];
}

function present(options: Fields): Fields {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== null));
}

function withOptions<C extends Canvas>(canvas: C, more: Fields): C {
  return { ...canvas, signature: { ...canvas.signature, options: { ...canvas.signature.options, ...more } } };
}

function withErrbacks(canvas: Canvas, errbacks: unknown): Canvas {
  if (errbacks === undefined || errbacks === null) return canvas;
  const all = [
    ...readCanvases(canvas.signature.options.link_error, "link_error"),
    ...readCanvases(errbacks, "link_error"),
  ];
  return withOptions(canvas, { link_error: wires(all) });
}

function wires(canvases: readonly Canvas[]): WireSignature[] {
  return canvases.map(wireOf);
}

/** The signature, with what was changed in its parts. */
function wireOf(canvas: Canvas): WireSignature {
  return canvas.signature;
}

/** A chain in a chain is its steps. */
function flattened(steps: readonly Canvas[]): Canvas[] {
  return steps.flatMap((step) => (step.kind === "chain" ? flattened(step.steps) : [step]));
}

/** A group in a group is its members. */
function unrolled(members: readonly Canvas[]): Canvas[] {
  return members.flatMap((member) => (member.kind === "group" ? unrolled(member.members) : [member]));
}

/** A group that something follows is the header of a chord. */
function upgraded(steps: readonly Canvas[]): Canvas[] {
  const done: Canvas[] = [];
  for (const step of steps) {
    const before = done.at(-1);
    if (before?.kind === "group" && before.members.length > 0) done[done.length - 1] = chordOf(before, step);
    else done.push(step);
  }
  return done;
}

function chordOf(group: Extract<Canvas, { kind: "group" }>, body: Canvas): Canvas {
  const kwargs = { kwargs: {}, header: group.signature, body: body.signature };
  const options = present({ task_id: body.signature.options.task_id });
  const signature = { task: "celery.chord", args: [], kwargs, options, subtask_type: "chord", immutable: false };
  return { kind: "chord", signature, header: group.members, body };
}

function indexOf(options: Fields): number | undefined {
  return options.group_index === undefined || options.group_index === null
    ? undefined
    : countOf(options, "group_index");
}
