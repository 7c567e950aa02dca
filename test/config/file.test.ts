import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findConfigFile, loadConfigFile } from "../../src/config/file.js";

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "taskwright-config-")));
  await mkdir(join(root, "app", "src"), { recursive: true });
  await writeFile(join(root, "app", "package.json"), '{ "type": "module" }');
});
afterEach(() => rm(root, { recursive: true }));

const put = (path: string, text: string) => writeFile(join(root, path), text);

describe("findConfigFile", () => {
  it("looks upwards, to the root of the package and no higher", async () => {
    await put("taskwright.config.json", "{}");
    expect(findConfigFile(join(root, "app", "src"))).toBeUndefined();
    await put("app/taskwright.config.mjs", "");
    expect(findConfigFile(join(root, "app", "src"))).toBe(join(root, "app", "taskwright.config.mjs"));
  });

  it("refuses two in one folder", async () => {
    await put("app/taskwright.config.json", "{}");
    await put("app/taskwright.config.ts", "");
    expect(() => findConfigFile(join(root, "app"))).toThrow(
      "taskwright.config.ts and taskwright.config.json are both in",
    );
  });
});

describe("loadConfigFile", () => {
  it.each([
    ["ts", "const broker: string = 'memory:';\nexport default { broker } satisfies object;"],
    ["mts", "enum Broker { Memory = 'memory:' }\nexport default { broker: Broker.Memory };"],
    ["js", "export default { broker: await Promise.resolve('memory:') };"],
    ["mjs", "export default { broker: 'memory:' };"],
    ["json", '{ "broker": "memory:" }'],
  ])("reads .%s", async (extension, text) => {
    await put(`app/taskwright.config.${extension}`, text);
    const file = await loadConfigFile(join(root, "app"));
    expect(file).toEqual({ path: `taskwright.config.${extension}`, config: { broker: "memory:" } });
  });

  it("follows a .js specifier to a .ts file", async () => {
    await put("app/src/broker.ts", "export const broker: string = 'memory:';");
    await put("app/taskwright.config.ts", "import { broker } from './src/broker.js';\nexport default { broker };");
    expect((await loadConfigFile(join(root, "app")))?.config).toEqual({ broker: "memory:" });
  });

  it.each([
    ["app/taskwright.config.json", "{", "taskwright.config.json is not valid JSON"],
    ["app/taskwright.config.ts", "export default {", "taskwright.config.ts failed to load"],
    ["app/taskwright.config.mjs", "throw new Error('boom')", "taskwright.config.mjs failed to load: boom"],
    ["app/taskwright.config.js", "export const broker = 1;", "taskwright.config.js has no default export"],
  ])("says what is wrong with %s", async (path, text, message) => {
    await put(path, text);
    await expect(loadConfigFile(join(root, "app"))).rejects.toThrow(message);
  });

  it("has none where there is none, unless it was named", async () => {
    expect(await loadConfigFile(join(root, "app"))).toBeUndefined();
    await expect(loadConfigFile(join(root, "app"), "nope.json")).rejects.toThrow(
      "there is no configuration file nope.json",
    );
  });
});
