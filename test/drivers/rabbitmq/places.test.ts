import { join } from "node:path";
import { type JobView, type Taskwright, UnsupportedError } from "taskwright";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../support/temporary.js";
import { appAt, place } from "./support.js";

/** The pages of all jobs, two a page. */
async function pages({ inspect }: Taskwright): Promise<string[][]> {
  const read: (readonly JobView[])[] = [];
  let cursor: string | undefined;
  do {
    const page = await inspect.jobs({ limit: 2, ...(cursor !== undefined && { cursor }) });
    read.push(page.jobs);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return read.map((jobs) => jobs.map(({ id }) => id));
}

async function sqlitePlace(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  return `sqlite:${join(folder.path, "jobs.db")}`;
}

test("jobs are listed to the end where one place of the app is a RabbitMQ, which can list dead letters only", async () => {
  const [inFile, onServer] = [await sqlitePlace(), await place()];
  const fileFirst = appAt(inFile, { queuePlaces: { mail: { broker: onServer } } });
  await Promise.all(["a", "b", "c"].map((id) => fileFirst.send("some", { id })));
  await fileFirst.send("some", { queue: "mail" });
  expect(await pages(fileFirst)).toEqual([["a", "b"], ["c"], []]);
  const serverFirst = appAt(onServer, { queuePlaces: { bills: { broker: inFile } } });
  expect(await pages(serverFirst)).toEqual([["a", "b"], ["c"]]);
  await expect(pages(appAt(onServer))).rejects.toThrow(UnsupportedError);
});
