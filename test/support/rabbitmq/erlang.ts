import { spawn } from "node:child_process";
import process from "node:process";
import { findProgram } from "../programs.js";

/** Of no importance: nodes listen on 127.0.0.1 only, and end with the test process. */
export const COOKIE = "taskwright";
/** Comes with Erlang. */
const ERL_CALL = { name: "erl_call", package: "erlang-base" };

let calls = 0;

/**
 * Evaluates Erlang in a running node and answers what it gives, as Erlang prints it: `rabbitmqctl eval` in 20 ms, where
 * rabbitmqctl takes 1.5 s.
 *
 * @throws Error when the node does not answer, or the expression fails
 */
export async function evaluate(distPort: number, expression: string): Promise<string> {
  const path = await findProgram(ERL_CALL);
  // A name of its own: a node turns away whom it thinks it is connected to already.
  const name = `call-${process.pid}-${++calls}`;
  const call = spawn(path, ["-h", name, "-c", COOKIE, "-address", `127.0.0.1:${distPort}`, "-timeout", "10", "-e"]);
  let said = "";
  call.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  call.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  call.stdin.on("error", () => {});
  call.stdin.end(`${expression}.\n`);
  await new Promise((resolve) => call.once("close", resolve));
  const answer = /^\{ok, ([\s\S]*)\}\s*$/.exec(said)?.[1];
  if (answer === undefined) throw new Error(`${expression}: ${said.trim() || "no answer"}`);
  return answer;
}
