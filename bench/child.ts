/**
 * A process of a contestant, as producer or worker. It does what the runner asks for, one act after the other, and ends
 * when the runner does.
 */
import { Acts } from "./acts.js";
import type { Answer, Opening, Request } from "./arena.js";
import type { Session } from "./contestant.js";
import { PEERS } from "./peers/index.js";

async function open({ contestant, ...terms }: Opening): Promise<Session> {
  const peer = PEERS.find(({ name }) => name === contestant);
  if (peer !== undefined) return peer.open(terms);
  const { openOurs } = await import("./ours.js");
  return openOurs(terms);
}

// While a session opens too, which can take for ever when the server has ended with the runner.
process.on("disconnect", () => process.exit());
const session = await open(JSON.parse(process.argv[2] ?? "") as Opening);
const acts = new Acts(session);

async function perform({ act, numbers }: Request): Promise<unknown> {
  if (act === "close") return session.close();
  return (acts[act] as (...numbers: number[]) => Promise<unknown>)(...numbers);
}

function answer(given: Answer): void {
  process.send?.(given);
}

process.on("message", (request: Request) => {
  perform(request).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
answer({ value: "open" });
