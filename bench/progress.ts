/** Tells on stderr how far the run is: a bar on a terminal, else a line a step. */
export class Progress {
  readonly #steps: number;
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #since = performance.now();
  #done = 0;

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** The next step begins. */
  step(what: string): void {
    const position = `${String(++this.#done).padStart(String(this.#steps).length)}/${this.#steps}`;
    if (this.#isTerminal) process.stderr.write(`\r\u001b[K${this.#bar()} ${position}  ${this.#elapsed()}  ${what}`);
    else process.stderr.write(`${position}  ${this.#elapsed()}  ${what}\n`);
  }

  end(): void {
    if (this.#isTerminal) process.stderr.write("\r\u001b[K");
  }

  #bar(): string {
    const width = 24;
    const filled = Math.round(((this.#done - 1) / this.#steps) * width);
    return `[${"#".repeat(filled)}${".".repeat(width - filled)}]`;
  }

  #elapsed(): string {
    return `${((performance.now() - this.#since) / 1000).toFixed(0).padStart(3)} s`;
  }
}
