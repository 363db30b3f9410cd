// Every screen in both themes as pictures: `npm run screenshots -- FOLDER`.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const folder = process.argv[2];
if (!folder) {
  console.error('usage: npm run screenshots -- FOLDER');
  process.exit(2);
}
const env = { ...process.env, CLEW_SCREENSHOTS: resolve(process.env.INIT_CWD ?? '.', folder) };
const done = spawnSync('npx', ['playwright', 'test', '-c', 'tests', '--project=screenshots'], { stdio: 'inherit', env });
process.exit(done.status ?? 1);
