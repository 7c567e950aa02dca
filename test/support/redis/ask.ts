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
/** What the last line is answered with. A sentinel knows no QUIT, so it is a PING. */
const LAST = "PING last";
const END = "$4\r\nlast\r\n";

/**
 * Sends one command as a line and answers its reply as it comes over the wire: enough to look at servers, with no client
 * library between.
 *
 * @throws Error with the reply when that is an error, or when there is none
 */
export async function ask(address: Address, command: string): Promise<string> {
  const socket = await open(address);
  const login = address.password === undefined ? "PING" : `AUTH ${address.password}`;
  socket.write(`${login}\r\n${command}\r\n${LAST}\r\n`);
  const replies = await readReplies(socket).finally(() => socket.destroy());
  const error = /^-.*/m.exec(replies)?.[0];
  if (error !== undefined) throw new Error(`${command.slice(0, 80)}: ${error}`);
  return replies.slice(replies.indexOf("\n") + 1, -END.length);
}

async function open({ port, ca }: Address): Promise<Socket> {
  const target = { host: "127.0.0.1", port };
  return ca === undefined ? connect(target) : connectTls({ ...target, ca: await readFile(ca) });
}

function readReplies(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error(`no answer within ${PATIENCE} ms`)));
    socket.on("data", (chunk) => {
      text += chunk;
      // While it loads, or wants a password, a server answers the last line with an error.
      if (text.endsWith(END) || /^-.*\r\n$/m.test(text)) resolve(text);
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection ended before the reply")));
  });
}
