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
  expect(letters.cutTo(context, 'SELECT', 60)).toEqual({ shown: 'SELECT', head: 6, tail: 0 });
  expect(letters.cutTo(context, 'SELECT', 59)).toEqual({ shown: 'SELE\u2026', head: 4, tail: 0 });
  expect(letters.cutTo(context, 'SELECT', 30).shown).toBe('SE\u2026');
  expect(letters.cutTo(context, 'SELECT', 3).shown).toBe('\u2026');
  const before = context.asked.length;
  expect(letters.cutTo(context, 'SELECT', 3).shown).toBe('\u2026');
  expect(context.asked.length).toBe(before);
});

test('no letter is cut in half', () => {
  const letters = new Letters('11px system-ui');
  expect(letters.cutTo(canvas(), 'a\u{1f9f6}bcd', 30).shown).toBe('a\u2026');
  expect(letters.cutTo(canvas(), 'a\u{1f9f6}bcd', 40).shown).toBe('a\u{1f9f6}\u2026');
});

test('letters stand where a browser would place them in a line', () => {
  expect(new Letters('12.5px system-ui').baselineIn(canvas(), 22)).toBe(15);
});

test('of a path the middle is left out, where its end has room', () => {
  const shown = (words: string, room: number) => new Letters('11px system-ui').cutTo(canvas(), words, room).shown;
  expect(shown('shop.CartService/GetCart', 200)).toBe('shop.CartSe\u2026/GetCart');
  expect(shown('shop.CartService/GetCart', 130)).toBe('shop\u2026/GetCart');
  expect(shown('shop.CartService/GetCart', 100)).toBe('s\u2026/GetCart');
  expect(shown('shop.CartService/GetCart', 90)).toBe('shop.Car\u2026');
  expect(new Letters('11px system-ui').cutTo(canvas(), '9 ms after a/b', 100, false).shown).toBe('9 ms afte\u2026');
  expect(shown('shop.CartService/', 100)).toBe('shop.Cart\u2026');
  expect(shown('/a-long-name', 100)).toBe('/a-long-n\u2026');
});
