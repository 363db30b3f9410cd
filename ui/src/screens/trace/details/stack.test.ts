import { expect, test } from 'vitest';
import { exceptionOf, stackLines } from './stack';

/** The lines that are not dimmed. */
const own = (stack: string) => stackLines(stack).filter((line) => !line.library).map((line) => line.text.trim());

test('JavaScript', () => {
  const stack = 'TypeError: x\n    at charge (/usr/src/app/charge.js:58:11)\n    at next (/usr/src/app/node_modules/express/lib/router.js:1:1)\n    at process.tick (node:internal/process:95:5)\n';
  expect(own(stack)).toEqual(['TypeError: x', 'at charge (/usr/src/app/charge.js:58:11)']);
});

test('Java', () => {
  const stack = 'java.lang.IllegalStateException: no\n\tat shop.Cart.add(Cart.java:12)\n\tat org.springframework.web.Servlet.run(Servlet.java:9)\n\tat java.base/java.lang.Thread.run(Thread.java:1)\nCaused by: shop.Lost: gone\n\t... 12 more';
  expect(own(stack)).toEqual(['java.lang.IllegalStateException: no', 'at shop.Cart.add(Cart.java:12)', 'Caused by: shop.Lost: gone', '... 12 more']);
});

test('Python quotes the code below its place', () => {
  const stack = 'Traceback (most recent call last):\n  File "/usr/lib/python3.12/site-packages/flask/app.py", line 3, in run\n    return handler()\n  File "/app/main.py", line 9, in handler\n    raise ValueError("no")\nValueError: no';
  expect(own(stack)).toEqual(['Traceback (most recent call last):', 'File "/app/main.py", line 9, in handler', 'raise ValueError("no")', 'ValueError: no']);
});

test('Go names the function above its place', () => {
  const stack = 'goroutine 7 [running]:\nmain.checkout(0x1)\n\t/src/main.go:12 +0x1d\nnet/http.(*conn).serve(0xc00, {0x1})\n\t/usr/local/go/src/net/http/server.go:1995 +0x1';
  expect(own(stack)).toEqual(['goroutine 7 [running]:', 'main.checkout(0x1)', '/src/main.go:12 +0x1d']);
});

test('.NET', () => {
  const stack = 'System.InvalidOperationException: no\n   at Cart.Store.Add(String id) in /src/Store.cs:line 4\n   at Microsoft.AspNetCore.Http.Run()\n   at System.Threading.Tasks.Task.Wait()';
  expect(own(stack)).toEqual(['System.InvalidOperationException: no', 'at Cart.Store.Add(String id) in /src/Store.cs:line 4']);
});

test('an exception is told by its event or by its attributes', () => {
  const attribute = (key: string, value: unknown) => ({ key, value });
  expect(exceptionOf({ name: 'exception', attributes: [attribute('exception.type', 'E'), attribute('exception.escaped', true)] })).toEqual({
    type: 'E', message: '', stack: '', escaped: true,
  });
  expect(exceptionOf({ name: 'retry', attributes: [attribute('exception.type', 'E')] })?.type).toBe('E');
  expect(exceptionOf({ name: 'retry', attributes: [] })).toBeNull();
});
