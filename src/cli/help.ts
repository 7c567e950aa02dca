/** Examples at the end of a command's `--help`. */
export function examples(...lines: readonly (readonly [command: string, explanation: string])[]): string {
  const widest = Math.max(...lines.map(([command]) => command.length));
  const text = lines.map(([command, explanation]) => `  $ ${command.padEnd(widest)}  # ${explanation}`);
  return `\nExamples:\n${text.join("\n")}`;
}
