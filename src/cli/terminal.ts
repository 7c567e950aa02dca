import { styleText } from "node:util";

type Paint = (text: string) => string;

/** The few colours in use, each the identity where colours are off. */
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

/** Where a command writes: results to stdout, everything for people's eyes to stderr. */
export interface Terminal {
  readonly style: Style;
  readonly errorStyle: Style;
  print(text: string): void;
  printError(text: string): void;
}

/** Colours only on a terminal, and never under NO_COLOR (https://no-color.org); FORCE_COLOR insists. */
export function wantsColour(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "" && env.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true && env.TERM !== "dumb";
}

export function createStyle(colours: boolean): Style {
  const paint = (format: "bold" | "dim" | "red" | "green" | "yellow" | "cyan"): Paint => {
    return (text) => (colours ? styleText(format, text, { validateStream: false }) : text);
  };
  return {
    bold: paint("bold"),
    dim: paint("dim"),
    red: paint("red"),
    green: paint("green"),
    yellow: paint("yellow"),
    cyan: paint("cyan"),
  };
}

/** The process's own terminal. A reader that went away (`taskwright jobs | head`) ends it quietly. */
export function processTerminal(): Terminal {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    style: createStyle(wantsColour(process.stdout, process.env)),
    errorStyle: createStyle(wantsColour(process.stderr, process.env)),
    print: (text) => void process.stdout.write(`${text}\n`),
    printError: (text) => void process.stderr.write(`${text}\n`),
  };
}
