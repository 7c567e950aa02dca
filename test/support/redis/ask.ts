import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Where a Redis or a sentinel listens on 127.0.0.1, and how it is spoken to. */
export interface Address {
  readonly port: number;
  readonly password?: string | undefined;
  /** The file of the certificate that signs the server's, when it speaks TLS. */
  readonly ca?: string | undefined;
}

/** A server that is held takes connections and does not answer. In ms. */
const PATIENCE = 1000;
/** The reply to QUIT. */
const GOODBYE = "+OK\r\n";

/**
 * Sends one command as a line and answers its reply as it comes over the wire: enough to look at servers, with no client
 * library between.
 *
 * @throws Error with the reply when that is an error, or when there is none
 */
export async function ask(address: Address, command: string): Promise<string> {
  const socket = await open(address);
  const login = address.password === undefined ? "PING" : `AUTH ${address.password}`;
  socket.write(`${login}\r\n${command}\r\nQUIT\r\n`);
  const reply = await readToEnd(socket);
  const error = /^-.*/m.exec(reply)?.[0];
  if (error !== undefined) throw new Error(`${command.slice(0, 80)}: ${error}`);
  if (!reply.endsWith(GOODBYE)) throw new Error(`${command.slice(0, 80)}: the connection ended before the reply`);
  return reply.slice(reply.indexOf("\n") + 1, -GOODBYE.length);
}

async function open({ port, ca }: Address): Promise<Socket> {
  const target = { host: "127.0.0.1", port };
  return ca === undefined ? connect(target) : connectTls({ ...target, ca: await readFile(ca) });
}

function readToEnd(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error(`no answer within ${PATIENCE} ms`)));
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.once("error", reject);
    socket.once("end", () => resolve(text));
  });
}
