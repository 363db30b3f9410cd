/** A line of a stack trace. */
export interface StackLine {
  text: string;
  /** Whether it is of a library or the runtime, not of the service's own code. */
  library: boolean;
}

/** Places where package managers and runtimes keep code that is not the reader's own. */
const LIBRARY_PATH =
  /node_modules[\\/]|node:internal|\bnode:|site-packages[\\/]|dist-packages[\\/]|[\\/]lib[\\/]python\d|<frozen |[\\/]gems[\\/]|[\\/]vendor[\\/]|[\\/]usr[\\/]local[\\/]go[\\/]src|[\\/]go[\\/]src[\\/](?:net|runtime|internal)|[\\/]pkg[\\/]mod[\\/]|\.cargo[\\/]registry|[\\/]rustc[\\/]|[\\/]usr[\\/]lib[\\/]|\[internal function\]/;
/** Packages of runtimes and frameworks, as frames of the JVM and .NET name them. */
const LIBRARY_PACKAGE =
  /^\s*at (?:[\w.$]+\/{1,2})?(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|akka|reactor|io\.netty|io\.grpc|io\.opentelemetry|io\.micrometer|org\.springframework|org\.apache|org\.hibernate|org\.eclipse|org\.jboss|com\.fasterxml|com\.zaxxer|com\.google|okhttp3|retrofit2|System|Microsoft|MongoDB|Npgsql|Grpc)\./;
/** A function of Go's own packages, which have no dot before their first slash. */
const GO_RUNTIME = /^(?:runtime|net|net\/http|internal|sync|reflect|testing|syscall|database\/sql|io|os|context)[./][\w./*()]+\(/;
/** A frame of Rust's own. */
const RUST_RUNTIME = /^\s*\d+:\s+(?:0x[0-9a-f]+ - )?(?:<?(?:std|core|alloc|tokio|hyper|tower|axum|futures_\w+)(?: as )?::|rust_begin_unwind|__rust)/;

/** Lines of a stack trace of any of the usual languages, those of libraries marked. */
export function stackLines(stack: string): StackLine[] {
  const texts = stack.replace(/\r\n?/g, '\n').replace(/\n+$/, '').split('\n');
  const lines = texts.map((text) => ({ text, library: isLibrary(text) }));
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const next = lines[at + 1];
    if (!next) continue;
    // Python says the place and then quotes the code; Go and Rust name the function and then its place.
    if (/^\s+File "/.test(line.text) && !/^\s*File "/.test(next.text) && /^\s{4,}/.test(next.text)) next.library = line.library;
    if (/^\t\S+:\d+/.test(next.text) || /^\s+at (?:\.?\/)\S+:\d+/.test(next.text)) {
      if (/^\S.*\)$/.test(line.text) || /^\s*\d+:/.test(line.text)) line.library = next.library = line.library || next.library;
    }
  }
  return lines;
}

function isLibrary(line: string): boolean {
  return LIBRARY_PATH.test(line) || LIBRARY_PACKAGE.test(line) || GO_RUNTIME.test(line) || RUST_RUNTIME.test(line);
}

/** What an exception event carries. */
export interface Exception {
  type: string;
  message: string;
  stack: string;
  /** Whether it left the span. */
  escaped: boolean;
}

/** The exception of an event; `null` when it tells of none. */
export function exceptionOf(event: { name: string; attributes: { key: string; value: unknown }[] }): Exception | null {
  const text = (key: string) => {
    const value = event.attributes.find((one) => one.key === key)?.value;
    return value === undefined || value === null ? '' : String(value);
  };
  const [type, message, stack] = [text('exception.type'), text('exception.message'), text('exception.stacktrace')];
  if (event.name !== 'exception' && !type && !stack) return null;
  return { type, message, stack, escaped: /^true$/i.test(text('exception.escaped')) };
}

/** Attributes of an exception event that its card tells in another way. */
export const EXCEPTION_KEYS = new Set(['exception.type', 'exception.message', 'exception.stacktrace', 'exception.escaped']);
