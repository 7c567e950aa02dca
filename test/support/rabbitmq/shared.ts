import { connect } from "node:net";
import process from "node:process";
import { inject } from "vitest";
import { nodeAt, type RabbitmqNode } from "./server.js";

let node: Promise<RabbitmqNode> | undefined;
let places = 0;

/** An empty virtual host. */
export interface RabbitmqPlace {
  readonly url: string;
  remove(): Promise<void>;
}

/** An empty virtual host on the one RabbitMQ of this run of tests, in 50 ms. The first call of the run starts it. */
export async function rabbitmqPlace(): Promise<RabbitmqPlace> {
  node ??= findNode();
  const { addVhost, removeVhost } = await node;
  places += 1;
  const name = `case-${process.pid}-${places}`;
  return { url: await addVhost(name), remove: () => removeVhost(name) };
}

/** Asks for it where `run.ts` answers. */
async function findNode(): Promise<RabbitmqNode> {
  const socket = connect(inject("rabbitmq"));
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  const port = Number(answer);
  if (!(port > 0)) throw new Error(answer);
  return nodeAt(port, `amqp://guest:guest@127.0.0.1:${port}`);
}
