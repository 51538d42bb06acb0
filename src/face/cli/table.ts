/** Tables for terminals and for pipes: the same columns, two spaces between, colours only where asked for. */
import { printable } from './io.ts';

export type Tone = 'good' | 'bad' | 'dim';

export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

const codes: Record<Tone, string> = { good: '32', bad: '31', dim: '2' };

/**
 * Lines of an aligned table, header first. The last column is not padded, so no line ends in blanks. A cell is one line:
 * control characters in it are escaped.
 */
export function tableLines(header: readonly string[], rows: readonly (readonly (string | Cell)[])[], colour: boolean): string[] {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: clean(cell) } : { ...cell, text: clean(cell.text) })));
  const widths = header.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.text.length ?? 0)));
  const line = (row: readonly Cell[]) =>
    row
      .map((cell, column) => {
        const gap = column === row.length - 1 ? '' : ' '.repeat(widths[column]! - cell.text.length + 2);
        return (colour && cell.tone ? `\u001b[${codes[cell.tone]}m${cell.text}\u001b[0m` : cell.text) + gap;
      })
      .join('');
  return [header.map((text) => ({ text })), ...cells].map(line);
}

function clean(text: string): string {
  return printable(text).replace(/[\n\t]/g, ' ') || '-';
}
