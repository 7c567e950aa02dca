import type { Driver, EventMap, EventName, Logger } from "taskwright";
import { Taskwright, type TaskwrightOptions } from "taskwright";
import type { Random } from "taskwright/contracts";
import { memory } from "taskwright/drivers/memory";
import { type Interceptor, intercept } from "../../src/intercept.js";

/** A promise that the test settles. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** The same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A real driver, each call of which passes `tap` first: to count, to hold back or to fail it. */
export function tapped(driver: Driver, tap: Interceptor): Driver {
  return { ...driver, connect: async (environment) => intercept(driver.name, await driver.connect(environment), tap) };
}

export interface LogLine {
  readonly level: keyof Logger;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A logger that keeps its lines. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];
  readonly debug = this.#writer("debug");
  readonly info = this.#writer("info");
  readonly warn = this.#writer("warn");
  readonly error = this.#writer("error");

  messages(level: keyof Logger): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message);
  }

  #writer(level: keyof Logger): Logger["info"] {
    return (fields, message) => {
      this.lines.push({ level, fields: { ...fields }, message });
    };
  }
}

/** An app on a memory driver of its own. */
export function memoryApp<Context = undefined>(options: TaskwrightOptions<Context> = {}): Taskwright<Context> {
  return new Taskwright<Context>({ broker: memory(), ...options });
}

interface Emitter {
  on<Name extends EventName>(name: Name, listener: (...args: EventMap[Name]) => void): unknown;
  off<Name extends EventName>(name: Name, listener: (...args: EventMap[Name]) => void): unknown;
}

/** The next event of this name. */
export function nextEvent<Name extends EventName>(emitter: Emitter, name: Name): Promise<EventMap[Name][0]> {
  return new Promise((resolve) => {
    const listener = (...[event]: EventMap[Name]): void => {
      emitter.off(name, listener);
      resolve(event as EventMap[Name][0]);
    };
    emitter.on(name, listener);
  });
}

/** All events of these names from now on, in their order. */
export function recordEvents(emitter: Emitter, ...names: EventName[]): { name: EventName; event: unknown }[] {
  const events: { name: EventName; event: unknown }[] = [];
  for (const name of names) emitter.on(name, (...[event]) => events.push({ name, event }));
  return events;
}

/** Rejects with the signal's reason once it aborts: what a handler that heeds its signal does. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
