import { describe, expect, it } from "vitest";
import { resolveSettings, resolveWorkerSettings } from "../../src/config/resolve.js";
import { SETTINGS, type TaskwrightConfig } from "../../src/config/schema.js";
import { ConfigError } from "../../src/job/errors.js";

/** For every setting: text a person might write, and the value it must become. A setting without an entry fails the test. */
const EXAMPLES: Record<string, { text: string; value: unknown; wrong: string }> = {
  broker: { text: "sqlite:./other.db", value: "sqlite:./other.db", wrong: "nowhere" },
  backend: { text: "memory:", value: "memory:", wrong: "nowhere" },
  protocol: { text: "celery", value: "celery", wrong: "resque" },
  queuePlaces: {
    text: '{"celery":{"protocol":"celery","broker":"redis://localhost"}}',
    value: { celery: { protocol: "celery", broker: "redis://localhost" } },
    wrong: '{"celery":{"protocol":"resque"}}',
  },
  "celery.trackStarted": { text: "true", value: true, wrong: "perhaps" },
  "celery.resultExtended": { text: "true", value: true, wrong: "perhaps" },
  "celery.resultPersistent": { text: "true", value: true, wrong: "perhaps" },
  "celery.sendTaskEvents": { text: "true", value: true, wrong: "perhaps" },
  "celery.remoteControl": { text: "false", value: false, wrong: "perhaps" },
  codec: { text: "json", value: "json", wrong: "xml" },
  logLevel: { text: "error", value: "error", wrong: "loud" },
  logFormat: { text: "json", value: "json", wrong: "xml" },
  "defaults.queue": { text: "mail", value: "mail", wrong: " " },
  "defaults.priority": { text: "9", value: 9, wrong: "10" },
  "defaults.attempts": { text: "7", value: 7, wrong: "0" },
  "defaults.backoff": { text: '{"type":"fixed","delay":"2s"}', value: { type: "fixed", delay: "2s" }, wrong: "{}" },
  "defaults.timeout": { text: "10s", value: 10_000, wrong: "soon" },
  "defaults.expires": { text: "1h", value: 3_600_000, wrong: "-1" },
  "defaults.result.keep": { text: "false", value: false, wrong: "perhaps" },
  "defaults.result.ttl": { text: "none", value: undefined, wrong: "0" },
  "defaults.delivery": { text: "at-most-once", value: "at-most-once", wrong: "once" },
  "worker.queues": {
    text: "mail=5,default",
    value: [
      { name: "mail", weight: 5 },
      { name: "default", weight: 1 },
    ],
    wrong: "mail=0",
  },
  "worker.order": { text: "weighted", value: "weighted", wrong: "random" },
  "worker.concurrency": { text: "7", value: 7, wrong: "1.5" },
  "worker.prefetch": { text: "3", value: 3, wrong: "-1" },
  "worker.lease": { text: "40s", value: 40_000, wrong: "50" },
  "worker.heartbeat": { text: "3s", value: 3000, wrong: "5" },
  "worker.sweep": { text: "1m", value: 60_000, wrong: "5" },
  "worker.poisonLimit": { text: "5", value: 5, wrong: "0" },
  "worker.grace": { text: "2m", value: 120_000, wrong: "later" },
  "worker.ack": { text: "executed", value: "executed", wrong: "never" },
};

function at(tree: unknown, path: string): unknown {
  return path.split(".").reduce((node, key) => (node as Record<string, unknown> | undefined)?.[key], tree);
}

function nest(path: string, value: unknown): TaskwrightConfig {
  return path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as TaskwrightConfig;
}

function errorOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("expected a ConfigError");
}

describe.each(SETTINGS.map((setting) => [setting.path, setting] as const))("setting %s", (path, setting) => {
  const example = EXAMPLES[path] ?? { text: "no example", value: "add one to EXAMPLES", wrong: "" };
  const changed = setting.default === undefined ? undefined : at(resolveSettings(), path);

  it("reaches the settings from its flag", () => {
    expect(at(resolveSettings({ flags: { [setting.flag]: example.text } }), path)).toEqual(example.value);
    expect(example.value).not.toEqual(changed);
  });

  it("reaches the settings from its environment variable", () => {
    expect(at(resolveSettings({ env: { [setting.env]: example.text } }), path)).toEqual(example.value);
  });

  it("says what is wrong with a value, and where it came from", () => {
    for (const [layers, source] of [
      [{ flags: { [setting.flag]: example.wrong } }, setting.flag],
      [{ env: { [setting.env]: example.wrong } }, setting.env],
      [{ file: { path: "taskwright.config.ts", config: nest(path, { wrong: true }) } }, "taskwright.config.ts"],
      [{ code: nest(path, Number.NaN) }, "new Taskwright()"],
    ] as const) {
      const message = errorOf(() => resolveSettings(layers));
      expect(message).toContain(path);
      expect(message).toContain(`(from ${source})`);
    }
  });

  it("has an environment variable and a flag of its own", () => {
    expect(SETTINGS.filter((other) => other.flag === setting.flag || other.env === setting.env)).toHaveLength(1);
  });
});

describe("layers", () => {
  const file = { path: "taskwright.config.json", config: { worker: { concurrency: 2 }, defaults: { attempts: 2 } } };
  const env = { TASKWRIGHT_CONCURRENCY: "3" };
  const code = { worker: { concurrency: 4 } };
  const flags = { "--concurrency": "5" };

  it.each([
    ["defaults", {}, 100],
    ["the file over defaults", { file }, 2],
    ["the environment over the file", { file, env }, 3],
    ["code over the environment", { file, env, code }, 4],
    ["flags over code", { file, env, code, flags }, 5],
  ])("%s", (_name, layers, expected) => {
    expect(resolveSettings(layers).worker.concurrency).toBe(expected);
  });

  it("merges key by key", () => {
    const settings = resolveSettings({ file, code: { defaults: { queue: "mail" } } });
    expect(settings.defaults).toMatchObject({ attempts: 2, queue: "mail", priority: 0 });
  });

  it("validates what a stronger layer hides", () => {
    expect(errorOf(() => resolveSettings({ env: { TASKWRIGHT_CONCURRENCY: "x" }, flags }))).toContain(
      "TASKWRIGHT_CONCURRENCY",
    );
  });

  it("treats empty variables and undefined options as absent", () => {
    const settings = resolveSettings({
      env: { TASKWRIGHT_BROKER: "" },
      code: { worker: { lease: undefined } } as never,
    });
    expect(settings.broker).toBe("sqlite:./taskwright.db");
    expect(settings.worker.lease).toBe(30_000);
  });

  it("tells which layer decided", () => {
    const { sources } = resolveSettings({ env, flags });
    expect(sources.get("worker.concurrency")).toMatchObject({ layer: "flag", name: "--concurrency", value: 5 });
    expect(sources.get("worker.lease")).toMatchObject({ layer: "default" });
  });
});

describe("unknown settings", () => {
  it.each([
    [{ concurency: 1 }, 'unknown setting "concurency" in new Taskwright(): did you mean "worker.concurrency"?'],
    [
      { worker: { concurency: 1 } },
      'unknown setting "worker.concurency" in new Taskwright(): did you mean "worker.concurrency"?',
    ],
    [
      { defaults: { result: { tll: 1 } } },
      'unknown setting "defaults.result.tll" in new Taskwright(): did you mean "defaults.result.ttl"?',
    ],
    [{ brokerUrl: "x" }, 'unknown setting "brokerUrl" in new Taskwright(): did you mean "broker"?'],
    [{ worker: { xyzzy: 1 } }, 'unknown setting "worker.xyzzy" in new Taskwright(); there are queues, order,'],
    [{ worker: { toString: 1 } }, 'unknown setting "worker.toString"'],
  ])("%j", (code, message) => {
    expect(errorOf(() => resolveSettings({ code: code as TaskwrightConfig }))).toContain(message);
  });

  it("names the file", () => {
    const file = { path: "taskwright.config.ts", config: { worker: { concurency: 1 } } };
    expect(errorOf(() => resolveSettings({ file }))).toContain("in taskwright.config.ts");
  });

  it("refuses misspelt variables, and leaves those alone that Kubernetes sets for a service of the name", () => {
    const misspelt = () => resolveSettings({ env: { TASKWRIGHT_CONCURENCY: "1" } });
    expect(errorOf(misspelt)).toBe(
      'unknown environment variable "TASKWRIGHT_CONCURENCY": did you mean "TASKWRIGHT_CONCURRENCY"?',
    );
    const kubernetes = { TASKWRIGHT_PORT: "tcp://10.0.0.1:80", TASKWRIGHT_SERVICE_HOST: "10.0.0.1" };
    expect(resolveSettings({ env: kubernetes }).broker).toBe("sqlite:./taskwright.db");
  });

  it("refuses unknown flags", () => {
    expect(errorOf(() => resolveSettings({ flags: { "--quues": "a" } }))).toContain('did you mean "--queues"?');
  });

  it.each([[[]], [null], ["text"]])("refuses a configuration that is %j", (config) => {
    expect(errorOf(() => resolveSettings({ file: { path: "f.json", config } }))).toContain("f.json must be an object");
  });
});

describe("settings that depend on each other", () => {
  it("takes heartbeat and sweep from the lease", () => {
    expect(resolveSettings().worker).toMatchObject({ heartbeat: 10_000, sweep: 15_000 });
    expect(resolveSettings({ code: { worker: { lease: "3s" } } }).worker).toMatchObject({
      heartbeat: 1000,
      sweep: 1500,
    });
  });

  it("needs a heartbeat under half of the lease", () => {
    const message = errorOf(() => resolveSettings({ code: { worker: { heartbeat: "15s" } } }));
    expect(message).toContain("worker.heartbeat (15000 ms, from new Taskwright()) must be under half of worker.lease");
  });

  it("takes the order from the queues", () => {
    expect(resolveSettings({ code: { worker: { queues: ["a", "b"] } } }).worker.order).toBe("strict");
    expect(resolveSettings({ code: { worker: { queues: { a: 2, b: 1 } } } }).worker.order).toBe("weighted");
    const kept = resolveSettings({ code: { worker: { queues: { a: 2, b: 1 }, order: "strict" } } });
    expect(kept.worker.order).toBe("strict");
  });

  it("refuses one queue twice", () => {
    expect(errorOf(() => resolveSettings({ flags: { "--queues": "a,b,a" } }))).toContain('"a" twice');
  });
});

describe("resolveWorkerSettings", () => {
  it("lays options over the app's settings, and derives anew", () => {
    const settings = resolveSettings({ code: { worker: { concurrency: 4, queues: ["a"] } } });
    const worker = resolveWorkerSettings(settings, { lease: "6s", queues: { b: 1, c: 2 } });
    expect(worker).toMatchObject({ concurrency: 4, lease: 6000, heartbeat: 2000, order: "weighted" });
    expect(worker.queues.map((queue) => queue.name)).toEqual(["b", "c"]);
  });

  it("lets flags win over options", () => {
    const settings = resolveSettings({ flags: { "--concurrency": "5" } });
    expect(resolveWorkerSettings(settings, { concurrency: 9 }).concurrency).toBe(5);
  });

  it("names a wrong option", () => {
    const settings = resolveSettings();
    expect(errorOf(() => resolveWorkerSettings(settings, { concurency: 9 } as never))).toBe(
      'unknown setting "concurency" in app.worker(): did you mean "concurrency"?',
    );
    expect(errorOf(() => resolveWorkerSettings(settings, { concurrency: 0 }))).toBe(
      "concurrency must be a whole number of at least 1, not 0 (from app.worker())",
    );
  });
});

describe("secrets", () => {
  it("never stand in an error", () => {
    const message = errorOf(() => resolveSettings({ code: { codec: "redis://me:hunter2@host" } as never }));
    expect(message).toContain("redis://me:***@host");
    expect(message).not.toContain("hunter2");
  });
});
