import { expect, test } from 'vitest';
import { Letters } from './words';

/** A canvas on which each code unit is ten pixels wide, and which counts what it measures. */
function canvas() {
  const asked: string[] = [];
  const measureText = (words: string) => {
    asked.push(words);
    return { width: words.length * 10, fontBoundingBoxAscent: 11.6, fontBoundingBoxDescent: 2.95 } as TextMetrics;
  };
  return { asked, font: '', measureText };
}

test('words are measured once', () => {
  const [letters, context] = [new Letters('11px system-ui'), canvas()];
  expect(letters.widthOf(context, 'SELECT')).toBe(60);
  expect(letters.widthOf(context, 'SELECT')).toBe(60);
  expect(context.asked).toEqual(['SELECT']);
});

test('words are cut where their room ends, and only there', () => {
  const [letters, context] = [new Letters('11px system-ui'), canvas()];
  expect(letters.cutTo(context, 'SELECT', 60)).toBe('SELECT');
  expect(letters.cutTo(context, 'SELECT', 59)).toBe('SELE\u2026');
  expect(letters.cutTo(context, 'SELECT', 30)).toBe('SE\u2026');
  expect(letters.cutTo(context, 'SELECT', 3)).toBe('\u2026');
  const before = context.asked.length;
  expect(letters.cutTo(context, 'SELECT', 3)).toBe('\u2026');
  expect(context.asked.length).toBe(before);
});

test('no letter is cut in half', () => {
  const letters = new Letters('11px system-ui');
  expect(letters.cutTo(canvas(), 'a\u{1f9f6}bcd', 30)).toBe('a\u2026');
  expect(letters.cutTo(canvas(), 'a\u{1f9f6}bcd', 40)).toBe('a\u{1f9f6}\u2026');
});

test('letters stand where a browser would place them in a line', () => {
  expect(new Letters('12.5px system-ui').baselineIn(canvas(), 22)).toBe(15);
});
