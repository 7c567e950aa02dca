/**
 * What examples may use without showing where it comes from, so that each can be about one thing: an app and its parts,
 * and a little of a user's own world. Declared globally for the examples; what an example declares itself comes first.
 */
export const STAGE = `
declare const app: import("taskwright").Taskwright;
declare const add: import("taskwright").Task<[a: number, b: number], number>;
declare const job: import("taskwright").Job<number>;
declare const sendMail: import("taskwright").Task<[to: string, subject: string], Promise<void>>;
declare const worker: import("taskwright").Worker;

declare const id: string;
declare const input: unknown;
declare const signal: AbortSignal;

declare const hostname: typeof import("node:os").hostname;
declare const os: typeof import("node:os");
declare const z: typeof import("zod").z;

declare class Money {
  static parse(data: unknown): Money;
  readonly cents: number;
  readonly currency: string;
}
declare class Pool {
  query(sql: string): Promise<{ rows: unknown[] }>;
  end(): Promise<void>;
}
declare class RateLimited extends Error {
  readonly resetIn: number;
}
declare function alertSupport(...details: unknown[]): Promise<void>;
declare function deliver(...details: unknown[]): Promise<void>;

declare module "pino";
`;
