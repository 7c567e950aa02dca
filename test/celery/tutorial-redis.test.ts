import { afterAll, beforeAll, expect, it } from "vitest";
import { buildCommandLine } from "../cli/command-line.js";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { until } from "../support/until.js";
import { requireCelery } from "./python.js";
import { type Fence, fencesOf, Newcomer } from "./tutorial.js";

let redis: RedisServer;
let newcomer: Newcomer;

beforeAll(async () => {
  await Promise.all([buildCommandLine(), requireCelery()]);
  redis = await startRedis();
  newcomer = await Newcomer.create(redis.url);
}, 180_000);

afterAll(async () => {
  await newcomer?.leave();
  await redis?.remove();
});

/** What comments at the ends of lines say that these print. */
function promised(text: string, mark: string): string[] {
  return text.split("\n").flatMap((line) => line.split(` ${mark} `)[1] ?? []);
}

it("the tutorial works as it is pasted", async () => {
  const fences = await fencesOf("A Node worker in ten minutes");
  const of = (language: string): string[] =>
    fences.flatMap((fence: Fence) => (fence.language === language ? fence.text : []));
  const [project = "", session = ""] = of("python");
  const [tasks = "", call = ""] = of("ts");
  const [install = "", debian = "", pythonWorker = "", nodeWorker = "", look = ""] = of("sh");
  expect([install, debian]).toEqual([
    expect.stringContaining("npm install"),
    expect.stringContaining("apt-get install"),
  ]);

  await newcomer.write("proj.py", project);
  await newcomer.write("tasks.ts", tasks);
  await newcomer.write("call.ts", call);
  newcomer.start(pythonWorker);
  newcomer.start(nodeWorker);

  const { text } = await newcomer.run("venv/bin/python -i proj.py", session);
  const [hello = "", fails = ""] = promised(session, "#");
  expect(hello).toBe("'HELLO!!!'");
  expect(fails).toMatch(/^fails/);
  expect(text).toContain(hello);
  expect(text).toContain("TypeError: text.toUpperCase is not a function");

  expect((await newcomer.run("npx jiti call.ts")).text).toMatch(new RegExp(`^${promised(call, "//")[0]}$`, "m"));

  // A worker is listed once it listens for such questions.
  await until(
    "both workers to be listed",
    async () => {
      const listed = await newcomer.run(look);
      const said = ["2 nodes online", "* node.shout", "* proj.add", "TypeError: text.toUpperCase is not a function"];
      return said.every((one) => listed.text.includes(one)) || undefined;
    },
    60_000,
  );
}, 180_000);
