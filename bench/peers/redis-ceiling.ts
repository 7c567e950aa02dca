import { randomBytes } from "node:crypto";
import type { Handler, Job, Peer } from "../contestant.js";
import { load } from "./load.js";

interface Client {
  connect(): Promise<void>;
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  on(event: "message", listener: (channel: string, message: string) => void): void;
  llen(key: string): Promise<number>;
  zcard(key: string): Promise<number>;
  disconnect(): void;
}

interface Ioredis {
  readonly Redis: new (url: string, options: { readonly lazyConnect: boolean }) => Client;
}

type Script = (...args: (string | number)[]) => Promise<unknown>;

const PUBLISHED = 500;
const CLAIMED = 200;
const LEASE = 30_000;
const RESULT_TTL = 60_000;

/** Ids, and after them as many bodies. */
const PUBLISH = `
local ids, fields = {}, {}
local count = #ARGV / 2
for i = 1, count do
  ids[i] = ARGV[i]
  fields[2 * i - 1] = ARGV[i]
  fields[2 * i] = ARGV[count + i]
end
redis.call('HSET', 'bodies', unpack(fields))
redis.call('RPUSH', 'ready', unpack(ids))
redis.call('PUBLISH', 'wake', '')`;

/** Leases the first jobs to the holder of a token, by the server's clock. Answers their ids and bodies. */
const CLAIM = `
local ids = redis.call('LPOP', 'ready', ARGV[1])
if not ids then return {} end
local now = redis.call('TIME')
local expiry = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2]
local leases, tokens = {}, {}
for i = 1, #ids do
  leases[2 * i - 1] = expiry
  leases[2 * i] = ids[i]
  tokens[2 * i - 1] = ids[i]
  tokens[2 * i] = ARGV[3]
end
redis.call('ZADD', 'leases', unpack(leases))
redis.call('HSET', 'tokens', unpack(tokens))
return {ids, redis.call('HMGET', 'bodies', unpack(ids))}`;

/** The first half of a settlement: only what the token still holds goes on. */
const FENCED = `
local held, count = {}, 0
local tokens = redis.call('HMGET', 'tokens', unpack(ARGV, 2, last))
for i = 1, #tokens do
  if tokens[i] == ARGV[1] then
    count = count + 1
    held[count] = ARGV[i + 1]
    keep(i)
  end
end
if count == 0 then return 0 end
redis.call('HDEL', 'bodies', unpack(held))
redis.call('HDEL', 'tokens', unpack(held))
redis.call('ZREM', 'leases', unpack(held))
return count`;

/** A token and the ids of jobs that are done. */
const SETTLE = `local last = #ARGV local function keep() end ${FENCED}`;

/** A token, ids, as many results, and how long the results live, each of which is stored and published. */
const SETTLE_WITH_RESULTS = `
local count = (#ARGV - 2) / 2
local last = count + 1
local function keep(i)
  redis.call('SET', 'result:' .. ARGV[i + 1], ARGV[last + i], 'PX', ARGV[#ARGV])
  redis.call('PUBLISH', 'results', ARGV[i + 1] .. ' ' .. ARGV[last + i])
end ${FENCED}`;

/**
 * No library, but what one Node process can do here with the structures and the fencing of our driver and nothing else:
 * no retries, priorities, delays, heartbeats, limits or errors.
 */
export const redisCeiling: Peer = {
  name: "ceiling",
  drivers: ["redis"],
  packages: ["ioredis"],
  settings:
    `hand-written, ioredis and Lua: list, hash of bodies, zset of leases, hash of tokens; published in batches of up to ` +
    `${PUBLISHED}, claimed by ${CLAIMED} while the batch before is settled; results by SET PX and PUBLISH`,
  keepsResults: true,
  async open({ place, keepResults }) {
    const { Redis } = await load<Ioredis>("ioredis");
    const commands = new Redis(place, { lazyConnect: true });
    const messages = new Redis(place, { lazyConnect: true });
    await Promise.all([commands.connect(), messages.connect()]);
    const publisher = new Publisher(await script(commands, PUBLISH));
    const waiting = new Map<string, (result: number) => void>();
    let subscribed: Promise<unknown> | undefined;
    let worker: Worker | undefined;
    messages.on("message", (channel, message) => {
      if (channel === "wake") return worker?.wake();
      const [id = "", result] = message.split(" ");
      waiting.get(id)?.(Number(result));
      waiting.delete(id);
    });
    return {
      enqueue: (...job) => publisher.add(job),
      enqueueMany: (jobs) => Promise.all(jobs.map((job) => publisher.add(job))),
      call: async (...job) => {
        subscribed ??= messages.subscribe("results");
        await subscribed;
        const id = publisher.nextId();
        const result = new Promise<number>((resolve) => waiting.set(id, resolve));
        await publisher.add(job, id);
        return result;
      },
      startWorker: async (handler) => {
        const claim = await script(commands, CLAIM);
        const settle = await script(commands, keepResults ? SETTLE_WITH_RESULTS : SETTLE);
        worker = new Worker({ claim, settle, handler, keepResults });
        await messages.subscribe("wake");
        worker.start();
      },
      remaining: async () => {
        const [ready, leased] = await Promise.all([commands.llen("ready"), commands.zcard("leases")]);
        return ready + leased;
      },
      close: async () => {
        await worker?.stop();
        commands.disconnect();
        messages.disconnect();
      },
    };
  },
};

/** Sends the calls of one turn of the event loop together. */
class Publisher {
  readonly #publish: Script;
  readonly #prefix = randomBytes(6).toString("base64url");
  #count = 0;
  #ids: string[] = [];
  #bodies: string[] = [];
  #sending: Promise<unknown> | undefined;

  constructor(publish: Script) {
    this.#publish = publish;
  }

  nextId(): string {
    return this.#prefix + (this.#count++).toString(36).padStart(6, "0");
  }

  add(job: Job, id = this.nextId()): Promise<unknown> {
    this.#ids.push(id);
    this.#bodies.push(JSON.stringify(job));
    this.#sending ??= Promise.resolve().then(() => this.#send());
    const sending = this.#sending;
    if (this.#ids.length === PUBLISHED) this.#sending = undefined;
    return sending;
  }

  #send(): Promise<unknown> {
    const [ids, bodies] = [this.#ids.splice(0, PUBLISHED), this.#bodies.splice(0, PUBLISHED)];
    if (this.#ids.length === 0) this.#sending = undefined;
    return this.#publish(...ids, ...bodies);
  }
}

interface Work {
  readonly claim: Script;
  readonly settle: Script;
  readonly handler: Handler;
  readonly keepResults: boolean;
}

/** Claims, runs and settles, with the next claim and the last settlement under way meanwhile. */
class Worker {
  readonly #work: Work;
  readonly #token = randomBytes(12).toString("base64url");
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  #awake = false;
  #onWake: () => void = () => {};

  constructor(work: Work) {
    this.#work = work;
  }

  wake(): void {
    this.#awake = true;
    this.#onWake();
  }

  start(): void {
    this.#running = this.#run();
  }

  /** The jobs that are claimed meanwhile stay so. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.wake();
    return this.#running;
  }

  async #run(): Promise<void> {
    let claiming = this.#claim();
    let settling: Promise<unknown> = Promise.resolve();
    while (!this.#stopped) {
      const [ids, bodies] = await claiming;
      if (ids === undefined || bodies === undefined) {
        await this.#woken();
        claiming = this.#claim();
        continue;
      }
      claiming = this.#claim();
      const results = bodies.map((body) => {
        const [a, b] = JSON.parse(body) as Job;
        return this.#work.handler(a, b);
      });
      await settling;
      settling = this.#settle(ids, results);
    }
    await Promise.all([claiming, settling]);
  }

  async #claim(): Promise<[ids?: string[], bodies?: string[]]> {
    this.#awake = false;
    return (await this.#work.claim(CLAIMED, LEASE, this.#token)) as [ids?: string[], bodies?: string[]];
  }

  #settle(ids: readonly string[], results: readonly number[]): Promise<unknown> {
    const { settle, keepResults } = this.#work;
    return keepResults ? settle(this.#token, ...ids, ...results, RESULT_TTL) : settle(this.#token, ...ids);
  }

  async #woken(): Promise<void> {
    if (this.#awake) return;
    await new Promise<void>((resolve) => {
      this.#onWake = resolve;
    });
  }
}

async function script(client: Client, text: string): Promise<Script> {
  const sha = (await client.call("SCRIPT", "LOAD", text)) as string;
  return (...args) => client.call("EVALSHA", sha, 0, ...args);
}
