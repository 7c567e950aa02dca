import { type RedisServer, startRedis } from "./server.js";

let server: Promise<RedisServer> | undefined;
let places = 0;

/**
 * The URL of an empty place on the one Redis of this process, such as `redis://127.0.0.1:12345?prefix=case-1`: a key prefix
 * that nobody had before. The server is started by the first call, in 30 ms, and ends with the process, so vitest's
 * processes, one for a test file, each have their own.
 */
export async function redisPlace(): Promise<string> {
  server ??= startRedis();
  const { url } = await server;
  places += 1;
  return `${url}?prefix=case-${places}`;
}
