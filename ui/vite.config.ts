import { defineConfig } from 'vitest/config';
import { inline } from './build/inline.ts';

// Two builds from one tree: the application, in hashed files that a server sends, and the viewer, one file that holds
// everything, into which a server writes a trace so that it opens without one.
export default defineConfig(({ mode }) => {
  const isViewer = mode === 'viewer';
  return {
    base: './',
    plugins: isViewer ? [inline()] : [],
    build: {
      target: 'es2022',
      outDir: process.env.CLEW_UI_OUT ?? 'dist',
      emptyOutDir: !isViewer,
      assetsInlineLimit: isViewer ? Number.MAX_SAFE_INTEGER : 0,
      cssCodeSplit: !isViewer,
      modulePreload: { polyfill: false },
      sourcemap: false,
      rolldownOptions: {
        input: isViewer ? 'viewer.html' : 'index.html',
        output: isViewer ? { codeSplitting: false } : {},
      },
    },
    // `npm run dev` draws from the server at CLEW_SERVER.
    server: { proxy: { '/v1': process.env.CLEW_SERVER ?? 'http://127.0.0.1:8080' } },
    test: { include: ['src/**/*.test.ts', 'src/**/*.test.tsx'], environment: 'node' },
  };
});
