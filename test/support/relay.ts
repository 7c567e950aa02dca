import { connect as connectTo, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { freePort } from "./ports.js";

/** Stands before a server until the test ends, and hurts what goes through it when it is told to. */
export class Relay {
  /** The server's URL, by way of this. */
  readonly url: string;
  readonly #target: number;
  readonly #port: number;
  readonly #listeningSign: RegExp | undefined;
  #listener: Server | undefined;
  readonly #sockets = new Set<Socket>();
  /** Sides of the server on which a client listens. */
  readonly #listening = new Set<Socket>();
  #losing: { readonly sign: string; readonly done: () => void } | undefined;

  private constructor(url: string, port: number, listeningSign: RegExp | undefined) {
    this.#target = Number(new URL(url).port);
    this.#port = port;
    this.#listeningSign = listeningSign;
    this.url = url.replace(`:${this.#target}`, `:${port}`);
  }

  /** @param listeningSign - What a client says from which `muteListeners` knows that it listens. */
  static async before(url: string, listeningSign?: RegExp): Promise<Relay> {
    const relay = new Relay(url, await freePort(), listeningSign);
    await relay.up();
    onTestFinished(() => relay.down());
    return relay;
  }

  /** Where clients find it, as `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Ends every connection at once, without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The same, and nobody listens here until it is up again. */
  async down(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    this.cut();
    await new Promise((resolve) => (listener === undefined ? resolve(undefined) : listener.close(resolve)));
  }

  async up(): Promise<void> {
    const listener = createServer((client) => this.#join(client, connectTo(this.#target, "127.0.0.1")));
    this.#listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject).listen(this.#port, "127.0.0.1", resolve);
    });
  }

  /** From now on nothing passes on the connections that there are, though they stay open: a network that swallows. */
  swallow(): void {
    for (const socket of this.#sockets) socket.removeAllListeners("data").resume();
  }

  /**
   * Cuts the connection on which the next request comes that contains `sign`, when the server answers: it has done what it was
   * asked, and its client never learns of it. Resolves then.
   */
  loseAnswerTo(sign: string): Promise<void> {
    return new Promise((done) => {
      this.#losing = { sign, done };
    });
  }

  /** Brings nothing any more to those who listen by now, and leaves their connections as they are. */
  muteListeners(): void {
    for (const server of this.#listening) server.removeAllListeners("data").resume();
  }

  #join(client: Socket, server: Socket): void {
    let lost: (() => void) | undefined;
    client.on("data", (request: Buffer) => {
      if (this.#listeningSign?.test(request.toString("latin1"))) this.#listening.add(server);
      if (this.#losing !== undefined && request.includes(this.#losing.sign)) {
        lost = this.#losing.done;
        this.#losing = undefined;
      }
      server.write(request);
    });
    server.on("data", (answer: Buffer) => {
      if (lost === undefined) return void client.write(answer);
      client.destroy();
      lost();
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        this.#listening.delete(one);
        other.destroy();
      });
    }
  }
}
