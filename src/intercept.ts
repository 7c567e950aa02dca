import type { Connection } from "./contracts/index.js";

/** One call of one contract method, on its way to a driver. */
export interface DriverCall {
  readonly driver: string;
  readonly contract:
    | "broker"
    | "consumer"
    | "backend"
    | "coordinator"
    | "notifier"
    | "inspector"
    | "joiner"
    | "exchanges"
    | "queueInspector"
    | "broadcaster";
  readonly method: string;
  readonly args: readonly unknown[];
}

/**
 * Surrounds driver calls. It calls `next` once (fault injection also not at all, or twice) and returns or throws what the
 * caller shall see.
 */
export type Interceptor = (call: DriverCall, next: () => Promise<unknown>) => Promise<unknown>;

const CONTRACTS = [
  "broker",
  "backend",
  "coordinator",
  "notifier",
  "inspector",
  "joiner",
  "exchanges",
  "queueInspector",
  "broadcaster",
] as const;

/**
 * The one seam between the core and every driver: metrics, tracing, error mapping and fault injection stand here. Calls
 * are batches, so what it costs (0.3 microseconds a call) is shared by the jobs of a batch.
 */
export function intercept(driver: string, connection: Connection, interceptor: Interceptor): Connection {
  const wrapped: Record<string, unknown> = {
    ping: () => connection.ping(),
    close: () => connection.close(),
  };
  if (connection.openReplies !== undefined) wrapped.openReplies = () => connection.openReplies?.();
  for (const contract of CONTRACTS) {
    const target = connection[contract];
    if (target !== undefined) wrapped[contract] = wrap(driver, contract, target, interceptor);
  }
  return wrapped as unknown as Connection;
}

function wrap<T extends object>(
  driver: string,
  contract: DriverCall["contract"],
  target: T,
  interceptor: Interceptor,
): T {
  const calls = new Map<PropertyKey, unknown>();
  return new Proxy(target, {
    get(_, key) {
      const known = calls.get(key);
      if (known !== undefined) return known;
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== "function") return method;
      const call = async (...args: unknown[]): Promise<unknown> => {
        const next = (): Promise<unknown> => Reflect.apply(method, target, args);
        const answer = await interceptor({ driver, contract, method: String(key), args }, next);
        return key === "consume" ? wrap(driver, "consumer", answer as object, interceptor) : answer;
      };
      calls.set(key, call);
      return call;
    },
  });
}
