const WIDTH = 40;

/** Draws how far we are: a bar that is redrawn on a terminal, otherwise a line for each quarter. */
export class ProgressBar {
  #done = 0;
  readonly #total: number;
  readonly #out: NodeJS.WriteStream;

  constructor(total: number, out: NodeJS.WriteStream = process.stdout) {
    this.#total = total;
    this.#out = out;
    if (out.isTTY) this.#draw();
  }

  /** One more is done. */
  tick(): void {
    const quarter = this.#quarters();
    this.#done++;
    if (this.#out.isTTY) this.#draw();
    else if (this.#quarters() > quarter) this.#out.write(`  ${this.#text()}\n`);
  }

  /** Leaves the line, so that what is printed next starts on its own. */
  end(): void {
    if (this.#out.isTTY) this.#out.write("\n");
  }

  #quarters(): number {
    return Math.floor((4 * this.#done) / this.#total);
  }

  #text(): string {
    return `${this.#done} of ${this.#total} jobs, ${Math.floor((100 * this.#done) / this.#total)} %`;
  }

  #draw(): void {
    const filled = Math.round((WIDTH * this.#done) / this.#total);
    this.#out.write(`\r  ${"█".repeat(filled)}${"░".repeat(WIDTH - filled)}  ${this.#text()}`);
  }
}
