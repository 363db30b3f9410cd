// Writes a brotli twin beside each file of the build, so that a server sends it as it lies there.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const out = process.env.CLEW_UI_OUT ?? 'dist';
for (const name of readdirSync(out, { recursive: true })) {
  const path = join(out, String(name));
  if (!statSync(path).isFile() || path.endsWith('.br')) continue;
  const bytes = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }));
}
