import type { Reporter, TestCase } from '@playwright/test/reporter';

/** Under this type a test notes a figure: the {@link Figure} as JSON. */
export const FIGURE = 'figure';

/** A figure and what was promised. */
export interface Figure {
  what: string;
  value: number;
  limit: number;
  unit: string;
}

/** Prints the figures of a run as a table. */
export default class Table implements Reporter {
  private readonly figures: Figure[] = [];

  onTestEnd(test: TestCase): void {
    for (const { type, description } of test.annotations) {
      if (type === FIGURE && description) this.figures.push(JSON.parse(description) as Figure);
    }
  }

  onEnd(): void {
    if (this.figures.length === 0) return;
    const rows = this.figures.map(({ what, value, limit, unit }) => {
      const tell = (number: number) => `${Number.isInteger(number) ? number : number.toFixed(1)} ${unit}`;
      return [what, tell(value), `<= ${tell(limit)}`, value <= limit ? 'met' : 'MISSED'];
    });
    rows.unshift(['figure', 'measured', 'goal', '']);
    const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
    console.log();
    for (const row of rows) console.log(row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ').trimEnd());
    console.log();
  }

  printsToStdio(): boolean {
    return false;
  }
}
